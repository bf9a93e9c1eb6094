import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { nodeRuntime } from "../runtime/node.ts";
import type { RuntimeTensor } from "../runtime/runtime.ts";
import { float, graph as body, int, ints } from "./attributes.ts";
import { constantOf } from "./constant.ts";
import type { Attributes, DataType, Dim, Graph, NamedType, Node, Subgraph } from "./graph.ts";
import { differentiate, exposeInitializers, simplify } from "./transform.ts";

const runtime = nodeRuntime({ threads: 1 });

// --- Graphs in few words.

const node = (
  op: string,
  inputs: string[],
  outputs: string[],
  attributes: Attributes = {},
  domain = "",
): Node => ({
  op,
  domain,
  name: `${op} of ${outputs[0]}`,
  inputs,
  outputs,
  attributes,
});
const type = (name: string, shape: readonly Dim[] = [2], dtype: DataType = "float32"): NamedType => ({
  name,
  dtype,
  shape,
});
const branch = (
  nodes: readonly Node[],
  outputs: readonly NamedType[],
  more: Partial<Subgraph> = {},
): Subgraph => ({
  name: "branch",
  inputs: [],
  outputs,
  nodes,
  initializers: new Map(),
  ...more,
});
const graphOf = (nodes: readonly Node[], more: Partial<Graph> = {}): Graph => ({
  ...branch(nodes, [type("y")]),
  name: "test",
  inputs: [type("x"), type("yes", [], "bool")],
  opset: 18,
  metadata: {},
  ...more,
});

const x: RuntimeTensor = { data: Float32Array.of(0.5, -2), shape: [2] };
const yes = (value: boolean): RuntimeTensor => ({ data: Uint8Array.of(Number(value)), shape: [] });

async function run(graph: Graph, feeds: Record<string, RuntimeTensor>): Promise<number[]> {
  const program = await runtime.compile(graph);
  const { y } = await program.run(feeds);
  await program.dispose();
  return Array.from(y.data, Number);
}

/** ONNX Runtime computes the same from the graph as it is and simplified. */
async function expectKept(graph: Graph, feeds: Record<string, RuntimeTensor>): Promise<Graph> {
  const simple = simplify(graph);
  expect(await run(simple, feeds)).toBeAllClose(await run(graph, feeds), { rel: 1e-6 });
  return simple;
}

// --- If.

/** y = if yes then 3 (x + 1) else -x; both branches call their values alike, and read two values from around them. */
const choice = graphOf(
  [
    node("Add", ["x", "one"], ["more"]),
    node("If", ["yes"], ["y"], {
      then_branch: body(
        branch([node("Mul", ["more", "k"], ["r"])], [type("r")], {
          initializers: new Map([["k", constantOf("float32", [], [3])]]),
        }),
      ),
      else_branch: body(branch([node("Neg", ["x"], ["r"])], [type("r")])),
    }),
  ],
  { initializers: new Map([["one", constantOf("float32", [1], [1])]]) },
);

describe("an If whose condition is an input", () => {
  test("keeps both branches and what they read", async () => {
    for (const value of [true, false]) {
      const simple = await expectKept(choice, { x, yes: yes(value) });
      expect(simple.nodes.map(({ op }) => op)).toEqual(["Add", "If", "Identity"]);
    }
  });

  test("reads values by the names they have afterwards", async () => {
    // "more" is what the Add before it computes already, and goes by that one's name.
    const shared = { ...choice, nodes: [node("Add", ["x", "one"], ["same"]), ...choice.nodes] };
    await expectKept(shared, { x, yes: yes(true) });
  });

  test("is simplified twice to the same nodes", async () => {
    const twice = simplify(simplify(choice));
    expect(twice.nodes.map(({ op }) => op)).toEqual(["Add", "If", "Identity"]);
    expect(await run(twice, { x, yes: yes(true) })).toEqual([4.5, -3]);
  });

  test("refuses gradients that pass through it, and says what to do", () => {
    expect(() => differentiate(choice, "y", ["x"])).toThrow(UsageError);
    expect(() => differentiate(choice, "y", ["x"])).toThrow(
      /operator "If" \(node "If of y"\) has no gradient: .* \(in the graph "test"\)$/,
    );
  });

  test("lets gradients pass beside it", async () => {
    const beside = {
      ...choice,
      outputs: [...choice.outputs, type("z")],
      nodes: [...choice.nodes, node("Mul", ["x", "x"], ["z"])],
    };
    const program = await runtime.compile(differentiate(beside, "z", ["x"]));
    const { "gradient/x": slope } = await program.run({ x, yes: yes(true) });
    await program.dispose();
    expect(slope.data).toBeAllClose([1, -4], { abs: 1e-6 });
  });

  test("with branches of two sizes is refused unless the graph says a type", () => {
    const uneven = graphOf(
      [
        node("If", ["yes"], ["y"], {
          then_branch: body(branch([node("Neg", ["x"], ["r"])], [type("r")])),
          else_branch: body(
            branch([node("ReduceSum", ["x"], ["r"], { keepdims: int(1) })], [type("r", [1])]),
          ),
        }),
      ],
      { outputs: [type("y", ["n"])] },
    );
    expect(() => simplify(uneven)).toThrow(/"y" has another type in each branch of If at node "If of y"/);
    expect(simplify({ ...uneven, outputs: [type("y", [2])] }).nodes).toHaveLength(2);
  });
});

