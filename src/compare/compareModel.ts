import { UsageError } from "../base/errors.ts";
import { type Tensor, concatRows, rows } from "../base/tensor.ts";
import { openDataset } from "../data/openDataset.ts";
import { scheduledSigmas } from "../diffusion/schedules.ts";
import { buildGuidance } from "../guidance/build.ts";
import { formatGuidance, parseGuidance } from "../guidance/spec.ts";
import type { Model } from "../models/model.ts";
import { type SampleOptions, labelsFor, sample } from "../models/sample.ts";
import { mixtureOfData } from "../training/objectives/exactScore.ts";
import type { EvaluationCount } from "../guidance/guide.ts";
import type { CardRow, MatchBy, Matched, MethodResult, ModelComparison } from "./comparison.ts";
import { type Matcher, type Way, openMatcher } from "./matcher.ts";
import { type ImageReference, MANY_SAMPLES, imageReference, measureImages } from "./measureImages.ts";
import { measurePlane, planeTruth } from "./measurePlane.ts";
import { scoreField } from "./scoreField.ts";

export interface CompareOptions {
  /** Ways of guiding. Default: the model's own list. */
  readonly guidance?: readonly string[];
  /** Samples that are shown side by side. Default: 0 to 31. */
  readonly seeds?: readonly number[];
  /** Samples that are measured: seeds 0, 1, 2, ... Default: 8192 in the plane; for images those shown. */
  readonly samples?: number;
  readonly label?: number | string | null;
  readonly sampler?: string;
  readonly steps?: number;
  /** How noise levels are spaced, as for `sample`. Default: the model's. */
  readonly schedule?: string;
  /**
   * What is held equal across methods: "evaluations" takes for each method as many steps as make its cost nearest to the first
   * method's; "effective-weight" scales its strength until it goes as far along CFG's way as the first that guides.
   */
  readonly match?: MatchBy;
  /** The evaluations or the effective weight that all are to have, in place of the first method's. */
  readonly matchTo?: number;
  /** Heard of as samples are made, over all methods: done of total, and what is being done. */
  readonly onProgress?: (done: number, total: number, doing: string) => void;
  readonly signal?: AbortSignal;
}

const PLANE_SAMPLES = 8192;
/** What the figures of the tree show: the view of the autoguidance paper's. */
export const PLANE_VIEW = { centre: [0.3, 0.3], halfSize: 1.2 } as const;
/** Samples in the plane whose ways are drawn. */
const WAYS = 24;
/** Images sampled at once. */
const CHUNK = 64;

/** Every way of guiding one model from the same seeds, measured. A method that the model cannot take is listed with the reason. */
export async function compareModel(model: Model, options: CompareOptions = {}): Promise<ModelComparison> {
  const plane = model.denoiser.shape.length === 1;
  const shown = options.seeds ?? Array.from({ length: 32 }, (_, i) => i);
  const count = options.samples ?? (plane ? PLANE_SAMPLES : shown.length);
  const seeds = options.samples === undefined && !plane ? shown : Array.from({ length: count }, (_, i) => i);
  const specs = (options.guidance ?? model.compare).map((text) => formatGuidance(parseGuidance(text)));
  if (specs.length === 0)
    throw new UsageError(`${model.name} names nothing to compare: give --guidance, such as cfg:2`);
  const sampling = {
    ...model.sampling,
    ...dropUndefined({ sampler: options.sampler, steps: options.steps, schedule: options.schedule }),
  };

  const matcher =
    options.match && (await openMatcher(model, specs, sampling, options.match, { ...options, seeds }));
  const measure = plane ? planeMeasure(model, count) : await imageMeasure(model, count, options);
  const total = specs.length * seeds.length;
  const methods: MethodResult[] = [];
  for (const guidance of specs) {
    const base = methods.length * seeds.length;
    const report = (done: number): void =>
      options.onProgress?.(base + done, total, `${model.name} ${guidance}`);
    methods.push(
      await runMethod(model, guidance, { seeds, shown, plane, options, sampling, matcher, measure, report }),
    );
    report(seeds.length);
  }
  return {
    model: model.name,
    description: model.description,
    kind: plane ? "plane" : "image",
    sampler: sampling.sampler,
    steps: sampling.steps,
    schedule: sampling.schedule,
    sigmas: scheduledSigmas(sampling),
    seeds: shown,
    label: options.label === undefined ? (model.resources.conditional ? "classes" : null) : options.label,
    classes: model.classes,
    extractor: plane ? "coordinates" : model.extractor ? extractorName(model) : null,
    reference: measure.reference,
    ...(matcher && { matching: matcher.matching }),
    methods,
    ...(plane && {
      scores: await scoreField(model, PLANE_VIEW),
      logDensity: (points: Tensor) => mixtureOfData(model.config.data).logDensity(points, 0),
    }),
    card: cardRows(model),
  };
}

