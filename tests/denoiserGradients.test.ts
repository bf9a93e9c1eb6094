import { existsSync, readFileSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeFloat16 } from "../src/base/float16.ts";
import { philox } from "../src/base/philox.ts";
import { sizeOf } from "../src/base/tensor.ts";
import { constantOf, numbersOf } from "../src/graph/constant.ts";
import { isFloat } from "../src/graph/dataTypes.ts";
import { gradients } from "../src/graph/gradients.ts";
import type { Constant, Graph } from "../src/graph/graph.ts";
import { interpret } from "../src/graph/interpret.ts";
import { readOnnx } from "../src/graph/onnx/readOnnx.ts";
import { cast, mul } from "../src/graph/ops/elementwise.ts";
import { reduceSum } from "../src/graph/ops/reduce.ts";
import { optimise } from "../src/graph/optimise/optimise.ts";
import { builderFor, declareInputs, replay } from "../src/graph/replay.ts";
import { bindShapes, simplify } from "../src/graph/transform.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { RuntimeTensor } from "../src/runtime/runtime.ts";
import { denoisers, pipelineFolder } from "./pipelineCases.ts";

// Whole exported denoisers: their shapes bound, and their gradients.

const runtime = nodeRuntime({ threads: 1 });
const all = denoisers();

type Feeds = Readonly<Record<string, RuntimeTensor>>;

async function run(graph: Graph, feeds: Feeds): Promise<Record<string, Float64Array>> {
  const program = await runtime.compile(graph);
  const got = await program.run(feeds);
  await program.dispose();
  const numbers = ({ data }: RuntimeTensor): Float64Array =>
    Float64Array.from(data instanceof Uint16Array ? decodeFloat16(data) : (data as Float32Array));
  return Object.fromEntries(Object.entries(got).map(([name, tensor]) => [name, numbers(tensor)]));
}

const shapesOf = (feeds: Feeds): Record<string, readonly number[]> =>
  Object.fromEntries(Object.entries(feeds).map(([name, { shape }]) => [name, shape]));

const largest = (numbers: ArrayLike<number>): number =>
  Array.from(numbers).reduce((most, n) => Math.max(most, Math.abs(n)), 0);

/** What exporters compute sizes with. */
const arithmetic = ["Shape", "Size", "Range", "NonZero", "ConstantOfShape", "If", "Loop", "Constant"];

describe.each(all)("$name", ({ graph, half, calls }) => {
  test.each(calls)(
    "bound to the sizes of $id, nothing computes a size and outputs stay",
    async ({ feeds, cases }) => {
      const simple = simplify(bindShapes(graph, shapesOf(feeds)));
      const left = simple.nodes.filter(({ op }) => arithmetic.includes(op));
      // Zeros too many to be kept as a constant go with the sum they stand in.
      expect(left.filter(({ op }) => op !== "ConstantOfShape")).toEqual([]);
      expect(optimise(simple).nodes.filter(({ op }) => arithmetic.includes(op))).toEqual([]);

      const [output] = graph.outputs.map(({ name }) => name);
      const [got, plain] = [(await run(simple, feeds))[output], (await run(graph, feeds))[output]];
      const want = cases.find(({ id }) => id === "base")!.output.data;
      const tolerance = { abs: (half ? 5e-3 : 2e-5) * Math.max(1, largest(want)) };
      expect(got).toBeAllClose(plain, tolerance);
      expect(got).toBeAllClose(want, tolerance);
    },
  );
});

// --- Gradients.

/** Small sizes for a graph's open dimensions. */
const sizes: Readonly<Record<string, number>> = {
  batch_size: 1,
  steps: 1,
  height: 8,
  width: 8,
  h: 2,
  w: 2,
  sequence_length: 5,
};

function small(graph: Graph): Graph {
  const open = new Set(graph.inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === "string")));
  const named = Object.entries(sizes).filter(([name]) =>
    [...open].some((dim) => dim === name || dim === `4*${name}`),
  );
  return bindShapes(graph, Object.fromEntries(named));
}

/** The graph with "objective", the sum of its first output times given weights, and the gradient for every float input. */
function withGradients(graph: Graph): Graph {
  const builder = builderFor(graph);
  const inputs = declareInputs(graph, builder);
  const [y] = Object.values(replay(graph, builder, inputs));
  const weights = cast(builder.literal(drawn(sizeOf(y.shape), 1), "float32", y.shape), y.dtype);
  const objective = reduceSum(
    mul(y, weights),
    y.shape.map((_, i) => i),
  );
  const wrt = Object.values(inputs).filter(({ dtype, name }) => isFloat(dtype) && name !== "timestep");
  const slopes = gradients(objective, wrt);
  return builder.build(
    { objective, ...Object.fromEntries(wrt.map(({ name }, i) => [`gradient/${name}`, slopes[i]])) },
    { keepInputs: true },
  );
}

