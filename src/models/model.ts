import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FileError, UsageError } from "../base/errors.ts";
import { distributionByName, distributions } from "../data/distributions/catalogue.ts";
import { fashionMnist } from "../data/fashionMnist.ts";
import { mnist } from "../data/mnist.ts";
import { edm } from "../diffusion/preconditioning.ts";
import { classConditions, noiseInNetwork } from "../guidance/conditions.ts";
import type { GuidanceResources } from "../guidance/resources.ts";
import { type NetworkClassifier, networkClassifier } from "../networks/networkClassifier.ts";
import { type NetworkDenoiser, networkDenoiser } from "../networks/networkDenoiser.ts";
import { networkLayout } from "../networks/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type ModelFile, loadModelFile, modelParameters } from "../training/checkpoint.ts";
import type { JsonObject } from "../training/json.ts";
import { type ModelConfig, parseModel, preconditioningOf } from "../training/modelConfig.ts";
import { type Sampling, locateModel } from "./bundle.ts";
import { openScores } from "./openScore.ts";

/** A trained model, loaded and ready: its network, and what it offers to guidance. */
export interface Model {
  readonly name: string;
  readonly description: string;
  readonly config: ModelConfig;
  /** The main network's card: how it was made. */
  readonly card: JsonObject;
  readonly denoiser: NetworkDenoiser;
  /** What buildGuidance takes, without scores. */
  readonly resources: GuidanceResources;
  /** The same with the scores that a guidance names, opened from their files. Throws FileError and UsageError as `openScore` does. */
  resourcesFor(guidance: string): Promise<GuidanceResources>;
  /** Names of the classes by label; empty where none are known. */
  readonly classes: readonly string[];
  /** The classifier of clean samples, where the model has one. */
  readonly extractor: NetworkClassifier | null;
  readonly sampling: Sampling;
  /** The specs that `fairlead compare` compares by default. */
  readonly compare: readonly string[];
  /** Measured results that came with the model. */
  readonly results: JsonObject | null;
  dispose(): Promise<void>;
}

/**
 * Opens a model: a shipped one by name, a training's folder, a folder with model.json, or a model file.
 * Throws UsageError for a name that means nothing, FileError for files that are damaged or of another network.
 */
export async function openModel(runtime: Runtime, model: string): Promise<Model> {
  const { folder, bundle } = await locateModel(model);
  const path = (name: string): string => join(folder, name);

  const main = await openDenoiser(runtime, path(bundle.network));
  const unconditional = bundle.unconditional ? await openDenoiser(runtime, path(bundle.unconditional)) : null;
  const guides: Record<string, NetworkDenoiser> = {};
  for (const [name, file] of Object.entries(bundle.guides)) {
    guides[name] = (await openDenoiser(runtime, path(file))).denoiser;
  }
  const classifier = bundle.classifier ? await openClassifier(runtime, path(bundle.classifier)) : null;
  const extractor = bundle.extractor ? await openClassifier(runtime, path(bundle.extractor)) : null;
  const { denoiser, config } = main;

  const conditional = denoiser.classes > 0 || unconditional !== null || config.data.classes?.length === 1;
  const resources: GuidanceResources = {
    conditional,
    nullCondition: denoiser.classes > 0 && config.dropCondition > 0,
    ...(unconditional && { unconditional: unconditional.denoiser }),
    guides,
    ...(classifier && { classifier }),
    ...(extractor && {
      cleanClassifier: {
        logProbabilityGradient: (x0, of) => extractor.logProbabilityGradient(x0, 1, of),
      },
    }),
    attention: denoiser.attention.map(({ name }) => name),
    ...(denoiser.classes > 0 && classConditions(classNames(config))),
    ...(denoiser.embeddings.conditionNoise !== undefined && { noisyCondition: noiseInNetwork }),
    levelEmbedding: denoiser.embeddings.levelNoise !== undefined,
    ...(denoiser.resized && { resized: { side: denoiser.shape[1], ...denoiser.resized } }),
  };
  const scores = openScores(runtime, denoiser.shape);
  const owned = [denoiser, unconditional?.denoiser, classifier, extractor, ...Object.values(guides), scores];
  return {
    name: bundle.name,
    description: bundle.description,
    config,
    card: main.file.card,
    denoiser,
    resources,
    resourcesFor: async (guidance) => ({ ...resources, scores: await scores.of(guidance) }),
    classes: classNames(config),
    extractor,
    sampling: bundle.sampling,
    compare: bundle.compare,
    results: bundle.results ? await readJson(path(bundle.results)) : null,
    async dispose() {
      for (const part of owned) await part?.dispose();
    },
  };
}

/** The configuration in a model file, and its file. */
async function readModel(path: string): Promise<{ file: ModelFile; config: ModelConfig }> {
  const file = await loadModelFile(path);
  return { file, config: parseModel(file.config, `${path}: config`) };
}

async function openDenoiser(
  runtime: Runtime,
  path: string,
): Promise<{ denoiser: NetworkDenoiser; config: ModelConfig; file: ModelFile }> {
  const { file, config } = await readModel(path);
  const preconditioning = preconditioningOf(config.objective);
  if (!preconditioning) throw new UsageError(`${path} is a classifier, wanted a network that denoises`);
  const parameters = modelParameters(file, networkLayout(config.network));
  return {
    denoiser: networkDenoiser(runtime, { network: config.network, parameters, preconditioning }),
    config,
    file,
  };
}

/** A classifier from its model file. Throws FileError or UsageError for a file that is none. */
export async function openClassifier(runtime: Runtime, path: string): Promise<NetworkClassifier> {
  const { file, config } = await readModel(path);
  const { network, objective } = config;
  if (network.kind !== "encoder" && network.kind !== "planar-classifier") {
    throw new UsageError(`${path} holds a ${network.kind} network, wanted a classifier`);
  }
  const parameters = modelParameters(file, networkLayout(network));
  const cIn = objective.kind === "noisy-classifier" ? edm({ sigmaData: objective.sigmaData }).cIn : () => 1;
  return networkClassifier(runtime, { network, parameters, cIn });
}

/** Names of the classes of the data a model learned. */
function classNames({ data, network }: ModelConfig): readonly string[] {
  if (Object.hasOwn(distributions, data.name)) {
    const { classes } = distributionByName(data.name);
    return data.classes ? data.classes.map((i) => classes[i]) : classes;
  }
  const source = [fashionMnist, mnist].find(
    ({ name }) => data.name === name || data.name.startsWith(`${name}:`),
  );
  if (source) return source.classes;
  const count = network.kind === "unet" ? network.classes : 0;
  return Array.from({ length: count }, (_, i) => String(i));
}

async function readJson(path: string): Promise<JsonObject> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as JsonObject;
  } catch (error) {
    throw new FileError(`${path} cannot be read: ${(error as Error).message}`);
  }
}
