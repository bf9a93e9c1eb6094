import { describe, expect, test } from "vitest";
import { noisyEmbedding } from "../../diffusion/embeddingNoise.ts";
import { networkGraph } from "../../networks/networkGraph.ts";
import { tinyConfig, tinyParameters } from "../../testing/tinyModel.ts";
import { attentionLayers } from "../attention.ts";
import { trace } from "../builder.ts";
import type { Builder } from "../builder.ts";
import { type InterpreterInput, interpret } from "../interpret.ts";
import { add, mul } from "../ops/elementwise.ts";
import { gather } from "../ops/indexing.ts";
import { matmul } from "../ops/linear.ts";
import { reshape } from "../ops/reshape.ts";
import type { Value } from "../value.ts";
import { embeddingInputs, embeddingOf, withEmbeddingNoise } from "./embedding.ts";

const rows = 3;
const table = [1, 2, 4, -1, 0.5, 3];

type Network = (inputs: { x: Value; noise: Value; labels: Value }, builder: Builder) => Value;

/** A network of two features with the inputs that networks have here. */
const graphOf = (network: Network) =>
  trace(
    {
      x: { dtype: "float32", shape: [rows, 2] },
      noise: { dtype: "float32", shape: [rows] },
      labels: { dtype: "int64", shape: [rows] },
    },
    (inputs, builder) => ({ y: network(inputs, builder) }),
  );

const classesOf = (labels: Value): Value => gather(labels.builder.literal(table, "float32", [3, 2]), labels);
const levelOf = (noise: Value): Value =>
  matmul(reshape(noise, [rows, 1]), noise.builder.literal([2, -1], "float32", [1, 2]));

/** x times the sum of the class's embedding and the noise level's. */
const plain = graphOf(({ x, noise, labels }) => mul(x, add(classesOf(labels), levelOf(noise))));

const feeds: Record<string, InterpreterInput> = {
  x: { data: [1, 1, 2, 2, -1, 3], shape: [rows, 2] },
  noise: { data: [0.1, 1, 4], shape: [rows] },
  labels: { data: [2, 0, 1], shape: [rows] },
};
const unchanged = (input: string): Record<string, InterpreterInput> => ({
  [embeddingInputs(input).keep]: { data: [1, 1, 1], shape: [rows, 1] },
  [embeddingInputs(input).noise]: { data: new Float32Array(2 * rows), shape: [rows, 2] },
  [embeddingInputs(input).rescale]: { data: [0, 0, 0], shape: [rows, 1] },
});

describe("the embedding of an input", () => {
  test("is the last value made of it alone through which all its effect passes", () => {
    expect(embeddingOf(plain, "labels")?.value).toContain("Gather");
    expect(embeddingOf(plain, "noise")?.value).toContain("MatMul");
    expect(embeddingOf(plain, "labels")).toMatchObject({ input: "labels", width: 2 });
  });

  test("is none where the input has an effect beside it, or only the input itself is in the way", () => {
    const beside = graphOf(({ x, noise }) => mul(add(x, levelOf(noise)), reshape(noise, [rows, 1])));
    expect(embeddingOf(beside, "noise")).toBeUndefined();
    const two = graphOf(({ x, noise, labels }, builder) => {
      const other = matmul(reshape(noise, [rows, 1]), builder.literal([3, 1], "float32", [1, 2]));
      return mul(add(mul(x, levelOf(noise)), other), classesOf(labels));
    });
    expect(embeddingOf(two, "noise")).toBeUndefined();
    const direct = graphOf(({ x, noise }) => mul(x, reshape(noise, [rows, 1])));
    expect(embeddingOf(direct, "noise")).toBeUndefined();
    expect(embeddingOf(direct, "labels")).toBeUndefined();
  });

  test("goes on where branches of it meet again before anything else comes in", () => {
    const twice = graphOf(({ x, noise }) => {
      const level = levelOf(noise);
      return mul(x, add(mul(level, level), level));
    });
    expect(embeddingOf(twice, "noise")?.value).toContain("Add");
  });

  test.each([
    ["a class-conditional UNet", {}, "embed/Gather:0", "embed/noise/Add:0"],
    ["one that adds its embedding", { modulate: false }, "embed/Gather:0", "embed/noise/Add:0"],
    ["an unconditional one", { classes: 0 }, undefined, /^embed\/.*:0$/],
  ])("is found in %s", (_, change, labels, noise) => {
    const config = tinyConfig(change);
    const graph = networkGraph(config.network, tinyParameters(config), 2);
    expect(embeddingOf(graph, "labels")?.value).toBe(labels);
    expect(embeddingOf(graph, "noise")?.value).toMatch(noise);
  });
});