function drawn(count: number, seed: number): number[] {
  const stream = philox(seed, count);
  return Array.from({ length: count }, () => 2 * stream.uniform() - 1);
}

/** Inputs of the graph: float ones random, a time of 481 and a class of 3. */
function feedsOf({ inputs }: Graph): Record<string, Constant> {
  return Object.fromEntries(
    inputs.map(({ name, dtype, shape }, i) => {
      const whole = name === "timestep" ? 481 : 3;
      const count = sizeOf(shape as number[]);
      const numbers =
        isFloat(dtype) && name !== "timestep" ? drawn(count, 10 + i) : new Array<number>(count).fill(whole);
      return [name, constantOf(dtype, shape as number[], numbers)];
    }),
  );
}

const full = all.filter(({ half }) => !half);

test.each(full)(
  "$name: the gradient on ONNX Runtime is the slope of the float64 reference",
  async ({ graph }) => {
    const bound = simplify(small(graph));
    const graphWith = withGradients(bound);
    const feeds = feedsOf(bound);
    const got = await run(graphWith, feeds);

    const objective = { ...graphWith, ...simplify({ ...graphWith, outputs: graphWith.outputs.slice(0, 1) }) };
    const at = (name: string, direction: readonly number[], step: number): number => {
      const moved = Array.from(numbersOf(feeds[name]), (x, i) => x + step * direction[i]);
      const inputs = Object.fromEntries(
        Object.entries(feeds).map(([key, { data, shape }]) => [
          key,
          { shape, data: key === name ? moved : data },
        ]),
      );
      return interpret(objective, inputs).objective.data[0] as number;
    };
    for (const { name } of graphWith.outputs.slice(1)) {
      const input = name.slice("gradient/".length);
      const direction = drawn(got[name].length, 77);
      const h = 1e-5;
      const slope = (at(input, direction, h) - at(input, direction, -h)) / (2 * h);
      const along = got[name].reduce((sum, g, i) => sum + g * direction[i], 0);
      const size = Math.sqrt(got[name].reduce((sum, g) => sum + g * g, 0));
      expect(along).toBeAllClose(slope, { abs: 1e-5 * size }); // measured 3e-6 at most
    }
  },
);

const halves = all.filter(({ half }) => half);

test.runIf(halves.length > 0)(
  "a denoiser of float16 has the gradients of its namesake of float32",
  async () => {
    const [half] = halves;
    const whole = full.find(({ name }) => name === half.name.replace("_fp16", ""))!;
    const slopesOf = (graph: Graph): Promise<Record<string, Float64Array>> => {
      const withSlopes = withGradients(small(graph));
      return run(withSlopes, feedsOf(withSlopes));
    };
    const [got, want] = [await slopesOf(half.graph), await slopesOf(whole.graph)];
    for (const name of ["gradient/sample", "gradient/encoder_hidden_states"]) {
      expect(got[name]).toBeAllClose(want[name], { abs: 2e-2 * largest(want[name]) }); // measured 9e-3
    }
  },
);

// --- What stands around denoisers.

const beside = ["text_encoder", "text_encoder_2", "vae_encoder", "vae_decoder"].flatMap((part) =>
  readdirSync(pipelineFolder)
    .map((pipeline) => `${pipeline}/${part}/model.onnx`)
    .filter((file) => existsSync(pipelineFolder + file)),
);

test.runIf(beside.length > 0).each(beside)(
  "%s, bound to sizes, computes no size and gives the same outputs",
  async (file) => {
    const graph = readOnnx(readFileSync(pipelineFolder + file));
    const bound = bindShapes(graph, around(graph));
    const simple = simplify(bound);
    expect(simple.nodes.filter(({ op }) => arithmetic.includes(op))).toEqual([]);
    const feeds = feedsOf(bound) as Feeds;
    const [got, want] = [await run(simple, feeds), await run(graph, feeds)];
    for (const [name, numbers] of Object.entries(want)) {
      expect(got[name]).toBeAllClose(numbers, { abs: 2e-5 * Math.max(1, largest(numbers)) });
    }
  },
);

/** Sizes for all open dimensions of a network beside a denoiser: two rows, 77 tokens, images of 8 x 16. */
function around({ inputs }: Graph): Record<string, number> {
  const open = inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === "string"));
  const size = (dim: string): number => {
    if (dim.includes("batch")) return 2;
    if (dim.includes("sequence")) return 77;
    return dim.startsWith("w") || dim.includes("width") ? 16 : 8;
  };
  return Object.fromEntries(open.map((dim) => [dim, size(dim)]));
}