test("an If whose condition is known is its branch", async () => {
  for (const value of [1, 0]) {
    const known = {
      ...choice,
      inputs: [type("x")],
      initializers: new Map([...choice.initializers, ["yes", constantOf("bool", [], [value])]]),
    };
    const simple = await expectKept(known, { x });
    expect(simple.nodes.some(({ op }) => op === "If")).toBe(false);
    const program = await runtime.compile(differentiate(known, "y", ["x"]));
    expect((await program.run({ x }))["gradient/x"].data).toBeAllClose(value ? [3, 3] : [-1, -1], { abs: 0 });
    await program.dispose();
  }
});

// --- Loops.

/** y = x * 2 + 1, four times over; every total is stacked in `all`. The body holds an If that reads across it. */
const loop = (trips: number | null): Graph =>
  graphOf(
    [
      node("Loop", [trips === null ? "count" : "trips", "", "x"], ["y", "all"], {
        body: body({
          name: "body",
          inputs: [type("i", [], "int64"), type("go", [], "bool"), type("sum")],
          outputs: [type("go_on", [], "bool"), type("next"), type("each")],
          nodes: [
            node("Identity", ["go"], ["go_on"]),
            node("Mul", ["sum", "two"], ["doubled"]),
            node("If", ["yes"], ["next"], {
              then_branch: body(branch([node("Add", ["doubled", "one"], ["r"])], [type("r")])),
              else_branch: body(branch([node("Sub", ["doubled", "x"], ["r"])], [type("r")])),
            }),
            node("Identity", ["next"], ["each"]),
          ],
          initializers: new Map([["one", constantOf("float32", [1], [1])]]),
        }),
      }),
    ],
    {
      inputs: [type("x"), type("yes", [], "bool"), ...(trips === null ? [type("count", [], "int64")] : [])],
      initializers: new Map([
        ["two", constantOf("float32", [], [2])],
        ...(trips === null ? [] : [["trips", constantOf("int64", [], [trips])] as const]),
      ]),
    },
  );

describe("a Loop", () => {
  test("of a known number of turns keeps its results and the stack of them", async () => {
    const both = { ...loop(4), outputs: [type("y"), type("all", [4, 2])] };
    await expectKept(both, { x, yes: yes(true) });
    const simple = await expectKept(both, { x, yes: yes(false) });
    expect(simple.outputs[1].shape).toEqual([4, 2]);
  });

  test("of any number of turns keeps its results; a stack of unknown height is refused", async () => {
    const open = loop(null);
    const count = { data: BigInt64Array.of(3n), shape: [] };
    expect(() => simplify(open)).toThrow(/how often Loop runs.*is computed at run time at node "Loop of y"/);
    await expectKept(withoutStack(open), { x, yes: yes(true), count });
  });
});

function withoutStack(graph: Graph): Graph {
  const [outer] = graph.nodes;
  const inner = (outer.attributes.body as { value: Subgraph }).value;
  const slim = { ...inner, outputs: inner.outputs.slice(0, 2), nodes: inner.nodes.slice(0, 3) };
  return { ...graph, nodes: [{ ...outer, outputs: ["y"], attributes: { body: body(slim) } }] };
}