describe("noise on embeddings", () => {
  const noisy = withEmbeddingNoise(plain, ["labels", "noise"]);

  test("of keep 1, noise 0 and rescale 0 leaves every bit", () => {
    const got = interpret(noisy, { ...feeds, ...unchanged("labels"), ...unchanged("noise") });
    expect(got.y.data).toEqual(interpret(plain, feeds).y.data);
  });

  test("is keep*e + noise, brought back by rescale, as on the host; other rows are as they were", () => {
    const how = { keep: 0.4, amount: 1.5, rescale: 0.7, seeds: [1, 2, 3], stream: 5 };
    const labels = feeds.labels.data as number[];
    const wanted = labels.map((label, row) => {
      const e = table.slice(2 * label, 2 * label + 2);
      return row === 1 ? e : noisyEmbedding(e, how, row);
    });
    const noise = labels.flatMap((_, row) => {
      const n = noisyEmbedding([0, 0], { ...how, keep: 0, rescale: 0 }, row);
      return row === 1 ? [0, 0] : Array.from(n);
    });
    const { keep, noise: into, rescale } = embeddingInputs("labels");
    const got = interpret(noisy, {
      ...feeds,
      ...unchanged("noise"),
      [keep]: { data: [0.4, 1, 0.4], shape: [rows, 1] },
      [into]: { data: noise, shape: [rows, 2] },
      [rescale]: { data: [0.7, 0, 0.7], shape: [rows, 1] },
    });
    const x = feeds.x.data as number[];
    const levels = (feeds.noise.data as number[]).flatMap((level) => [2 * level, -level]);
    const want = x.map((value, i) => value * (wanted[Math.floor(i / 2)][i % 2] + levels[i]));
    expect(Array.from(got.y.data, Number)).toBeAllClose(want, { rel: 1e-12 });
  });

  test("an embedding without spread is not divided by 0", () => {
    const flat = withEmbeddingNoise(
      graphOf(({ x, labels }) => mul(x, gather(labels.builder.literal([3, 3], "float32", [1, 2]), labels))),
      ["labels"],
    );
    const ones = { data: [1, 1, 1], shape: [rows, 1] };
    const given = { ...feeds, ...unchanged("labels"), labels: { data: [0, 0, 0], shape: [rows] } };
    const { y } = interpret(flat, { ...given, [embeddingInputs("labels").rescale]: ones });
    expect(Array.from(y.data, Number)).toEqual((feeds.x.data as number[]).map((value) => 3 * value));
  });

  test("leaves attention layers to be found by their names", () => {
    const config = tinyConfig();
    const graph = networkGraph(config.network, tinyParameters(config), 2);
    const names = (of: typeof graph) => attentionLayers(of).map(({ name, position }) => [name, position]);
    expect(names(withEmbeddingNoise(graph, ["labels", "noise"]))).toEqual(names(graph));
  });

  test("an input without an embedding is refused by name", () => {
    const direct = graphOf(({ x, noise }) => mul(x, reshape(noise, [rows, 1])));
    expect(() => withEmbeddingNoise(direct, ["noise"])).toThrow('makes no embedding of its input "noise"');
  });
});
