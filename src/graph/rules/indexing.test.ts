import { expect, test } from "vitest";
import { int, string } from "../attributes.ts";
import { trace } from "../builder.ts";
import { interpret } from "../interpret.ts";
import { add, mul, tanh } from "../ops/elementwise.ts";
import { gather, oneHot } from "../ops/indexing.ts";
import { matmul } from "../ops/linear.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const elements = (x: Value, places: Value, axis: number): Value =>
  x.builder.apply("GatherElements", [x, places], { attributes: { axis: int(axis) } })[0];
const scatter = (x: Value, places: Value, updates: Value, axis: number, reduction = "none"): Value =>
  x.builder.apply("ScatterElements", [x, places, updates], {
    attributes: { axis: int(axis), reduction: string(reduction) },
  })[0];

gradientSuite([
  {
    name: "gather of rows, some twice",
    inputs: { x: [3, 2], i: { shape: [4], kind: "integer", data: [2, 0, 2, 1] } },
    network: ({ x, i }) => tanh(gather(x, i)),
  },
  {
    name: "gather along the middle axis by a table of indices",
    inputs: { x: [2, 3, 2], i: { shape: [2, 2], kind: "integer", data: [0, -1, 1, 1] } },
    network: ({ x, i }) => tanh(gather(x, i, 1)),
  },
  {
    name: "gather by a single index",
    inputs: { x: [3, 2], i: { shape: [], kind: "integer", data: [1] } },
    network: ({ x, i }) => tanh(gather(x, i)),
  },
  {
    name: "GatherElements",
    inputs: { x: [3, 4], i: { shape: [3, 2], kind: "integer", data: [3, 0, -1, 1, 2, 2] } },
    network: ({ x, i }) => tanh(elements(x, i, 1)),
  },
  {
    name: "ScatterElements that adds, some places twice",
    inputs: { x: [3, 2], u: [2, 2], i: { shape: [2, 2], kind: "integer", data: [2, 0, 2, 1] } },
    network: ({ x, u, i }) => tanh(scatter(x, i, u, 0, "add")),
  },
  {
    name: "ScatterElements that overwrites",
    inputs: { x: [3, 4], u: [3, 2], i: { shape: [3, 2], kind: "integer", data: [3, 0, -1, 1, 2, 0] } },
    network: ({ x, u, i }) => tanh(scatter(x, i, mul(u, u), -1)),
  },
  {
    name: "oneHot picks rows of a table",
    inputs: { x: [3, 2], i: { shape: [2, 2], kind: "integer", data: [2, 0, 1, 2] } },
    network: ({ x, i }) => tanh(matmul(oneHot(i, 3, x.dtype as "float32"), x)),
  },
  {
    name: "oneHot along the first axis, of given values",
    inputs: { values: [2], i: { shape: [2, 2], kind: "integer", data: [2, 0, -1, 2] } },
    network: ({ values, i }) =>
      tanh(
        i.builder.apply("OneHot", [i, i.builder.literal(4, "int64"), mul(values, values)], {
          attributes: { axis: int(0) },
        })[0],
      ),
  },
]);

test("a shape is known while tracing, and part of it by its start and end", () => {
  const graph = trace({ x: { shape: [2, 3, 4] } }, ({ x }, builder) => {
    const [all] = builder.apply("Shape", [x]);
    const [part] = builder.apply("Shape", [x], { attributes: { start: int(-2), end: int(2) } });
    return { all, part, x2: add(x, 1) };
  });
  expect(graph.nodes.map(({ op }) => op)).toEqual(["Add", "Identity", "Identity", "Identity"]);
  const { all, part } = interpret(graph, { x: { data: new Array<number>(24).fill(0), shape: [2, 3, 4] } });
  expect(all.data).toBeAllClose([2, 3, 4], {});
  expect(part.data).toBeAllClose([3], {});
});
