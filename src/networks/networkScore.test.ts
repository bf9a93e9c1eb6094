import { afterAll, describe, expect, test } from "vitest";
import { seededNoise } from "../base/philox.ts";
import { axpby, rows, tensor } from "../base/tensor.ts";
import type { Tensor } from "../base/tensor.ts";
import { constantOf } from "../graph/constant.ts";
import { trace } from "../graph/builder.ts";
import type { Graph } from "../graph/graph.ts";
import { add, div, erf, mul, square } from "../graph/ops/elementwise.ts";
import { conv2d } from "../graph/ops/conv.ts";
import { matmul } from "../graph/ops/linear.ts";
import { reduceSum } from "../graph/ops/reduce.ts";
import { globalAverage } from "../graph/ops/resample.ts";
import type { Value } from "../graph/value.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { rowDots } from "../testing/rowDots.ts";
import { networkEmbedding, networkScore } from "./networkScore.ts";

const runtime = nodeRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** The graph with its batch left open, as exporters write it. */
const open = (graph: Graph): Graph => ({
  ...graph,
  inputs: graph.inputs.map((one) => ({ ...one, shape: ["batch", ...one.shape.slice(1)] })),
});

const constant = (x: Value, shape: readonly number[], numbers: readonly number[]): Value =>
  x.builder.constant(constantOf("float32", shape, numbers));

/** x * (1 + erf(x / sqrt 2)) / 2 */
const gelu = (x: Value): Value => mul(mul(x, add(erf(div(x, Math.SQRT2)), 1)), 0.5);

// An image encoder as CLIP's are: normalised pixels of 3 channels, a convolution, GELU, a mean, a linear layer. Its weights, and what
// PyTorch 2.13 makes of two grey images of 4 x 4: interpolate(size 6, bilinear, antialias), cosine_similarity, autograd.
const W = [
  -0.75, -0.375, -0.3125, -0.8125, -0.0625, -0.3125, -0.5, -0.8125, -0.375, 0.125, -0.375, -0.125, -0.125,
  0.8125, 0.125, 0.25, -0.375, -0.5625, 0.375, 0.125, 0.4375, 0.125, -0.3125, 0.375, 0.5625, -0.0625, -1.125,
  -0.75, 0, -0.3125, -0.375, -0.0625, 0.9375, -0.0625, 0.0625, -0.375, 0.125, 0, 0.0625, -0.25, -0.0625,
  0.125, -0.0625, 0, 1.1875, -0.5, 0.8125, -0.3125, -0.4375, 0.25, 0.0625, -0.1875, 0.375, 0.25, 0.5625, 1,
  0.0625, 0.5, -0.0625, -0.3125, 0.75, -0.4375, -1.6875, -0.375, 0, -0.5, -0.3125, -0.5, -0.125, 0, 0.8125, 0,
  -0.375, -0.0625, -0.5, -0.4375, -0.25, -0.25, 0.1875, -0.5, -0.25, 0.0625, -0.3125, 0.375, -0.6875, -0.25,
  0.0625, -0.0625, 0.125, -0.25, -0.5, 0.375, 0.625, 0.25, 0.5, 0.625, 0.4375, -0.25, 0.625, 0.4375, -0.75,
  -0.625, 0.5625, 0.8125, 1.25, -0.125, 0, 0.9375,
];
const B = [0.25, 0.25, -0.1875, 0.5625];
const L = [-1.125, 0.375, -0.75, -0.125, 0.625, 1.125, 0.125, 1.25, -1.375, 0.5, -0.75, -0.125];
const TARGET = [1, -2, 0.5];
const EMBEDDING = [0.6183282, -1.1005017, -0.2102171, 0.0254031, 0.3552169, -0.2925463];
const COSINE = [0.9256753, -0.787218];
const GRADIENT = [
  0.1250919, 0.0664031, 0.0253435, 0.123997, 0.0830445, 0.0694311, 0.0656242, 0.0381784, 0.1531735, 0.138234,
  0.1554736, 0.0872868, 0.2593645, 0.2634724, 0.256164, 0.3831668, 0.2045105, 0.674783, 0.4618703, 0.0988127,
  0.4333594, 0.5668491, 0.7896071, 0.4640413, 0.0947451, 0.4601246, 0.8223745, 0.2392576, 0.4305514, 0.283607,
  0.2897592, 0.9923483,
];

