import { expect, test } from "vitest";
import { int } from "../attributes.ts";
import { trace } from "../builder.ts";
import { tanh } from "../ops/elementwise.ts";
import { gather } from "../ops/indexing.ts";
import { gradientSuite } from "./gradients.cases.ts";

const indices = (shape: readonly number[], data: readonly number[]) => ({
  shape,
  data,
  kind: "integer" as const,
});

gradientSuite([
  {
    name: "tuples of indices, some equal and some negative",
    inputs: { x: [3, 4, 2], i: indices([4, 2], [0, 1, 2, 3, 0, 1, -1, -2]) },
    network: ({ x, i }) => tanh(x.builder.apply("GatherND", [tanh(x), i])[0]),
  },
  {
    name: "tuples of indices to single elements",
    inputs: { x: [3, 2], i: indices([2, 2, 2], [0, 1, 2, 0, 1, 1, 2, 1]) },
    network: ({ x, i }) => tanh(x.builder.apply("GatherND", [x, i])[0]),
  },
  {
    name: "tuples of indices by batch entry",
    inputs: { x: [2, 2, 4, 3], i: indices([2, 2, 2, 1], [1, 3, 0, 0, 2, -1, 1, 1]) },
    network: ({ x, i }) =>
      tanh(x.builder.apply("GatherND", [x, i], { attributes: { batch_dims: int(2) } })[0]),
  },
]);

const picked = (x: readonly number[], i: readonly number[], op: string, attributes = {}) =>
  trace({ x: { shape: x }, i: { dtype: "int64", shape: i } }, ({ x, i }, builder) => ({
    y: builder.apply(op, [x, i], { attributes, name: "pick" })[0],
  }));

test.each([
  ["GatherND", [2, 3], [4, 3], 'index tuples of [4, 3] into [2, 3] at node "pick"'],
  ["GatherElements", [2, 3], [4, 4], 'indices of [4, 4] into [2, 3] at node "pick"'],
  ["GatherElements", [2, 3], [2], 'indices of [2] into [2, 3] at node "pick"'],
] as const)("%s of %j by %j is an error that names the node", (op, x, i, message) => {
  expect(() => picked(x, i, op)).toThrow(message);
});

test("an index beyond the axis, known while tracing, is an error that names the node", () => {
  const wrong = () =>
    trace({ x: { shape: [1] } }, (_, builder) => ({
      y: gather(builder.literal([1, 2, 3]), builder.literal([0, 3], "int64")),
    }));
  expect(wrong).toThrow('the index 3 is beyond an axis of 3 at node "Gather"');
});
