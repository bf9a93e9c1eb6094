import { expect, test } from "vitest";
import { philox } from "../../../base/philox.ts";
import { sizeOf } from "../../../base/tensor.ts";
import { float, int, ints, string } from "../../attributes.ts";
import { trace } from "../../builder.ts";
import { decompose } from "../../decompose.ts";
import type { Attribute } from "../../graph.ts";
import { type InterpreterInput, interpret } from "../../interpret.ts";

// ONNX Runtime has no CPU kernel for these: they are held against what their specification says.

const stream = philox(11, 3);
const draw = (...shape: number[]): InterpreterInput & { data: number[] } => ({
  shape,
  data: Array.from({ length: sizeOf(shape) }, () => 2 * stream.uniform() - 1),
});

interface Call {
  readonly op: string;
  readonly domain?: string;
  readonly attributes?: Record<string, Attribute>;
  readonly inputs: readonly (InterpreterInput | null)[];
  readonly outputs?: number;
}

/** The first output (or another) of one operator, evaluated on the host. */
function evaluated(
  { op, domain = "com.microsoft", attributes = {}, inputs, outputs = 1 }: Call,
  output = 0,
): number[] {
  const given = Object.fromEntries(inputs.flatMap((input, i) => (input ? [[`${i}`, input]] : [])));
  const types = Object.fromEntries(
    Object.entries(given).map(([name, { shape }]) => [name, { dtype: "float64" as const, shape }]),
  );
  const graph = trace(types, (values, builder) => ({
    y: builder.apply(
      op,
      inputs.map((_, i) => values[`${i}`] ?? null),
      { domain, attributes, outputs },
    )[output],
  }));
  expect(decompose(graph).nodes.every((node) => node.domain === "" || node.op === "QuickGelu")).toBe(true);
  return Array.from(interpret(graph, given).y.data as Float64Array);
}

/** The elements of a tensor in another order of axes. */
function permuted({ data, shape }: InterpreterInput, order: readonly number[]): InterpreterInput {
  const graph = trace({ x: { dtype: "float64", shape } }, ({ x }, builder) => ({
    y: builder.apply("Transpose", [x], { attributes: { perm: ints(order) } })[0],
  }));
  const { y } = interpret(graph, { x: { data, shape } });
  return { data: Array.from(y.data as Float64Array), shape: order.map((axis) => shape[axis]) };
}

/** Parts [batch, tokens, heads * size] of a tensor [batch, tokens, heads, parts, size]. */
function unpacked(x: InterpreterInput): InterpreterInput[] {
  const [batch, tokens, heads, parts, size] = x.shape;
  return Array.from({ length: parts }, (_, part) => ({
    shape: [batch, tokens, heads * size],
    data: Array.from({ length: batch * tokens * heads * size }, (__, i) => {
      const [row, inside] = [Math.floor(i / size), i % size];
      return x.data[(row * parts + part) * size + inside];
    }),
  }));
}

const exact = { abs: 1e-14 };
const heads = { num_heads: int(2) };
const gelu = (x: number): number => evaluated({ op: "Gelu", inputs: [{ data: [x], shape: [1] }] })[0];

test("MultiHeadAttention takes queries, keys and values packed in one tensor, or keys and values in one", () => {
  const [qkv, kv, q, bias] = [draw(2, 3, 2, 3, 4), draw(2, 5, 2, 2, 4), draw(2, 3, 8), draw(24)];
  const attributes = heads;
  const op = "MultiHeadAttention";
  expect(evaluated({ op, attributes, inputs: [qkv, null, null, bias] })).toBeAllClose(
    evaluated({ op, attributes, inputs: [...unpacked(qkv), bias] }),
    exact,
  );
  expect(evaluated({ op, attributes, inputs: [q, kv] })).toBeAllClose(
    evaluated({ op, attributes, inputs: [q, ...unpacked(kv)] }),
    exact,
  );
});

test("Attention without a bias is one with a bias of zeros", () => {
  const [x, w] = [draw(2, 3, 4), draw(4, 12)];
  const zeros = { shape: [12], data: new Array<number>(12).fill(0) };
  const attributes = heads;
  expect(evaluated({ op: "Attention", attributes, inputs: [x, w] })).toBeAllClose(
    evaluated({ op: "Attention", attributes, inputs: [x, w, zeros] }),
    exact,
  );
});

/** y = gamma (x - mean) / sqrt(variance + epsilon) + beta by groups of channels; x [batch, pixels, channels]. */
function groupNormOf(
  x: InterpreterInput,
  gamma: number[],
  beta: number[],
  groups: number,
  epsilon: number,
): number[] {
  const [batch, channels] = [x.shape[0], x.shape[x.shape.length - 1]];
  const out = Array.from(x.data, Number);
  const groupOf = (i: number): number =>
    Math.floor(i / (out.length / batch)) * groups + Math.floor((i % channels) / (channels / groups));
  for (let group = 0; group < batch * groups; group++) {
    const members = out.flatMap((value, i) => (groupOf(i) === group ? [[i, value]] : []));
    const mean = members.reduce((sum, [, value]) => sum + value, 0) / members.length;
    const variance = members.reduce((sum, [, value]) => sum + (value - mean) ** 2, 0) / members.length;
    for (const [i, value] of members) {
      out[i] = (gamma[i % channels] * (value - mean)) / Math.sqrt(variance + epsilon) + beta[i % channels];
    }
  }
  return out;
}