const encoder = open(
  trace({ pixel_values: { shape: [1, 3, 6, 6] } }, ({ pixel_values: x }) => {
    const features = gelu(
      conv2d(x, constant(x, [4, 3, 3, 3], W), { stride: 2, padding: 1, bias: constant(x, [4], B) }),
    );
    return { image_embeds: matmul(globalAverage(features), constant(x, [4, 3], L)), features };
  }),
);
const images = tensor(
  Float32Array.from({ length: 32 }, (_, i) =>
    i < 16 ? ((i * 37) % 19) / 9.5 - 1 : (((i - 16) * 23) % 17) / 8.5 - 1,
  ),
  [2, 1, 4, 4],
);
const clip = { shape: [1, 4, 4], input: "clip", output: "image_embeds" } as const;

describe("likeness to a target embedding", () => {
  const score = networkScore(runtime, encoder, { ...clip, target: TARGET });

  test("is PyTorch's cosine of embeddings, with its gradient through resizing and normalisation", async () => {
    expect(await score.values(images)).toBeAllClose(COSINE, { abs: 1e-6 });
    expect(await score.gradient(images)).toBeAllClose(GRADIENT, { abs: 2e-6 });
    expect(await networkEmbedding(runtime, encoder, images, clip)).toBeAllClose(EMBEDDING, { abs: 1e-6 });
  });

  test("to its own embedding is 1, where it has no slope; the target's length does not matter", async () => {
    const one = rows(images, 0, 1);
    const { data } = await networkEmbedding(runtime, encoder, one, clip);
    const own = networkScore(runtime, encoder, { ...clip, target: data.map((value) => 30 * value) });
    expect(await own.values(one)).toBeAllClose([1], { abs: 1e-6 });
    expect(await own.gradient(one)).toBeAllClose(new Array(16).fill(0), { abs: 2e-6 });
  });
});

describe("a score", () => {
  // score(x) = sum of x^2, of grey images or of points.
  const energy = (shape: readonly number[]): Graph =>
    trace({ x: { shape } }, ({ x }) => ({
      score: reduceSum(
        square(x),
        shape.slice(1).map((_, i) => i + 1),
      ),
    }));
  const x = seededNoise([1, 2, 3, 4, 5, 6], 0, [6, 1, 4, 4]);

  test("is the model's own number a row, its gradient the model's own, in any number of pieces", async () => {
    for (const maxRows of [1, 4, 100]) {
      const score = networkScore(runtime, open(energy([1, 1, 4, 4])), { shape: [1, 4, 4], maxRows });
      expect(await score.values(x)).toBeAllClose(rowDots(x, x), { rel: 1e-6 });
      expect(await score.gradient(x)).toBeAllClose(
        x.data.map((value) => 2 * value),
        { rel: 1e-6 },
      );
      await score.dispose();
    }
  });

  test("of a model for one sample at once is run sample by sample; of points too", async () => {
    const single = networkScore(runtime, energy([1, 1, 4, 4]), { shape: [1, 4, 4] });
    expect(await single.values(x)).toBeAllClose(rowDots(x, x), { rel: 1e-6 });
    const points = seededNoise([1, 2, 3], 0, [3, 2], "float64");
    const plane = networkScore(runtime, open(energy([1, 2])), { shape: [2] });
    const gradient = await plane.gradient(points);
    expect(gradient.data).toBeInstanceOf(Float64Array);
    expect(gradient).toBeAllClose(
      points.data.map((value) => 2 * value),
      { rel: 1e-6 },
    );
  });

  test("input=unit shows the model [0, 1]: 4 sum ((x + 1)/2)^2 has the slope 2 (x + 1)/2", async () => {
    const score = networkScore(runtime, energy([1, 1, 4, 4]), { shape: [1, 4, 4], input: "unit" });
    expect(await score.gradient(x)).toBeAllClose(
      x.data.map((value) => (value + 1) / 2),
      { abs: 1e-6 },
    );
  });

  test("of a smaller model sees the image made smaller, antialiased as PyTorch's", async () => {
    const small = networkScore(runtime, energy([1, 1, 2, 2]), { shape: [1, 4, 4] });
    expect(await small.values(images)).toBeAllClose([0.3188838, 0.1006328], { abs: 1e-6 });
    expect(await small.gradient(images)).toBeAllClose(
      // prettier-ignore
      [0.094303, 0.150464, 0.199917, 0.168482, 0.089699, 0.137574, 0.173524, 0.143624, 0.017624, 0.011486, -0.012539, -0.018413, -0.01381, -0.038668, -0.079178, -0.074574, -0.071, -0.093784, -0.09202, -0.068354, -0.071147, -0.087023, -0.071343, -0.047627, -0.024108, -0.010976, 0.031359, 0.039395, -0.000441, 0.020286, 0.062033, 0.06218],
      { abs: 2e-6 },
    );
  });

  test("its gradient is its slope, by central differences", async () => {
    const score = networkScore(runtime, encoder, { ...clip, target: TARGET });
    const at = seededNoise([1, 2, 3], 0, [3, 1, 4, 4]);
    const along = seededNoise([1, 2, 3], 1, [3, 1, 4, 4]);
    const ask = async (h: number): Promise<Tensor> => score.values(axpby(1, at, h, along));
    const [up, down] = [await ask(1e-2), await ask(-1e-2)];
    const slopes = Array.from(up.data, (value, row) => (value - down.data[row]) / 2e-2);
    expect(rowDots(await score.gradient(at), along)).toBeAllClose(slopes, { abs: 1e-3 });
  });
});

