import { expect, test } from "vitest";
import { nodeRuntime } from "../runtime/node.ts";
import { int, ints } from "./attributes.ts";
import type { Attribute, Graph } from "./graph.ts";
import { interpret } from "./interpret.ts";
import { simplify } from "./transform.ts";

const x = { data: Float32Array.from({ length: 12 }, (_, i) => Math.sin(3 * i)), shape: [2, 1, 6] };

interface Old {
  readonly name: string;
  readonly opset: number;
  readonly op: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly outputs: readonly (readonly number[])[];
}
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
    outputs: [[2, 1, 6]],
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
    name: "a transpose, which has not changed",
    opset: 11,
    op: "Transpose",
    attributes: {},
    outputs: [[6, 1, 2]],
  },
];

test.each(olds)(
  "$name means the same as ONNX Runtime takes it for",
  async ({ opset, op, attributes, outputs }) => {
    const names = outputs.map((_, i) => `y${i}`);
    const graph: Graph = {
      name: "old",
      opset,
      inputs: [{ name: "x", dtype: "float32", shape: x.shape }],
      outputs: outputs.map((shape, i) => ({ name: names[i], dtype: "float32", shape })),
      nodes: [{ op, domain: "", name: "node", inputs: ["x"], outputs: names, attributes }],
      initializers: new Map(),
      metadata: {},
    };
    const runtime = nodeRuntime({ threads: 1 });
    const [old, now] = await Promise.all([runtime.compile(graph), runtime.compile(simplify(graph))]);
    const want = await old.run({ x });
    const got = await now.run({ x });
    await Promise.all([old.dispose(), now.dispose()]);
    const host = interpret(graph, { x });
    names.forEach((name, i) => {
      expect(got[name].shape).toEqual(outputs[i]);
      expect(got[name].data).toBeAllClose(want[name].data, { abs: 1e-6 });
      expect(host[name].data).toBeAllClose(want[name].data, { abs: 1e-6 });
    });
  },
);
