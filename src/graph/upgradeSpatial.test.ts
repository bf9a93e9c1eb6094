import { expect, test } from "vitest";
import { nodeRuntime } from "../runtime/node.ts";
import { float, int, ints, string } from "./attributes.ts";
import { Builder } from "./builder.ts";
import { constantOf } from "./constant.ts";
import type { Attribute, Constant, Graph } from "./graph.ts";
import { interpret } from "./interpret.ts";
import { declareInputs, replay } from "./replay.ts";
import { simplify } from "./transform.ts";

interface Old {
  readonly name: string;
  readonly opset: number;
  readonly op: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Inputs behind x. */
  readonly constants?: Readonly<Record<string, Constant>>;
  /** Shape of y. */
  readonly y: readonly number[];
  /** The operator set that it is brought to. Default 18. */
  readonly to?: number;
}

const shape = [1, 4, 3, 5];
const data = Float32Array.from({ length: 60 }, (_, i) => Math.sin(3 * i));
const floats = (numbers: readonly number[], dims: readonly number[] = [numbers.length]): Constant =>
  constantOf("float32", dims, numbers);
const channels = (from: number): Constant => floats([from, from + 1, from + 2, from + 3]);

const olds: readonly Old[] = [
  {
    name: "a pad with widths and fill as attributes",
    opset: 9,
    op: "Pad",
    attributes: { pads: ints([0, 0, 1, 0, 0, 0, 0, 2]), value: float(3) },
    y: [1, 4, 4, 7],
  },
  {
    name: "a reflecting pad with widths as attributes",
    opset: 10,
    op: "Pad",
    attributes: { pads: ints([0, 0, 1, 2, 0, 0, 0, 2]), mode: string("reflect") },
    y: [1, 4, 4, 9],
  },
  {
    name: "an upsampling to the nearest",
    opset: 9,
    op: "Upsample",
    constants: { scales: floats([1, 1, 2, 1.7]) },
    y: [1, 4, 6, 8],
  },
  {
    name: "a linear upsampling with scales as an attribute",
    opset: 8,
    op: "Upsample",
    attributes: { mode: string("linear"), scales: { kind: "floats", value: [1, 1, 2, 3] } },
    y: [1, 4, 6, 15],
  },
  {
    name: "a resize that shrinks to the nearest",
    opset: 10,
    op: "Resize",
    constants: { scales: floats([1, 1, 0.7, 0.6]) },
    y: [1, 4, 2, 3],
  },
  {
    name: "a resize that grows one axis and shrinks the other",
    opset: 10,
    op: "Resize",
    constants: { scales: floats([1, 1, 1.7, 0.6]) },
    y: [1, 4, 5, 3],
  },
  {
    name: "a linear resize",
    opset: 10,
    op: "Resize",
    attributes: { mode: string("linear") },
    constants: { scales: floats([1, 1, 1.7, 0.6]) },
    y: [1, 4, 5, 3],
  },
  {
    name: "a batch norm",
    opset: 9,
    op: "BatchNormalization",
    constants: { scale: channels(1), bias: channels(-1), mean: channels(0), variance: channels(2) },
    y: shape,
  },
  {
    name: "a group norm with one scale a group",
    opset: 18,
    to: 21,
    op: "GroupNormalization",
    attributes: { num_groups: int(2) },
    constants: { scale: floats([1, 3]), bias: floats([-1, 2]) },
    y: shape,
  },
  {
    name: "a grid read bilinearly",
    opset: 16,
    to: 20,
    op: "GridSample",
    attributes: { mode: string("bilinear") },
    constants: { grid: floats([0.1, -0.7, 0.9, 1.2], [1, 1, 2, 2]) },
    y: [1, 4, 1, 2],
  },
];

function graphOf({ opset, op, attributes = {}, constants = {}, y }: Old): Graph {
  return {
    name: "old",
    opset,
    inputs: [{ name: "x", dtype: "float32", shape }],
    outputs: [{ name: "y", dtype: "float32", shape: y }],
    nodes: [
      { op, domain: "", name: "node", inputs: ["x", ...Object.keys(constants)], outputs: ["y"], attributes },
    ],
    initializers: new Map(Object.entries(constants)),
    metadata: {},
  };
}

/** The graph in operator set `opset`. */
function broughtTo(graph: Graph, opset: number): Graph {
  const builder = new Builder(opset);
  return builder.build(replay(graph, builder, declareInputs(graph, builder)));
}

test.each(olds)("$name of opset $opset computes the same as it is written now", async (old) => {
  const graph = graphOf(old);
  const now = broughtTo(graph, old.to ?? 18);
  const runtime = nodeRuntime({ threads: 1 });
  const x = { data, shape };
  const [before, after] = await Promise.all(
    [graph, now].map(async (version) => {
      const program = await runtime.compile(version);
      const { y } = await program.run({ x });
      await program.dispose();
      return y;
    }),
  );
  expect(after.shape).toEqual(before.shape);
  expect(after.data).toBeAllClose(before.data, { abs: 1e-5 });
  expect(interpret(now, { x }).y.data).toBeAllClose(before.data, { abs: 1e-5 });
});

test("a batch norm of before opset 14 trains where it has running statistics as outputs", () => {
  const old = graphOf({
    name: "training",
    opset: 9,
    op: "BatchNormalization",
    constants: { scale: channels(1), bias: channels(-1), mean: channels(0), variance: channels(2) },
    y: shape,
  });
  const [node] = old.nodes;
  const trains: Graph = { ...old, nodes: [{ ...node, outputs: ["y", "m", "v", "sm", "sv"] }] };
  expect(simplify(trains).nodes[0].attributes.training_mode).toEqual(int(1));
  expect(simplify(old).nodes[0].attributes.training_mode).toBeUndefined();
});
