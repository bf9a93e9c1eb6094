import { UsageError } from "../../base/errors.ts";
import type { Push } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, pushMethod, scaleOption } from "../method.ts";
import type { GuidanceResources, Score } from "../resources.ts";
import { scaleOf } from "../schedules.ts";
import { choice, name, path } from "../values.ts";
import type { Weight } from "../weight.ts";
import { factorOf, gradientsThrough, throughDenoiser, throughOption } from "./throughDenoiser.ts";
import type { Through } from "./throughDenoiser.ts";

export interface ScoreGuidanceOptions {
  /** 0 is off; 1 tilts the samples' density by exp(score). */
  readonly scale: Weight;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  readonly score: Score;
  /** How the gradient comes to x. Default "denoiser". */
  readonly through?: Through;
}

/**
 * Guidance by any differentiable score of clean samples, which looks at the prediction of x0:
 *
 *   D = D(x) + scale*sigma^2 * J' grad score(x0) at x0 = D(x),   J = dD/dx
 *
 * The samples' density is tilted by exp(scale*score), exactly so where the score is linear. What is pushed is the conditional
 * prediction, where there is a condition: a score comes on top of it.
 * Cost: 1 gradient of the score, and 1 through the network (see `Through`).
 * Source: Bansal et al. 2023 (arXiv:2302.07121), forward universal guidance with the loss -score.
 */
export function scoreGuidance<C>(options: ScoreGuidanceOptions): Push<C> {
  const { scale, interval = everywhere, score, through = "denoiser" } = options;
  return {
    method: "score",
    scale,
    interval,
    conditions: false,
    gradients: gradientsThrough(through),
    gradient: (at) => throughDenoiser(at, through, (x0) => score.gradient(x0)),
  };
}

export const scoreMethod = pushMethod({
  name: "score",
  role: "push",
  summary: "Score guidance moves along the gradient of any ONNX model that scores images.",
  formula:
    "D = D(x) + scale*sigma^2 * J' grad score(D(x)), J = dD/dx; with a target: score = cos(model(D), target)",
  formulaWith: ({ through, target }) =>
    `D = D(x) + scale*sigma^2 * ${factorOf(through)} grad ${target === undefined ? "score(D(x))" : "cos(model(D(x)), target)"}`,
  needs:
    "an ONNX model from an image to one number, or to an embedding (with a target); and (through=denoiser) a network that can be differentiated",
  cost: "1 gradient of the model and 1 through the network, about 3 evaluations; through=gaussian: the model's alone",
  adds: { networks: 0, gradients: 2 },
  when: "For what no label says: an aesthetic score, a likeness to a text or an image by CLIP's embeddings. Cosines are small: scales of tens to thousands.",
  published:
    "2 to 5 by CLIP on ImageNet 256, 6 for style, 400 for segmentation maps, with 2 to 10 turns a step (universal guidance)",
  source: "Bansal et al. 2023, arXiv:2302.07121",
  space: "any",
  strength: "scale",
  off: 0,
  example: { spec: "score:15,model=docs/guidance/brightness.onnx", model: "fashion-mnist" },
  options: {
    scale: scaleOption("0 is off, 1 tilts the density by exp(score)", 1),
    interval: intervalOption,
    model: {
      meaning:
        "the ONNX file of the score (in the library: its name in resources.scores; absent: the first there)",
      unit: "path",
      values: path,
    },
    target: {
      meaning:
        "what the model's output is to be like, by its cosine: a picture (PNG, JPEG), or an embedding (JSON list, safetensors with one array); without it the output is the score",
      unit: "path",
      values: path,
    },
    output: {
      meaning: "which output of the model, where it has several",
      unit: "name",
      values: name,
    },
    input: {
      meaning:
        "pixels as the model expects them: signed ([-1, 1]), unit ([0, 1]), or imagenet or clip (of those less mean over deviation)",
      unit: "one of signed, unit, imagenet, clip",
      default: "signed" as const,
      values: choice("signed", "unit", "imagenet", "clip"),
    },
    through: throughOption,
  },
  make: (options, resources) => {
    const { scale, interval, through } = options;
    return scoreGuidance({
      scale: scaleOf(scale),
      interval,
      through,
      score: scoreOf(options, resources),
    });
  },
});

/** What a score is called in `resources.scores`: its model, and what else tells it from other scores by the same model. */
export function scoreName(options: Readonly<Record<string, unknown>>): string {
  const further = ["target", "output", "input"].flatMap((key) => {
    const value = options[key] as string | undefined;
    return value === undefined || (key === "input" && value === "signed") ? [] : [`${key}=${value}`];
  });
  return [options.model as string, ...further].join(",");
}

function scoreOf<C>(
  options: Readonly<Record<string, unknown>>,
  { scores = {} }: GuidanceResources<C>,
): Score {
  const names = Object.keys(scores);
  const wanted = options.model === undefined ? names[0] : scoreName(options);
  if (wanted === undefined)
    throw new UsageError("score guidance needs a model: write score:10,model=FILE with an ONNX file");
  if (Object.hasOwn(scores, wanted)) return scores[wanted];
  const known = names.join(", ") || "none";
  throw new UsageError(`there is no score "${wanted}" here: give it in resources.scores, which has ${known}`);
}
