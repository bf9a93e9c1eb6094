import { expect, test } from "vitest";
import { float, int, ints } from "../attributes.ts";
import { Builder, trace } from "../builder.ts";
import { gradients } from "../gradients.ts";
import type { Attribute } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { add, mul, tanh } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

type Inputs = Record<string, Value>;

const normed =
  (op: string, attributes: Readonly<Record<string, Attribute>> = {}) =>
  ({ x, s, b }: Inputs): Value =>
    x.builder.apply(op, [x, ...(s ? [s] : []), ...(b ? [b] : [])], { attributes })[0];

gradientSuite([
  {
    name: "layer norm over the last axis",
    inputs: { x: [2, 3, 4], s: [4], b: [4] },
    network: normed("LayerNormalization"),
  },
  {
    name: "layer norm over two axes, without a bias",
    inputs: { x: [2, 2, 3], s: [2, 3] },
    network: normed("LayerNormalization", { axis: int(1), epsilon: float(0.1) }),
  },
  {
    name: "layer norm over everything",
    inputs: { x: [2, 3], s: [2, 3], b: [2, 3] },
    network: normed("LayerNormalization", { axis: int(0) }),
  },
  {
    name: "layer norm with one scale for all",
    inputs: { x: [3, 4], s: [1], b: [4] },
    network: normed("LayerNormalization", { axis: int(-1) }),
  },
  {
    name: "layer norm with its mean and inverse deviation",
    inputs: { x: [2, 2, 4], s: [4], b: [4] },
    network: ({ x, s, b }) => {
      const [y, mean, inverse] = x.builder.apply("LayerNormalization", [x, s, b], { outputs: 3 });
      return add(mul(y, tanh(mean)), mul(inverse, mean));
    },
  },
  {
    name: "root mean square norm over the last axis",
    inputs: { x: [2, 3, 4], s: [4] },
    opset: 23,
    network: normed("RMSNormalization"),
  },
  {
    name: "root mean square norm over two axes",
    inputs: { x: [2, 2, 3], s: [2, 3] },
    opset: 23,
    network: normed("RMSNormalization", { axis: int(-2), epsilon: float(0.1) }),
  },
  {
    name: "group norm, scaled by group",
    inputs: { x: [2, 4, 3], s: [2], b: [2] },
    network: normed("GroupNormalization", { num_groups: int(2) }),
  },
  {
    name: "group norm, scaled by channel",
    inputs: { x: [2, 4, 2, 2], s: [4], b: [4] },
    opset: 21,
    network: normed("GroupNormalization", { num_groups: int(2), epsilon: float(0.01) }),
  },
  {
    name: "mean and variance norm by channel",
    inputs: { x: [2, 3, 2, 2] },
    network: normed("MeanVarianceNormalization"),
  },
  {
    name: "mean and variance norm by sample",
    inputs: { x: [2, 3, 2] },
    network: normed("MeanVarianceNormalization", { axes: ints([1, -1]) }),
  },
]);

test("group norm in one group is layer norm over channels and space", () => {
  const shape = [2, 2, 3];
  const builder = new Builder(21);
  const x = builder.input("x", "float32", shape);
  const [ones, zeros] = [1, 0].map((n) => builder.literal([n, n]));
  const [wide, none] = [1, 0].map((n) => builder.literal(new Array<number>(6).fill(n), "float32", [2, 3]));
  const group = normed("GroupNormalization", { num_groups: int(1) })({ x, s: ones, b: zeros });
  const layer = normed("LayerNormalization", { axis: int(1) })({ x, s: wide, b: none });
  const found = interpret(builder.build({ group, layer }), {
    x: { data: [1, 5, 2, 8, 3, 9, 0, 0, 1, 4, 4, 7], shape },
  });
  expect(found.group.data).toBeAllClose(found.layer.data, { abs: 1e-14 });
});

test("a root mean square norm does not see the scale of what it is given", () => {
  const builder = new Builder(23);
  const x = builder.input("x", "float32", [3]);
  const y = normed("RMSNormalization", { epsilon: float(0) })({ x, s: builder.literal([1, 2, 3]) });
  const graph = builder.build({ y });
  const at = (data: number[]): unknown => interpret(graph, { x: { data, shape: [3] } }).y.data;
  expect(at([1, -2, 2])).toBeAllClose(at([10, -20, 20]), { abs: 1e-14 });
  expect(at([1, -2, 2])).toBeAllClose([3 ** -0.5, -4 * 3 ** -0.5, 6 * 3 ** -0.5], { abs: 1e-14 });
});

test("the gradient of half-precision norms keeps its statistics in float32", () => {
  const builder = new Builder(21);
  const x = builder.input("x", "float16", [1, 2, 4]);
  const half = (n: number) => builder.literal([n, n], "float16");
  const y = normed("GroupNormalization", { num_groups: int(1) })({ x, s: half(1), b: half(0) });
  const [dx] = gradients(y, [x]);
  expect(dx.dtype).toBe("float16");
  const graph = builder.build({ dx });
  const sums = graph.nodes.filter(({ op }) => op === "ReduceMean");
  expect(sums.length).toBeGreaterThan(0);
  const casts = graph.nodes.filter(({ op }) => op === "Cast");
  expect(casts.length).toBeGreaterThan(0);
});

test("scales that do not fit are errors that name the node", () => {
  const make = (op: string, scale: number[], attributes: Readonly<Record<string, Attribute>>) => () =>
    trace({ x: { shape: [2, 4, 3] }, s: { shape: scale } }, ({ x, s }, builder) =>
      builder.scope("block", () => ({ y: normed(op, attributes)({ x, s, b: s }) })),
    );
  expect(make("LayerNormalization", [2, 2, 4, 3], {})).toThrow(
    'LayerNormalization of [2, 4, 3] by [2, 2, 4, 3] at node "block/LayerNormalization"',
  );
  expect(make("GroupNormalization", [4], { num_groups: int(2) })).toThrow(
    'in 2 groups by [4] (one a group before opset 21) at node "block/GroupNormalization"',
  );
  expect(make("GroupNormalization", [3], { num_groups: int(3) })).toThrow("[2, 4, 3] in 3 groups");
});