test("a Scan along any axis keeps its results", async () => {
  const cumulative = graphOf(
    [
      node("Scan", ["start", "m"], ["last", "y"], {
        num_scan_inputs: int(1),
        scan_input_axes: ints([1]),
        scan_output_axes: ints([1]),
        body: body({
          name: "body",
          inputs: [type("sum"), type("element")],
          outputs: [type("next"), type("copy")],
          nodes: [
            node("Add", ["sum", "element"], ["next"]),
            node("LeakyRelu", ["next"], ["copy"], { alpha: float(0.5) }),
          ],
          initializers: new Map(),
        }),
      }),
    ],
    {
      inputs: [type("m", [2, 3])],
      outputs: [type("y", [2, 3])],
      initializers: new Map([["start", constantOf("float32", [2], [0, 0])]]),
    },
  );
  const m = { data: Float32Array.of(1, 2, 3, -4, -5, -6), shape: [2, 3] };
  expect((await expectKept(cumulative, { m })).outputs[0].shape).toEqual([2, 3]);
  expect(await run(simplify(cumulative), { m })).toEqual([1, 3, 6, -2, -4.5, -7.5]);
});

test("bodies of an older operator set are brought to the builder's", async () => {
  const old = graphOf(
    [
      node("If", ["yes"], ["y"], {
        then_branch: body(
          branch(
            [
              node("Unsqueeze", ["x"], ["u"], { axes: ints([0]) }),
              node("Squeeze", ["u"], ["r"], { axes: ints([0]) }),
            ],
            [type("r")],
          ),
        ),
        else_branch: body(branch([node("Neg", ["x"], ["r"])], [type("r")])),
      }),
    ],
    { opset: 11 },
  );
  const simple = await expectKept(old, { x, yes: yes(true) });
  expect(simple.opset).toBe(18);
  await expectKept(old, { x, yes: yes(false) });
});

// --- Operators without a rule.

describe("an operator that has no rule", () => {
  const custom = graphOf(
    [
      node("Neg", ["x"], ["minus"]),
      node("Mystery", ["minus"], ["odd"], {}, "some.where"),
      node("Abs", ["odd"], ["y"]),
    ],
    {
      domains: { "some.where": 7 },
    },
  );

  test("is carried along where the graph says its type, with its version", () => {
    const simple = simplify({ ...custom, types: new Map([["odd", type("odd")]]) });
    expect(simple.nodes.map(({ op }) => op)).toEqual(["Neg", "Mystery", "Abs", "Identity"]);
    expect(simple.domains).toEqual({ "some.where": 7 });
  });

  test("and is not taken for the same as another one: it may be random", () => {
    const two = {
      ...custom,
      nodes: [
        node("Mystery", ["x"], ["a"], {}, "some.where"),
        node("Mystery", ["x"], ["b"], {}, "some.where"),
        node("Add", ["a", "b"], ["y"]),
      ],
      types: new Map(["a", "b"].map((name) => [name, type(name)])),
    };
    expect(simplify(two).nodes.filter(({ op }) => op === "Mystery")).toHaveLength(2);
  });

  test("is refused otherwise, by operator, node and graph, and with what to do", () => {
    for (const types of [undefined, new Map([["odd", type("odd", ["n"])]])]) {
      expect(() => simplify({ ...custom, types })).toThrow(
        /^no rule for operator "some.where::Mystery" \(node "Mystery of odd"\): .* say the types .* \(in the graph "test"\)$/,
      );
    }
  });

  test("does not stop gradients beside it, and stops those through it", () => {
    const typed = { ...custom, types: new Map([["odd", type("odd")]]) };
    expect(() => differentiate(typed, "y", ["x"])).toThrow(
      /"some.where::Mystery" \(node "Mystery of odd"\) has no gradient/,
    );
  });
});

test("an exposed initializer is read in a body as an input", async () => {
  const exposed = exposeInitializers(choice, ["one"]);
  const feeds = { x, yes: yes(true), one: { data: Float32Array.of(1), shape: [1] } };
  await expectKept(exposed, feeds);
});