const silu = (x: number): number => x / (1 + Math.exp(-x));

test("GroupNorm normalises images with channels last, and SiLU follows where it is asked for", () => {
  const [x, gamma, beta] = [draw(2, 3, 2, 4), draw(4), draw(4)];
  const want = groupNormOf(x, gamma.data, beta.data, 2, 0.01);
  const attributes = { groups: int(2), epsilon: float(0.01), activation: int(0) };
  const op = "GroupNorm";
  expect(evaluated({ op, attributes, inputs: [x, gamma, beta] })).toBeAllClose(want, { abs: 1e-8 });
  expect(
    evaluated({ op, attributes: { ...attributes, activation: int(1) }, inputs: [x, gamma, beta] }),
  ).toBeAllClose(want.map(silu), { abs: 1e-8 });
  const first = permuted(x, [0, 3, 1, 2]);
  expect(
    evaluated({ op, attributes: { ...attributes, channels_last: int(0) }, inputs: [first, gamma, beta] }),
  ).toBeAllClose(permuted({ data: want, shape: x.shape }, [0, 3, 1, 2]).data, { abs: 1e-8 });
});

test("SkipGroupNorm normalises a sum with a skip and a bias, and returns the sum", () => {
  const [x, gamma, beta, skip, bias] = [draw(2, 3, 2, 4), draw(4), draw(4), draw(2, 4), draw(4)];
  const sum = x.data.map((v, i) => v + skip.data[Math.floor(i / 24) * 4 + (i % 4)] + bias.data[i % 4]);
  const attributes = { groups: int(2), epsilon: float(0.01), activation: int(0) };
  const call = { op: "SkipGroupNorm", attributes, inputs: [x, gamma, beta, skip, bias], outputs: 2 };
  const want = groupNormOf({ data: sum, shape: x.shape }, gamma.data, beta.data, 2, 0.01);
  expect(evaluated(call)).toBeAllClose(want, { abs: 1e-8 });
  expect(evaluated(call, 1)).toBeAllClose(sum, exact);
});

test("NhwcConv and NhwcFusedConv are Conv with channels last", () => {
  const [x, w, b, z] = [draw(2, 5, 4, 6), draw(4, 6, 3, 3), draw(4), draw(2, 5, 4, 4)];
  const attributes = { pads: ints([1, 1, 1, 1]), kernel_shape: ints([3, 3]) };
  const images = permuted(x, [0, 3, 1, 2]);
  const plain = evaluated({ op: "Conv", domain: "", attributes, inputs: [images, w, b] });
  const want = permuted({ data: plain, shape: [2, 4, 5, 4] }, [0, 2, 3, 1]).data;
  const last = permuted(w, [0, 2, 3, 1]);
  expect(evaluated({ op: "NhwcConv", attributes, inputs: [x, last, b] })).toBeAllClose(want, exact);
  const domain = "com.ms.internal.nhwc";
  expect(evaluated({ op: "Conv", domain, attributes, inputs: [x, w, b] })).toBeAllClose(want, exact);
  const relu = { ...attributes, activation: string("Relu") };
  expect(evaluated({ op: "NhwcFusedConv", attributes: relu, inputs: [x, w, b, z] })).toBeAllClose(
    Array.from(want, (v, i) => Math.max(0, Number(v) + Number(z.data[i]))),
    exact,
  );
});

test("BiasAdd, BiasSplitGelu and BiasSoftmax are what their names say", () => {
  const [x, b, skip] = [draw(2, 3, 4), draw(4), draw(2, 3, 4)];
  const sum = x.data.map((v, i) => v + b.data[i % 4]);
  expect(evaluated({ op: "BiasAdd", inputs: [x, b, skip] })).toBeAllClose(
    sum.map((v, i) => v + skip.data[i]),
    exact,
  );
  const rows = Array.from({ length: 6 }, (_, row) => sum.slice(4 * row, 4 * row + 4));
  expect(evaluated({ op: "BiasSplitGelu", inputs: [x, b] })).toBeAllClose(
    rows.flatMap(([p, q, r, s]) => [p * gelu(r), q * gelu(s)]),
    exact,
  );
  const batches = [sum.slice(0, 12), sum.slice(12)];
  const attributes = { axis: int(1), is_inner_broadcast: int(0) };
  expect(evaluated({ op: "BiasSoftmax", attributes, inputs: [x, b] })).toBeAllClose(
    batches.flatMap((batch) => {
      const total = batch.reduce((s, v) => s + Math.exp(v), 0);
      return batch.map((v) => Math.exp(v) / total);
    }),
    exact,
  );
});