type Measure = {
  readonly reference: string | null;
  run(x: Tensor, labels: readonly number[] | null): Promise<Pick<MethodResult, "metrics" | "outliers">>;
};

interface MethodRun {
  readonly seeds: readonly number[];
  readonly shown: readonly number[];
  readonly plane: boolean;
  readonly options: CompareOptions;
  readonly sampling: Model["sampling"];
  readonly matcher: Matcher | undefined;
  readonly measure: Measure;
  readonly report: (done: number) => void;
}

async function runMethod(model: Model, asked: string, run: MethodRun): Promise<MethodResult> {
  const { seeds, shown, plane, options, matcher, measure, report } = run;
  const { label, signal } = options;
  let way: Way = { guidance: asked, sampling: run.sampling };
  try {
    buildGuidance(asked, await model.resourcesFor(asked));
    if (label === null) checkUnconditional(asked);
    if (matcher) way = await matcher.match(asked);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { guidance: asked, skipped: error.message };
  }

  const { guidance, sampling } = way;
  const chunk = plane ? seeds.length : CHUNK;
  const trajectories: Tensor[] = [];
  const parts: Tensor[] = [];
  let evaluations: MethodResult["evaluations"];
  const start = performance.now();
  for (let at = 0; at < seeds.length; at += chunk) {
    const some = seeds.slice(at, at + chunk);
    const steps = sample(model, {
      ...sampling,
      seeds: some,
      guidance,
      label,
      signal,
    } satisfies SampleOptions);
    for (let step = await steps.next(), i = 0; ; step = await steps.next(), i++) {
      if (step.done) {
        parts.push(step.value.x);
        evaluations = step.value.evaluations;
        break;
      }
      if (plane) trajectories.push(rows(step.value.x, 0, Math.min(WAYS, some.length)));
      report(at + (some.length * (i + 1)) / (sampling.steps + 1));
    }
  }
  const seconds = (performance.now() - start) / 1000;
  const x = concatRows(parts);
  const labels = labelsFor(model, { seeds, label });
  if (plane) trajectories.push(rows(x, 0, Math.min(WAYS, seeds.length)));
  const pictured = plane || seeds === shown ? x : await picturesOf(model, guidance, { ...run, sampling });
  const picturedLabels = plane || seeds === shown ? labels : labelsFor(model, { seeds: shown, label });
  return {
    guidance,
    ...(matcher && { matched: matchedBy(matcher, asked, way, evaluations!) }),
    n: seeds.length,
    evaluations,
    seconds,
    ...(await measure.run(x, labels)),
    x: pictured,
    labels: picturedLabels,
    ...(plane && { trajectories }),
  };
}

function matchedBy(
  { matching }: Matcher,
  asked: string,
  { sampling, weight }: Way,
  { networks, gradients }: EvaluationCount,
): Matched {
  const got = matching.by === "evaluations" ? networks + gradients : weight!;
  return { asked, steps: sampling.steps, sigmas: scheduledSigmas(sampling), got };
}

/** Throws UsageError for a method that needs a condition. */
function checkUnconditional(guidance: string): void {
  for (const { method } of parseGuidance(guidance)) {
    if (method === "cfg") throw new UsageError("cfg needs a condition to drop, and --label is none");
    if (method === "classifier" || method === "clean-classifier")
      throw new UsageError(`${method} guidance needs a label, and --label is none`);
  }
}

/** The samples that are shown, where others were measured. */
async function picturesOf(
  model: Model,
  guidance: string,
  { shown, options, sampling }: MethodRun,
): Promise<Tensor> {
  const { label, signal } = options;
  const steps = sample(model, { ...sampling, seeds: shown, guidance, label, signal });
  for (let step = await steps.next(); ; step = await steps.next()) if (step.done) return step.value.x;
}

function planeMeasure(model: Model, count: number): Measure {
  const truth = planeTruth(mixtureOfData(model.config.data), Math.max(2, count));
  return {
    reference: `${count} exact samples`,
    run: (x) => Promise.resolve(measurePlane(x, truth)),
  };
}

async function imageMeasure(model: Model, count: number, { onProgress }: CompareOptions): Promise<Measure> {
  const { extractor } = model;
  if (!extractor) return { reference: null, run: () => Promise.resolve({}) };
  const name = extractorName(model);
  let reference: ImageReference | null = null;
  if (count >= MANY_SAMPLES) {
    const data = await openDataset(model.config.data.name);
    reference = await imageReference(data, extractor, name, (done, total) =>
      onProgress?.(done, total, `features of ${data.name}`),
    );
  }
  return {
    reference: reference?.description ?? null,
    run: async (x, labels) => ({ metrics: await measureImages(x, labels, extractor, name, reference) }),
  };
}

/** What the extractor is called beside every number that it measured. */
function extractorName({ name }: Model): string {
  return `${name} classifier`;
}

function cardRows({ results }: Model): readonly CardRow[] {
  const rows = results?.rows;
  return Array.isArray(rows) ? rows : [];
}

function dropUndefined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
