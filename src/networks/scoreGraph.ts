import { UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import { int, string } from "../graph/attributes.ts";
import { isFloat } from "../graph/dataTypes.ts";
import { expandFused } from "../graph/decompose.ts";
import { gradients } from "../graph/gradients.ts";
import type { Graph, NamedType } from "../graph/graph.ts";
import { add, cast, div, mul, sqrt, sub } from "../graph/ops/elementwise.ts";
import { reduceSum, reduceSumSquare } from "../graph/ops/reduce.ts";
import { expand, reshape } from "../graph/ops/reshape.ts";
import { builderFor, replay } from "../graph/replay.ts";
import { bindShapes } from "../graph/transform.ts";
import type { Value } from "../graph/value.ts";

/**
 * What a model expects of its pixels, given ours in [-1, 1]: "signed" takes them as they are, "unit" in [0, 1], "imagenet" and
 * "clip" in [0, 1] less the mean over the standard deviation of each of three channels, as torchvision's and OpenAI's models do.
 */
export type ScoreInput = "signed" | "unit" | "imagenet" | "clip";

export interface ScoreGraphOptions {
  /** What errors call the model. */
  readonly name: string;
  /** Of one sample: [channels, height, width], or the dimensions of a point. */
  readonly shape: readonly number[];
  /** Default "signed". */
  readonly input?: ScoreInput;
  /** Which of the model's outputs. Default: the only one. */
  readonly output?: string;
  /** An embedding to come near to. Absent: the output is the score. */
  readonly target?: ArrayLike<number>;
}

const statistics = {
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  clip: { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
} as const;

/**
 * From samples x to what a model says of them, for a number of rows: a graph of input "x" [rows, ...shape] whose outputs are
 * "values" [rows] and its "gradient" with respect to x.
 *
 *   value = output                                    without a target: one number a row
 *   value = <output, target> / (|output| |target|)    with one: the cosine of two embeddings
 *
 * Grey images are given to models of three channels as three equal ones, and images of another size than the model's are resized
 * (bilinear, antialiased). Throws a UsageError for a model without one float input of that rank, with other inputs, without a
 * number a row, or with an operator that has no gradient.
 */
export function scoreGraph(graph: Graph, rows: number, options: ScoreGraphOptions): Graph {
  const { name, target } = options;
  const { builder, x, output } = traced(graph, rows, options);
  const flat = reshape(cast(output, "float32"), [rows, -1]);
  if (target === undefined && flat.shape[1] !== 1) {
    throw new UsageError(
      `${name} gives ${flat.shape[1]} numbers a sample, and a score is one: give target=FILE to compare them with an embedding, or another output=NAME`,
    );
  }
  if (target && flat.shape[1] !== target.length) {
    throw new UsageError(
      `the target has ${target.length} numbers and ${name} gives ${flat.shape[1]} a sample: make the target with the same model`,
    );
  }
  const values = target ? cosine(flat, target) : reshape(flat, [rows]);
  const [gradient] = differentiable(name, () => gradients(reduceSum(values, [0]), [x]));
  return builder.build({ values, gradient }, { name: "score", keepInputs: true });
}

/** The graph from samples to a model's output, flat: "embedding" [rows, width]. */
export function embeddingGraph(graph: Graph, rows: number, options: ScoreGraphOptions): Graph {
  const { builder, output } = traced(graph, rows, options);
  const embedding = reshape(cast(output, "float32"), [rows, -1]);
  return builder.build({ embedding }, { name: "embedding", keepInputs: true });
}

/** How many rows the model takes at once; null: any number. */
export function rowsTaken(graph: Graph, { name, shape }: ScoreGraphOptions): number | null {
  const [rows] = imageInput(graph, name, shape).shape;
  return typeof rows === "number" ? rows : null;
}

function traced(graph: Graph, rows: number, { name, shape, input = "signed", output }: ScoreGraphOptions) {
  const image = imageInput(graph, name, shape);
  const chosen = chosenOutput(graph, name, output);
  const own = [rows, ...shape];
  const wanted = image.shape.map((dim, i) => (typeof dim === "number" ? dim : own[i]));

  const builder = builderFor(graph);
  const x = builder.input("x", "float32", own);
  const pixels = normalised(resized(withChannels(x, wanted[1], name), wanted, name), input, name);
  const bound = bindShapes(graph, { [image.name]: wanted });
  const outputs = differentiable(name, () =>
    replay(bound, builder, { [image.name]: cast(pixels, image.dtype) }, expandFused),
  );
  const value = outputs[chosen];
  if (!isFloat(value.dtype) || value.shape[0] !== rows || sizeOf(value.shape) % rows !== 0) {
    throw new UsageError(
      `the output "${chosen}" of ${name} is ${value.dtype} [${value.shape.join(", ")}] for ${rows} samples: a score wants floats for each of them`,
    );
  }
  return { builder, x, output: value };
}

/** What the model takes: one float tensor of the samples' rank. */
function imageInput({ inputs }: Graph, name: string, shape: readonly number[]): NamedType {
  const rank = shape.length + 1;
  const found = inputs.find((one) => !one.other && isFloat(one.dtype) && one.shape.length === rank);
  if (found && inputs.length === 1) return found;
  const has = inputs.map((one) => `${one.name} ${one.dtype} [${one.shape.join(", ")}]`).join(", ") || "none";
  throw new UsageError(
    `${name} cannot score samples of shape [${shape.join(", ")}]: it wants one input, of floats and rank ${rank}, and has ${has}; export the part that looks at images alone`,
  );
}

function chosenOutput({ outputs }: Graph, name: string, wanted: string | undefined): string {
  const names = outputs.map((one) => one.name);
  if (wanted !== undefined ? names.includes(wanted) : names.length === 1) return wanted ?? names[0];
  const known = names.join(", ");
  throw new UsageError(
    wanted === undefined
      ? `${name} has several outputs: write output=NAME with one of ${known}`
      : `${name} has no output "${wanted}": write output=NAME with one of ${known}`,
  );
}

function withChannels(x: Value, channels: number, name: string): Value {
  const [rows, own, ...rest] = x.shape;
  if (own === channels) return x;
  if (own === 1 && x.shape.length === 4) return expand(x, [rows, channels, ...rest]);
  throw new UsageError(`${name} takes ${channels} channels, and samples have ${own}: take another model`);
}

function resized(x: Value, wanted: readonly number[], name: string): Value {
  if (x.shape.every((size, i) => size === wanted[i])) return x;
  if (x.shape.length !== 4 || x.shape[0] !== wanted[0]) {
    throw new UsageError(
      `${name} takes [${wanted.join(", ")}], and samples are [${x.shape.join(", ")}]: take another model`,
    );
  }
  const sizes = x.builder.literal(wanted, "int64");
  const attributes = { mode: string("linear"), coordinate_transformation_mode: string("half_pixel") };
  return x.builder.apply("Resize", [x, null, null, sizes], {
    attributes: { ...attributes, antialias: int(1), exclude_outside: int(1) },
  })[0];
}

function normalised(x: Value, input: ScoreInput, name: string): Value {
  if (input === "signed") return x;
  const unit = mul(add(x, 1), 0.5);
  if (input === "unit") return unit;
  if (x.shape.length !== 4 || x.shape[1] !== 3) {
    throw new UsageError(
      `input=${input} is for images of 3 channels, and ${name} takes [${x.shape.join(", ")}]`,
    );
  }
  const { mean, std } = statistics[input];
  const perChannel = (numbers: readonly number[]): Value =>
    x.builder.literal(numbers, "float32", [1, 3, 1, 1]);
  return div(sub(unit, perChannel(mean)), perChannel(std));
}

/** <e, t> / (|e| |t|) of each row. */
function cosine(e: Value, target: ArrayLike<number>): Value {
  const length = Math.hypot(...Array.from(target));
  if (!(length > 0)) throw new UsageError("the target embedding is 0 (or no number), which has no direction");
  const t = e.builder.literal(
    Array.from(target, (value) => value / length),
    "float32",
    [1, target.length],
  );
  return div(reduceSum(mul(e, t), [1]), sqrt(reduceSumSquare(e, [1])));
}

/** What `trace` makes; what it refuses, for a model that is to guide. */
function differentiable<T>(name: string, trace: () => T): T {
  try {
    return trace();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${name} cannot guide: ${error.message}`, { cause: error });
  }
}
