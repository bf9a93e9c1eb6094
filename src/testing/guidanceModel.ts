import type { Tensor } from "../base/tensor.ts";
import { map, rowSize, tensor, zerosLike } from "../base/tensor.ts";
import type { Branch, Denoiser, Labels, Prediction } from "../diffusion/denoiser.ts";
import { noisyEmbedding } from "../diffusion/embeddingNoise.ts";
import { type Perturbation, perturbationKey } from "../graph/perturb.ts";
import { buildGuidance } from "../guidance/build.ts";
import { classConditions, noiseInNetwork } from "../guidance/conditions.ts";
import { guide } from "../guidance/guide.ts";
import type { EvaluationCount } from "../guidance/guide.ts";
import type { GuidanceResources } from "../guidance/resources.ts";
import { recording } from "./recording.ts";

/**
 * A model of everything that guidance methods need, in closed form, of images [2, 4, 4]: what the conformance suite is run on. A new
 * kind of resource is added here.
 */
export function guidanceModel({ indifferent = false, space = (d) => d }: ModelOptions = {}) {
  const network = (std: number) => recording(indifferent ? indifferentDenoiser : imageDenoiser(std, space));
  const [main, weaker, unconditional] = [0.5, 0.8, 0.6].map(network);
  const small = recording({ ...imageDenoiser(0.5, space), shape: [2, 3, 3] });
  const resources: GuidanceResources = {
    conditional: true,
    guides: { early: weaker },
    classifier: {
      logProbabilityGradient: (x, sigma, labels) =>
        Promise.resolve(indifferent ? zerosLike(x) : classifierGradient(x, sigma, labels)),
    },
    cleanClassifier: {
      logProbabilityGradient: (x0, labels) =>
        Promise.resolve(indifferent ? zerosLike(x0) : classifierGradient(x0, 0, labels)),
    },
    scores: {
      smooth: { gradient: (x0) => Promise.resolve(indifferent ? zerosLike(x0) : map(Math.sin, x0)) },
    },
    attention: ["down.0", "mid.0", "up.0"],
    ...classConditions(["zero", "one", "two", "three", "four", "five"]),
    noisyCondition: noiseInNetwork,
    levelEmbedding: true,
    resized: { side: 4, multiple: 3, to: () => small },
  };
  const networks = [main, weaker, unconditional];
  return {
    main,
    networks,
    unconditional,
    resources,
    /** Branches that its networks were asked so far; four windows of the image are one. */
    asked: () => networks.flatMap(({ calls }) => calls.flat()).length + small.calls.flat().length / 4,
  };
}

export type GuidanceModel = ReturnType<typeof guidanceModel>;

export interface ModelOptions {
  /** Its predictions do not depend on what is asked, and its gradients are 0. */
  readonly indifferent?: boolean;
  /** What its networks give in place of a prediction of x0. */
  readonly space?: (x0: Tensor, x: Tensor, sigma: number) => Tensor;
}

export const IMAGE = [2, 4, 4];
const SIZE = 32;

/** Three samples of noise level about 1, their labels and seeds. */
export const labels: Labels = [0, 2, 5];
export const seeds: readonly number[] = [7, 40, 3];
export const samples = tensor(
  Float64Array.from({ length: 3 * SIZE }, (_, i) => 1.3 * Math.sin(i * i + 1)),
  [3, ...IMAGE],
);

/** Labels are means of images: a class's Gaussian of spread std has this one. -1 is the null condition's. */
function meanOf(label: number, i: number): number {
  const at = i % SIZE;
  return label < 0 ? 0.2 * Math.sin(at) : 0.4 * Math.cos(0.7 * at + label) + 0.1 * label;
}

/** Predictions for Gaussians of spread `std`; whatever makes a branch worse makes its Gaussian wider, each in its own way. */
function imageDenoiser(std: number, space: NonNullable<ModelOptions["space"]>): Denoiser {
  return {
    shape: IMAGE,
    denoise: (x, sigma, branches) =>
      Promise.resolve(branches.map((branch) => space(predict(std, x, sigma, branch), x, sigma))),
    attended: (x) => Promise.resolve([energyOfQuarters(x)]),
    vjp(x, sigma, branch, cotangent) {
      const variance = varianceOf(std, branch);
      const size = rowSize(x);
      const gradient = map((value, i) => {
        const level = levelOf(branch, Math.floor(i / size), sigma) ** 2;
        return (variance / (variance + level)) * value;
      }, cotangent);
      return Promise.resolve({ denoised: predict(std, x, sigma, branch), gradient });
    },
  };
}

