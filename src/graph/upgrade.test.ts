import { expect, test } from "vitest";
import { nodeRuntime } from "../runtime/node.ts";
import { float, int, ints } from "./attributes.ts";
import { constantOf, numbersOf } from "./constant.ts";
import type { Attribute, DataType, Graph } from "./graph.ts";
import { interpret } from "./interpret.ts";
import { simplify } from "./transform.ts";

const data = Float32Array.from({ length: 12 }, (_, i) => Math.sin(3 * i));

interface Old {
  readonly name: string;
  readonly opset: number;
  readonly op: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly outputs: readonly (readonly number[])[];
  /** Of the input. Default [2, 1, 6]. */
  readonly shape?: readonly number[];
  /** Default all float32. */
  readonly types?: readonly DataType[];
}

const empty: Graph = {
  name: "empty",
  opset: 18,
  inputs: [],
  outputs: [],
  nodes: [],
  initializers: new Map(),
  metadata: {},
};
const olds: readonly Old[] = [
  {
    name: "a mean with axes as an attribute",
    opset: 17,
    op: "ReduceMean",
    attributes: { axes: ints([-1]) },
    outputs: [[2, 1, 1]],
  },
  {
    name: "a sum with axes as an attribute",
    opset: 11,
    op: "ReduceSum",
    attributes: { axes: ints([0]), keepdims: int(0) },
    outputs: [[1, 6]],
  },
  {
    name: "a squeeze with axes as an attribute",
    opset: 11,
    op: "Squeeze",
    attributes: { axes: ints([1]) },
    outputs: [[2, 6]],
  },
  {
    name: "an unsqueeze with axes as an attribute",
    opset: 11,
    op: "Unsqueeze",
    attributes: { axes: ints([0, -1]) },
    outputs: [[1, 2, 1, 6, 1]],
  },
  {
    name: "a split with sizes as an attribute",
    opset: 11,
    op: "Split",
    attributes: { axis: int(2), split: ints([1, 5]) },
    outputs: [
      [2, 1, 1],
      [2, 1, 5],
    ],
  },
  {
    name: "a split into equal pieces",
    opset: 13,
    op: "Split",
    attributes: { axis: int(-1) },
    outputs: [
      [2, 1, 2],
      [2, 1, 2],
      [2, 1, 2],
    ],
  },
  {
    name: "a softmax over all axes from 1 on",
    opset: 11,
    op: "Softmax",
    attributes: {},
    shape: [2, 3, 2],
    outputs: [[2, 3, 2]],
  },
  {
    name: "a log softmax over all axes",
    opset: 12,
    op: "LogSoftmax",
    attributes: { axis: int(0) },
    outputs: [[2, 1, 6]],
  },
  { name: "a softmax over the last axis", opset: 13, op: "Softmax", attributes: {}, outputs: [[2, 1, 6]] },
  {
    name: "a hard maximum over all axes from 1 on",
    opset: 11,
    op: "Hardmax",
    attributes: {},
    outputs: [[2, 1, 6]],
  },
  {
    name: "a slice with bounds as attributes",
    opset: 9,
    op: "Slice",
    attributes: { starts: ints([1, -4]), ends: ints([2, 9]), axes: ints([0, 2]) },
    outputs: [[1, 1, 4]],
  },
  {
    name: "a slice with bounds as attributes for the first axes",
    opset: 8,
    op: "Slice",
    attributes: { starts: ints([1, 0]), ends: ints([2, 1]) },
    outputs: [[1, 1, 6]],
  },
  {
    name: "a clip with bounds as attributes",
    opset: 9,
    op: "Clip",
    attributes: { min: float(-0.5), max: float(0.25) },
    outputs: [[2, 1, 6]],
  },
  {
    name: "a clip with an upper bound only",
    opset: 10,
    op: "Clip",
    attributes: { max: float(0.25) },
    outputs: [[2, 1, 6]],
  },
  {
    name: "the largest elements with their number as an attribute",
    opset: 9,
    op: "TopK",
    attributes: { k: int(2), axis: int(-1) },
    outputs: [
      [2, 1, 2],
      [2, 1, 2],
    ],
    types: ["float32", "int64"],
  },
  {
    name: "a dropout with its ratio as an attribute",
    opset: 10,
    op: "Dropout",
    attributes: { ratio: float(0.25) },
    outputs: [[2, 1, 6]],
  },
  ...["L1", "L2", "LogSumExp", "Max", "Min", "Prod", "SumSquare"].map((name) => ({
    name: `Reduce${name} with axes as an attribute`,
    opset: 13,
    op: `Reduce${name}`,
    attributes: { axes: ints([0, -1]), keepdims: int(0) },
    outputs: [[1]],
  })),
  {
    name: "a transpose, which has not changed",
    opset: 11,
    op: "Transpose",
    attributes: {},
    outputs: [[6, 1, 2]],
  },
];

test.each(olds)(
  "$name means the same as ONNX Runtime takes it for",
  async ({ opset, op, attributes, outputs, types, shape = [2, 1, 6] }) => {
    const x = { data, shape };
    const names = outputs.map((_, i) => `y${i}`);
    const graph: Graph = {
      ...empty,
      opset,
      inputs: [{ name: "x", dtype: "float32", shape: x.shape }],
      outputs: outputs.map((shape, i) => ({ name: names[i], dtype: types?.[i] ?? "float32", shape })),
      nodes: [{ op, domain: "", name: "node", inputs: ["x"], outputs: names, attributes }],
    };
    const runtime = nodeRuntime({ threads: 1 });
    const [old, now] = await Promise.all([runtime.compile(graph), runtime.compile(simplify(graph))]);
    const want = await old.run({ x });
    const got = await now.run({ x });
    await Promise.all([old.dispose(), now.dispose()]);
    const host = interpret(graph, { x });
    names.forEach((name, i) => {
      expect(got[name].shape).toEqual(outputs[i]);
      const wanted = Array.from(want[name].data, Number);
      expect(Array.from(got[name].data, Number)).toBeAllClose(wanted, { abs: 1e-6 });
      expect(numbersOf(host[name])).toBeAllClose(wanted, { abs: 1e-6 });
    });
  },
);

test("an old Scatter is ScatterElements", async () => {
  const graph: Graph = {
    ...empty,
    opset: 9,
    inputs: [
      { name: "x", dtype: "float32", shape: [2, 3] },
      { name: "u", dtype: "float32", shape: [2, 1] },
    ],
    outputs: [{ name: "y", dtype: "float32", shape: [2, 3] }],
    nodes: [
      {
        op: "Scatter",
        domain: "",
        name: "put",
        inputs: ["x", "i", "u"],
        outputs: ["y"],
        attributes: { axis: int(1) },
      },
    ],
    initializers: new Map([["i", constantOf("int64", [2, 1], [2, 0])]]),
  };
  const feeds = {
    x: { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] },
    u: { data: Float32Array.of(7, 8), shape: [2, 1] },
  };
  const runtime = nodeRuntime({ threads: 1 });
  for (const version of [graph, simplify(graph)]) {
    const program = await runtime.compile(version);
    const { y } = await program.run(feeds);
    await program.dispose();
    expect(y.data).toBeAllClose([1, 2, 7, 8, 5, 6], {});
  }
});

test("a graph older than is read is an error that says what to do", () => {
  expect(() => simplify({ ...empty, name: "old", opset: 6 })).toThrow(
    '"old" is of opset 6: export it again with opset 7 or later',
  );
});
