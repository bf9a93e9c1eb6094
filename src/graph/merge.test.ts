import { describe, expect, test } from "vitest";
import { philox } from "../base/philox.ts";
import { ints, int } from "./attributes.ts";
import { constantOf, numbersOf } from "./constant.ts";
import type { Attribute, Graph, Node } from "./graph.ts";
import { type InterpreterInput, interpret } from "./interpret.ts";
import { type GraphBranch, type MergeOptions, mergeBranches } from "./merge.ts";
import { perturb } from "./perturb.ts";
import { rowwiseValues } from "./rowwise.ts";
import { bindShapes } from "./transform.ts";

const [TOKENS, WORDS, WIDTH] = [5, 3, 4];

function node(
  op: string,
  inputs: string[],
  output: string,
  attributes: Record<string, Attribute> = {},
): Node {
  return { op, domain: "", name: output, inputs, outputs: [output], attributes };
}

const normal = (shape: readonly number[], stream: number): InterpreterInput => {
  const data = new Float64Array(shape.reduce((a, b) => a * b, 1));
  philox(3, stream).fillNormal(data);
  return { data, shape };
};

/** softmax(q k') v of what the layers `name`.q, .k and .v make of `x` and `source`, added to x. */
function attention(name: string, x: string, source: string): Node[] {
  return [
    node("MatMul", [x, `${name}.wq`], `${name}/q`),
    node("MatMul", [source, `${name}.wk`], `${name}/k`),
    node("Transpose", [`${name}/k`], `${name}/kt`, { perm: ints([0, 2, 1]) }),
    node("MatMul", [source, `${name}.wv`], `${name}/v`),
    node("MatMul", [`${name}/q`, `${name}/kt`], `${name}/scores`),
    node("Softmax", [`${name}/scores`], `${name}/map`, { axis: int(-1) }),
    node("MatMul", [`${name}/map`, `${name}/v`], `${name}/context`),
    node("Add", [x, `${name}/context`], `${name}/out`),
  ];
}

const layers = ["down", "text", "mid", "up"];
const weights = layers.flatMap((name, i) =>
  ["wq", "wk", "wv"].map((kind, k) => {
    const shape = [WIDTH, WIDTH];
    return [
      `${name}.${kind}`,
      constantOf("float32", shape, normal(shape, 10 * i + k).data as Float64Array),
    ] as const;
  }),
);

/** Attention to itself, to a text, in the middle and behind; a level for all rows enters as exporters write it. */
const network: Graph = {
  name: "network",
  opset: 18,
  inputs: [
    { name: "x", dtype: "float32", shape: ["batch", TOKENS, WIDTH] },
    { name: "level", dtype: "float32", shape: [1] },
    { name: "words", dtype: "float32", shape: ["batch", WORDS, WIDTH] },
  ],
  outputs: [{ name: "y", dtype: "float32", shape: ["batch", TOKENS, WIDTH] }],
  nodes: [
    node("Shape", ["x"], "shape"),
    node("Gather", ["shape", "first"], "rows", { axis: int(0) }),
    node("Expand", ["level", "rows"], "levels"),
    node("Unsqueeze", ["levels", "behind"], "column"),
    node("Add", ["x", "column"], "entered"),
    ...attention("down", "entered", "entered"),
    ...attention("text", "down/out", "words"),
    ...attention("mid", "text/out", "text/out"),
    ...attention("up", "mid/out", "mid/out"),
    node("Sub", ["up/out", "down/out"], "y"),
  ],
  initializers: new Map([
    ...weights,
    ["first", constantOf("int64", [1], [0])] as const,
    ["behind", constantOf("int64", [2], [1, 2])] as const,
  ]),
  metadata: {},
};

const how = { kind: "identity", layers: ["mid"] } as const;
const feeds = {
  x: normal([2, TOKENS, WIDTH], 100),
  level: { data: [0.7], shape: [1] },
  cat: normal([2, WORDS, WIDTH], 101),
  dog: normal([2, WORDS, WIDTH], 102),
};
const on = (words: string): Pick<GraphBranch, "inputs"> => ({ inputs: { words } });
const batch = { dim: "batch", size: 2 };

/** A branch run for itself. */
function alone({ inputs = {}, perturbation }: GraphBranch, of = network): Float64Array {
  const bound = bindShapes(of, { batch: 2 });
  const words = feeds[inputs.words as "cat" | "dog"];
  const graph = perturbation ? perturb(bound, perturbation) : bound;
  return numbersOf(interpret(graph, { ...feeds, words }).y);
}

const cases: Record<string, readonly GraphBranch[]> = {
  "two conditions": [
    { name: "uncond", ...on("cat") },
    { name: "cond", ...on("dog") },
  ],
  "two conditions, the second perturbed too": [
    { name: "uncond", ...on("cat") },
    { name: "worse", ...on("dog"), perturbation: how },
    { name: "cond", ...on("dog") },
  ],
  "one condition, two perturbations": [
    { name: "cond", ...on("dog") },
    { name: "mid", ...on("dog"), perturbation: how },
    { name: "up", ...on("dog"), perturbation: { kind: "identity", layers: ["up"] } },
  ],
  "one condition perturbed, the other plain": [
    { name: "uncond", ...on("cat"), perturbation: { kind: "identity", layers: ["down"] } },
    { name: "cond", ...on("dog") },
  ],
};