/** Looks at each of four quarters of an image as much as there is in it: [batch, 2, 2], 1 on average. */
function energyOfQuarters(x: Tensor): Tensor {
  const rows = Array.from({ length: x.shape[0] }, (_, row) => {
    const quarters = [0, 0, 0, 0];
    for (let at = 0; at < SIZE; at++) {
      const [h, w] = [Math.floor(at / 4) % 4, at % 4];
      quarters[2 * Math.floor(h / 2) + Math.floor(w / 2)] += x.data[row * SIZE + at] ** 2;
    }
    const mean = quarters.reduce((a, b) => a + b) / 4;
    return quarters.map((energy) => energy / mean);
  });
  return tensor(Float64Array.from(rows.flat()), [rows.length, 2, 2]);
}

const varianceOf = (std: number, { perturbation }: Branch<Labels>): number =>
  (std * (1 + spoiled(perturbation))) ** 2;

function predict(std: number, x: Tensor, sigma: number, branch: Branch<Labels>): Tensor {
  const variance = varianceOf(std, branch);
  const size = rowSize(x);
  const level = Array.from({ length: x.shape[0] }, (_, row) => levelOf(branch, row, sigma) ** 2);
  const mean = level.map((_, row) => imageOf(branch, row, size));
  return map((value, i) => {
    const row = Math.floor(i / size);
    return (variance * value + level[row] * mean[row][i % size]) / (variance + level[row]);
  }, x);
}

/** The mean image of a row's condition is its embedding. */
function imageOf(
  { condition, conditionNoise }: Branch<Labels>,
  row: number,
  size: number,
): ArrayLike<number> {
  const label = condition?.[row] ?? -1;
  const image = Array.from({ length: size }, (_, i) => meanOf(label, i));
  return conditionNoise && label >= 0 ? noisyEmbedding(image, conditionNoise, row) : image;
}

/** ln sigma is the embedding of the noise level. */
function levelOf({ told, levelNoise }: Branch<Labels>, row: number, sigma: number): number {
  const level = told?.[row] ?? sigma;
  return levelNoise ? Math.exp(noisyEmbedding([Math.log(level)], levelNoise, row)[0]) : level;
}

/** 0 for a network as trained; else a number from 0.2 to 1.2 that tells what was done to it. */
function spoiled(perturbation: Perturbation | undefined): number {
  if (perturbation === undefined) return 0;
  let hash = 0;
  for (const character of perturbationKey(perturbation))
    hash = (Math.imul(hash, 31) + character.codePointAt(0)!) >>> 0;
  return 0.2 + hash / 2 ** 32;
}

/** Predicts one image, whatever it sees. */
const indifferentDenoiser: Denoiser = {
  shape: IMAGE,
  denoise: (x, _sigma, branches) => {
    const image = map((_, i) => 0.9 * Math.cos(1.7 * (i % SIZE)), x);
    return Promise.resolve(branches.map(() => image));
  },
  attended: (x) => Promise.resolve([energyOfQuarters(x)]),
  vjp: (x) => Promise.resolve({ denoised: x, gradient: zerosLike(x) }),
};

/** Of log N(x; mean of the label, std^2 + sigma^2) - log N(x; null mean, std^2 + sigma^2), std 0.5: the exact classifier. */
function classifierGradient(x: Tensor, sigma: number, of: Labels): Tensor {
  return map((_, i) => {
    const label = of[Math.floor(i / SIZE)];
    return (meanOf(label, i) - meanOf(-1, i)) / (0.25 + sigma ** 2);
  }, x);
}

export interface Asking {
  readonly model?: GuidanceModel;
  readonly condition?: Labels;
  readonly seeds?: readonly number[];
  /** Whether the model's separate unconditional network is used. */
  readonly separate?: boolean;
}

/** The model guided by a spec. */
export function guidedModel(spec: string, asking: Asking = {}) {
  const { model = guidanceModel(), condition = labels, separate = false } = asking;
  const { main, unconditional, resources } = model;
  const offered = separate ? { ...resources, unconditional } : resources;
  return guide(main, condition, buildGuidance(spec, offered), { seeds: asking.seeds ?? seeds });
}

/** An evaluation: at x, sigma, in a step. */
export interface At {
  readonly x: Tensor;
  readonly sigma: number;
  readonly step?: number;
}

/** Predictions of some evaluations in a row, and what they cost. */
export interface Evaluated {
  readonly predictions: readonly Prediction[];
  /** All values, one after the other. */
  readonly values: readonly number[];
  readonly evaluations: EvaluationCount;
}

/** What a spec makes of the model at each of `ats`, in order. */
export async function evaluateAll(spec: string, ats: readonly At[], asking: Asking = {}): Promise<Evaluated> {
  const { evaluate, evaluations } = guidedModel(spec, asking);
  const predictions: Prediction[] = [];
  for (const { x, sigma, step } of ats) predictions.push(await evaluate(x, sigma, step));
  return { predictions, values: predictions.flatMap(({ data }) => Array.from(data)), evaluations };
}
