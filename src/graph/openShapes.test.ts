import { expect, test } from "vitest";
import { nodeRuntime } from "../runtime/node.ts";
import { ints } from "./attributes.ts";
import { constantOf } from "./constant.ts";
import type { Graph, NamedType, Node } from "./graph.ts";
import { interpret } from "./interpret.ts";
import { differentiate, simplify } from "./transform.ts";

const node = (op: string, inputs: string[], output: string, attributes: Node["attributes"] = {}): Node => ({
  op,
  domain: "",
  name: `make ${output}`,
  inputs,
  outputs: [output],
  attributes,
});
const floats = (name: string, shape: NamedType["shape"]): NamedType => ({ name, dtype: "float32", shape });

/** The elements of x above the limit, as a list. */
const above = (limit: string, output: string): Node[] => [
  node("Greater", ["x", limit], `${output}/above`),
  node("NonZero", [`${output}/above`], `${output}/places`),
  node("Transpose", [`${output}/places`], `${output}/tuples`, { perm: ints([1, 0]) }),
  node("GatherND", ["x", `${output}/tuples`], output),
];

const graph: Graph = {
  name: "picks",
  opset: 18,
  inputs: [floats("x", [2, 3])],
  outputs: [floats("positive", [3]), floats("large", [2])],
  nodes: [
    ...above("zero", "p"),
    ...above("two", "l"),
    node("Mul", ["p", "p"], "positive"),
    node("Neg", ["l"], "large"),
  ],
  initializers: new Map([
    ["zero", constantOf("float32", [], [0])],
    ["two", constantOf("float32", [], [2])],
  ]),
  metadata: {},
};
const x = { data: Float32Array.of(1, -2, 3, -1, 4, -6), shape: [2, 3] };

test("how much NonZero finds is taken from the shapes of the graph's outputs", async () => {
  const slopes = differentiate(graph, "positive", ["x"]);
  const program = await nodeRuntime({ threads: 1 }).compile(slopes);
  const native = await program.run({ x });
  await program.dispose();
  const host = interpret(slopes, { x });
  for (const found of [host, native]) {
    expect(found.positive.data).toBeAllClose([1, 9, 16], {});
    expect(found.large.data).toBeAllClose([-3, -4], {});
    expect(found["gradient/x"].data).toBeAllClose([2, 0, 6, 0, 8, 0], {});
  }
});

test("or from what the file says of the value itself", () => {
  const types = new Map(
    [
      ["p/places", 3],
      ["l/places", 2],
    ].map(([name, count]) => [
      name as string,
      { name: name as string, dtype: "int64" as const, shape: [2, count as number] },
    ]),
  );
  const known = simplify({ ...graph, types, outputs: [floats("positive", ["n"]), floats("large", ["m"])] });
  expect(known.outputs.map(({ shape }) => shape)).toEqual([[3], [2]]);
});

test("where neither tells it, the node is refused by name, with the ways out", () => {
  const open = { ...graph, outputs: [floats("positive", ["n"]), floats("large", ["m"])] };
  expect(() => simplify(open)).toThrow(
    /"NonZero" \(node "make p\/places"\) gives depends on numbers.*choose with Where.*in the graph "picks"/,
  );
  const wrong = { ...graph, outputs: [floats("positive", [3, 1]), floats("large", [2])] };
  expect(() => simplify(wrong)).toThrow(/"NonZero" \(node "make p\/places"\)/);
});