describe("a model that cannot score samples is refused in one sentence that says what to type", () => {
  const shape = [1, 4, 4];
  const make = (graph: Graph, more: object = {}) =>
    networkScore(runtime, { ...graph, name: "m.onnx" }, { shape, ...more });

  test("no image among its inputs, or more than an image", () => {
    const ids = trace({ ids: { dtype: "int64", shape: [1, 7] } }, ({ ids }) => ({ y: ids }));
    expect(() => make(ids)).toThrow(
      /m\.onnx cannot score samples of shape \[1, 4, 4\].*has ids int64 \[1, 7\]/,
    );
    const two = trace({ x: { shape: [1, 1, 4, 4] }, t: { shape: [1] } }, ({ x, t }) => ({ y: mul(x, t) }));
    expect(() => make(two)).toThrow(/wants one input.*x float32 \[1, 1, 4, 4\], t float32 \[1\]; export/);
  });

  test("several outputs, and an unknown one", () => {
    expect(() => make(encoder)).toThrow(
      "m.onnx has several outputs: write output=NAME with one of image_embeds, features",
    );
    expect(() => make(encoder, { output: "score" })).toThrow(/no output "score".*image_embeds, features/);
  });

  test("not one number a sample, or another number than the target's", () => {
    expect(() => make(encoder, { output: "image_embeds" })).toThrow(/gives 3 numbers a sample.*target=FILE/);
    expect(() => make(encoder, { output: "image_embeds", target: [1, 2] })).toThrow(
      /target has 2 numbers and m\.onnx gives 3/,
    );
    expect(() => make(encoder, { output: "image_embeds", target: [0, 0, 0] })).toThrow(/has no direction/);
    const flat = trace({ x: { shape: [1, 1, 4, 4] } }, ({ x }) => ({ y: reduceSum(x, [0, 1, 2, 3]) }));
    expect(() => make(flat)).toThrow(
      /output "y" of m\.onnx is float32 \[\] for 1 samples: a score wants floats for each/,
    );
  });

  test("an operator without a gradient", () => {
    const graph: Graph = {
      ...trace({ x: { shape: [1, 1, 4, 4] } }, ({ x }) => ({ y: reduceSum(x, [1, 2, 3]) })),
      nodes: [{ op: "Mystery", domain: "", name: "what", inputs: ["x"], outputs: ["y"], attributes: {} }],
    };
    expect(() => make(graph)).toThrow(/m\.onnx cannot guide:.*"?Mystery/);
  });

  test("channels, points and batches that do not fit, and statistics of colours for grey", async () => {
    const rgb = trace({ x: { shape: [1, 3, 4, 4] } }, ({ x }) => ({ y: reduceSum(x, [1, 2, 3]) }));
    expect(() => make(rgb, { shape: [4, 4, 4] })).toThrow(/takes 3 channels, and samples have 4/);
    const grey = trace({ x: { shape: [1, 1, 4, 4] } }, ({ x }) => ({ y: reduceSum(x, [1, 2, 3]) }));
    expect(() => make(grey, { input: "clip" })).toThrow(/input=clip is for images of 3 channels/);
    const eight = trace({ x: { shape: [8, 1, 4, 4] } }, ({ x }) => ({ y: reduceSum(x, [1, 2, 3]) }));
    expect(() => make(eight)).toThrow(/takes 8 samples at once: export it with an open batch, or for 1/);
    await expect(make(grey).gradient(tensor([1, 2], [1, 2]))).rejects.toThrow(
      /scores samples of shape \[1, 4, 4\], got \[1, 2\]/,
    );
  });
});