describe.each(Object.entries(cases))("%s", (_, branches) => {
  test("as one batch give what separate runs give", () => expectSeparate(network, branches, { batch }));
  test("one after the other give what separate runs give", () => {
    expectSeparate(network, branches, {});
  });
});

function expectSeparate(of: Graph, branches: readonly GraphBranch[], options: MergeOptions): void {
  const merged = mergeBranches(options.batch ? of : bindShapes(of, { batch: 2 }), branches, options);
  expect(merged.graph.outputs.map(({ name }) => name)).toEqual(branches.map(({ name }) => name));
  const got = interpret(merged.graph, feeds);
  for (const branch of branches)
    expect(numbersOf(got[branch.name])).toBeAllClose(alone(branch, of), { abs: 1e-12 });
}

test("values in which tokens come before rows are not taken for rows", () => {
  const detour = (name: string, from: string): Node[] => [
    node("Transpose", [from], `${name}/turned`, { perm: ints([1, 0, 2]) }),
    node("Reshape", [`${name}/turned`, "flat"], `${name}/flat`),
    node("MatMul", [`${name}/flat`, "down.wq"], `${name}/product`),
    node("Reshape", [`${name}/product`, "split"], `${name}/split`),
    node("Transpose", [`${name}/split`], `${name}/out`, { perm: ints([1, 0, 2]) }),
  ];
  const turned: Graph = {
    ...network,
    nodes: [
      ...detour("first", "x"),
      ...attention("text", "first/out", "words"),
      ...detour("second", "text/out"),
      ...attention("mid", "second/out", "second/out"),
      // What differs meets what does not while tokens come first.
      node("Transpose", ["mid/out"], "mid/turned", { perm: ints([1, 0, 2]) }),
      node("Add", ["mid/turned", "second/split"], "sum"),
      node("Sub", ["sum", "first/split"], "difference"),
      node("Transpose", ["difference"], "y", { perm: ints([1, 0, 2]) }),
    ],
    initializers: new Map([
      ...weights,
      ["flat", constantOf("int64", [2], [-1, WIDTH])] as const,
      ["split", constantOf("int64", [3], [TOKENS, -1, WIDTH])] as const,
    ]),
  };
  expectSeparate(turned, cases["two conditions, the second perturbed too"], { batch });
});

test("what no condition reaches is computed once, for the rows of one", () => {
  const { graph, plan } = mergeBranches(network, cases["two conditions"], { batch });
  const softmaxes = graph.nodes.filter(({ op }) => op === "Softmax");
  expect(softmaxes).toHaveLength(layers.length);
  const { evaluations, steps } = plan();
  expect(steps).toEqual([expect.stringMatching(/^uncond, cond: one batch of 2 conditions/)]);
  // The first of four attentions is one of both.
  expect(evaluations).toBeGreaterThan(1.6);
  expect(evaluations).toBeLessThan(1.8);
});

test("a perturbed branch starts at its layer, with the rows of its condition", () => {
  const { graph, plan } = mergeBranches(network, cases["two conditions, the second perturbed too"], {
    batch,
  });
  // Four, and the one behind the middle again.
  expect(graph.nodes.filter(({ op }) => op === "Softmax")).toHaveLength(layers.length + 1);
  expect(plan().steps[1]).toMatch(
    /^worse \(identity\): by itself from node "mid\/context" on, all before it shared/,
  );
});

test("rows are told from other first axes", () => {
  const turned: Graph = {
    ...network,
    nodes: [
      node("Transpose", ["x"], "tokensFirst", { perm: ints([1, 0, 2]) }),
      node("Reshape", ["tokensFirst", "flat"], "mixed"),
      node("Reshape", ["x", "flat"], "stacked"),
      node("ReduceSum", ["x", "axis"], "summed"),
      node("Add", ["stacked", "mixed"], "y"),
    ],
    initializers: new Map([
      ["flat", constantOf("int64", [2], [-1, WIDTH])],
      ["axis", constantOf("int64", [1], [0])],
    ]),
  };
  expect([...rowwiseValues(turned, "batch", 2)].sort()).toEqual(["stacked", "words", "x"]);
  expect(rowwiseValues(network, "batch", 1)).toContain("column");
});

test("names that are not the graph's are refused", () => {
  const wrong = [
    [[{ name: "a", inputs: { text: "b" } }], {}, /no input "text"; its inputs are: x, level, words/],
    [[{ name: "a" }], { output: "z" }, /no output "z"; its outputs are: y/],
    [[{ name: "a" }, { name: "a" }], {}, /two branches are called "a"/],
    [[], {}, /no branch/],
    [[{ name: "a" }], {}, /dimension "batch" is not known/],
    [[{ name: "a", inputs: { level: "l" } }, { name: "b" }], { batch }, /cannot differ in "level"/],
  ] as const;
  for (const [branches, options, message] of wrong) {
    expect(() => mergeBranches(network, branches, options)).toThrow(message);
  }
});
