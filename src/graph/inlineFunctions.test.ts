import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { float, graph as body } from "./attributes.ts";
import type { Attribute, Attributes, Graph, GraphFunction, Node } from "./graph.ts";
import { inlineFunctions } from "./inlineFunctions.ts";
import { interpret } from "./interpret.ts";
import { differentiate, simplify } from "./transform.ts";

const runtime = nodeRuntime({ threads: 1 });

// --- Graphs in few words.

const node = (
  op: string,
  inputs: string[],
  outputs: string[],
  attributes: Attributes = {},
  domain = "",
): Node => ({ op, domain, name: `${op} of ${outputs[0]}`, inputs, outputs, attributes });
const call = (op: string, inputs: string[], outputs: string[], attributes: Attributes = {}): Node =>
  node(op, inputs, outputs, attributes, "own");
const define = (
  name: string,
  inputs: string[],
  outputs: string[],
  nodes: Node[],
  more: Partial<GraphFunction> = {},
): GraphFunction => ({
  domain: "own",
  name,
  inputs,
  outputs,
  attributes: [],
  defaults: {},
  nodes,
  opsets: { "": 18, own: 1 },
  ...more,
});
const slope: Attribute = { kind: "reference", value: "slope", of: "float" };
const graphOf = (nodes: readonly Node[], functions: readonly GraphFunction[]): Graph => ({
  name: "test",
  inputs: [
    { name: "x", dtype: "float32", shape: [2] },
    { name: "yes", dtype: "bool", shape: [] },
  ],
  outputs: [{ name: "y", dtype: "float32", shape: [2] }],
  nodes,
  initializers: new Map(),
  opset: 18,
  domains: { own: 1 },
  functions,
  metadata: {},
});

/** leaky(a) = LeakyRelu(a) + 1, by the slope that the call gives, or by 0.25. */
const leaky = define(
  "leaky",
  ["a"],
  ["b"],
  [
    node("LeakyRelu", ["a"], ["t"], { alpha: slope }),
    node("Constant", [], ["one"], { value_float: float(1) }),
    node("Add", ["t", "one"], ["b"]),
  ],
  { defaults: { slope: float(0.25) } },
);
/** twice(a, yes) = leaky(leaky(a, slope)) where `yes`, else leaky(a): calls inside a function, and inside a body. */
const twice = define(
  "twice",
  ["a", "yes"],
  ["out"],
  [
    call("leaky", ["a"], ["t"], { slope }),
    node("If", ["yes"], ["out"], {
      then_branch: body(branchOf(call("leaky", ["t"], ["r"], { slope }))),
      else_branch: body(branchOf(node("Identity", ["t"], ["r"]))),
    }),
  ],
  { attributes: ["slope"] },
);

function branchOf(only: Node) {
  return {
    name: "branch",
    inputs: [],
    outputs: [{ name: only.outputs[0], dtype: "float32", shape: [2] }] as const,
    nodes: [only],
    initializers: new Map(),
  };
}

const x = { data: Float32Array.of(0.5, -2), shape: [2] };
const feedsOf = (yes: boolean) => ({ x, yes: { data: Uint8Array.of(Number(yes)), shape: [] } });

async function run(graph: Graph, output: string, yes: boolean): Promise<number[]> {
  const program = await runtime.compile(graph);
  const results = await program.run(feedsOf(yes));
  await program.dispose();
  return Array.from(results[output].data, Number);
}

describe("inlined functions", () => {
  const graph = graphOf(
    [
      call("leaky", ["x"], ["t"]),
      call("twice", ["t", "yes"], ["u"], { slope: float(0.5) }),
      node("Mul", ["u", "u"], ["y"]),
    ],
    [leaky, twice],
  );

  test("compute what ONNX Runtime computes by the functions, and leave none", async () => {
    const plain = inlineFunctions(graph);
    expect(plain.functions).toBeUndefined();
    expect(plain.domains).toBeUndefined();
    for (const yes of [true, false]) {
      const want = await run(graph, "y", yes);
      expect(want).toBeAllClose(yes ? [12.25, 6.25] : [6.25, 2.25], { rel: 1e-6 });
      for (const same of [plain, simplify(graph)])
        expect(await run(same, "y", yes)).toBeAllClose(want, { rel: 1e-6 });
    }
  });

  test("are the same object for the same graph, so that what is replayed twice is shared", () => {
    expect(inlineFunctions(graph)).toBe(inlineFunctions(graph));
  });

  test("are differentiated, and evaluated on the host", async () => {
    const straight = graphOf([call("leaky", ["x"], ["y"], { slope: float(0.5) })], [leaky]);
    const slopes = differentiate(straight, "y", ["x"]);
    expect(await run(slopes, "gradient/x", true)).toBeAllClose([1, 0.5], { abs: 0 });
    expect(interpret(straight, feedsOf(true)).y.data).toBeAllClose([1.5, 0], { abs: 0 });
  });

  test("may hand an input on, give one value twice, and lack an input", async () => {
    const odd = define(
      "odd",
      ["a", "low", "high"],
      ["same", "clipped", "again"],
      [node("Clip", ["a", "low", "high"], ["c"]), node("Identity", ["c"], ["clipped"])],
      { outputs: ["a", "c", "c"] },
    );
    const given = graphOf(
      [
        node("Constant", [], ["high"], { value_float: float(0.25) }),
        call("odd", ["x", "", "high"], ["same", "clipped", "again"]),
        node("Sum", ["same", "clipped", "again"], ["y"]),
      ],
      [odd],
    );
    expect(await run(inlineFunctions(given), "y", true)).toEqual([1, -6]);
  });

  test("of the standard operators' only user bring their version", () => {
    const graphAlone = { ...graphOf([call("leaky", ["x"], ["y"])], [leaky]), opset: 0 };
    expect(inlineFunctions(graphAlone).opset).toBe(18);
  });
});

test("functions that never end are refused", () => {
  const circle = define("circle", ["a"], ["b"], [call("circle", ["a"], ["b"])]);
  const inline = () => inlineFunctions(graphOf([call("circle", ["x"], ["y"])], [circle]));
  expect(inline).toThrow(UsageError);
  expect(inline).toThrow(/function "circle" calls itself/);
});

test("functions that make too many nodes are refused", () => {
  const doubling = Array.from({ length: 40 }, (_, i) => {
    const inner = i === 39 ? "leaky" : `f${i + 1}`;
    return define(`f${i}`, ["a"], ["b"], [call(inner, ["a"], ["t"]), call(inner, ["t"], ["b"])]);
  });
  const inline = () => inlineFunctions(graphOf([call("f0", ["x"], ["y"])], [...doubling, leaky]));
  expect(inline).toThrow(/make more than 100000 nodes/);
});
