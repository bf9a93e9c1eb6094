import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { int, ints } from "./attributes.ts";
import { Builder, trace } from "./builder.ts";
import { constantOf } from "./constant.ts";
import type { Attribute, Graph, Node } from "./graph.ts";
import { interpret } from "./interpret.ts";
import { add, cast, exp, greater, mul, pow, sin, tanh } from "./ops/elementwise.ts";
import { matmul } from "./ops/linear.ts";
import { reduceSum } from "./ops/reduce.ts";
import { replay } from "./replay.ts";
import { bindShapes, differentiate, exposeInitializers, simplify } from "./transform.ts";

const node = (
  op: string,
  inputs: string[],
  outputs: string[],
  attributes: Record<string, Attribute> = {},
): Node => ({
  op,
  domain: "",
  name: `node of ${outputs[0]}`,
  inputs,
  outputs,
  attributes,
});

/** An exported graph: y = sin(reshape(x, [rows of x, -1])) twice, its rows unbound, with dead and constant parts. */
const exported: Graph = {
  name: "exported",
  opset: 17,
  inputs: [{ name: "x", dtype: "float32", shape: ["batch", 2, 2] }],
  outputs: [{ name: "y", dtype: "float32", shape: ["batch", 4] }],
  nodes: [
    node("Constant", [], ["zero"], { value: { kind: "tensor", value: constantOf("int64", [], [0]) } }),
    node("Constant", [], ["rest"], { value_ints: ints([-1]) }),
    node("Shape", ["x"], ["shape"]),
    node("Gather", ["shape", "zero"], ["rows"], { axis: int(0) }),
    node("Constant", [], ["axes"], { value_ints: ints([0]) }),
    node("Unsqueeze", ["rows", "axes"], ["rows1"]),
    node("Concat", ["rows1", "rest"], ["target"], { axis: int(0) }),
    node("Reshape", ["x", "target"], ["flat"]),
    node("Sin", ["flat"], ["a"]),
    node("Sin", ["flat"], ["b"]),
    node("Exp", ["flat"], ["dead"]),
    node("Add", ["a", "b"], ["sum"]),
    node("Identity", ["sum"], ["y"]),
  ],
  initializers: new Map(),
  metadata: { origin: "a test" },
};
const batch2 = { data: [0, 0.5, 1, 1.5, 2, 2.5, 3, -1], shape: [2, 2, 2] };

describe("simplify", () => {
  test("computes an exporter's shape arithmetic, equal calls once and dead ones never, and keeps the results", () => {
    const simple = simplify(bindShapes(exported, { batch: 2 }));
    expect(simple.nodes.map(({ op }) => op)).toEqual(["Reshape", "Sin", "Add", "Identity"]);
    expect(simple.metadata).toEqual({ origin: "a test" });
    expect(simple.opset).toBe(18);
    const want = batch2.data.map((x) => 2 * Math.sin(x));
    expect(interpret(simple, { x: batch2 }).y.data).toBeAllClose(want, { rel: 1e-15 });
    expect(interpret(exported, { x: batch2 }).y.data).toBeAllClose(want, { rel: 1e-15 });
  });

  test("is done after one time", () => {
    const once = simplify(bindShapes(exported, { batch: 2 }));
    expect(simplify(once)).toEqual(once);
  });
});

describe("bindShapes", () => {
  test("gives inputs and outputs their sizes", () => {
    const bound = bindShapes(exported, { batch: 3 });
    expect(bound.inputs[0].shape).toEqual([3, 2, 2]);
    expect(bound.outputs[0].shape).toEqual([3, 4]);
  });

  test("sizes follow from one another, in inputs, outputs and the types of values", () => {
    const related: Graph = {
      ...exported,
      inputs: [{ name: "x", dtype: "float32", shape: ["batch", "4*h", 2] }],
      outputs: [{ name: "y", dtype: "float32", shape: ["batch", "8*h"] }],
      types: new Map([["flat", { name: "flat", dtype: "float32", shape: ["batch", "8*h"] }]]),
    };
    const ways: Record<string, number | number[]>[] = [
      { batch: 3, h: 5 },
      { batch: 3, "4*h": 20 },
      { x: [3, 20, 2] },
    ];
    for (const sizes of ways) {
      const bound = bindShapes(related, sizes);
      expect(bound.inputs[0].shape).toEqual([3, 20, 2]);
      expect(bound.outputs[0].shape).toEqual([3, 40]);
      expect(bound.types!.get("flat")!.shape).toEqual([3, 40]);
    }
    expect(bindShapes(related, { h: 5 }).inputs[0].shape).toEqual(["batch", 20, 2]);
    expect(() => bindShapes(related, { "4*h": 20, h: 4 })).toThrow('"h" cannot be 4 and 5');
    expect(() => bindShapes(related, { h: 0.5 })).toThrow('"h" cannot be 0.5');
    expect(() => bindShapes(related, { x: [3, 20, 3] })).toThrow(
      'no input "x" can be of shape [3, 20, 3]; there are: x [batch, 4*h, 2]',
    );
  });

  test("says that a dimension of an output follows from the inputs", () => {
    const wider = {
      ...exported,
      outputs: [{ name: "y", dtype: "float32" as const, shape: ["batch", "width"] }],
    };
    expect(() => bindShapes(wider, { width: 4 })).toThrow(
      'no input has a dimension "width": it is one of the output "y", and follows from those of the inputs; there are: batch',
    );
    expect(simplify(bindShapes(wider, { batch: 2 })).outputs[0].shape).toEqual([2, 4]);
  });

  test("refuses a dimension that is not there, and unbound ones are asked for by name", () => {
    expect(() => bindShapes(exported, { rows: 3 })).toThrow(
      'no input has a dimension "rows"; there are: batch',
    );
    expect(() => simplify(exported)).toThrow('bindShapes(graph, { "batch": 1 })');
  });
});

describe("differentiate", () => {
  // f(x, w) = sum of x^3 w; df/dx = 3 x^2 w; d2f/dx2 = 6 x w, d2f/dx dw = 3 x^2
  const cubic = trace(
    { x: { dtype: "float64", shape: [3] }, w: { dtype: "float64", shape: [3] } },
    ({ x, w }) => ({
      f: mul(pow(x, 3), w),
    }),
  );
  const x = [1, -2, 0.5];
  const w = [1, 0.5, 4];
  const inputs = { x: { data: x, shape: [3] }, w: { data: w, shape: [3] } };

  test("adds the gradient of the output's sum, and keeps the output", () => {
    const graph = differentiate(cubic, "f", ["x", "w"]);
    expect(graph.outputs.map(({ name }) => name)).toEqual(["f", "gradient/x", "gradient/w"]);
    const got = interpret(graph, inputs);
    expect(got.f.data).toBeAllClose(
      x.map((v, i) => v ** 3 * w[i]),
      { rel: 1e-15 },
    );
    expect(got["gradient/x"].data).toBeAllClose(
      x.map((v, i) => 3 * v ** 2 * w[i]),
      { rel: 1e-15 },
    );
    expect(got["gradient/w"].data).toBeAllClose(
      x.map((v) => v ** 3),
      { rel: 1e-15 },
    );
  });

  test("can be applied to its own result", () => {
    const twice = differentiate(differentiate(cubic, "f", ["x"]), "gradient/x", ["x", "w"], {
      prefix: "second",
    });
    const got = interpret(twice, inputs);
    expect(got["second/x"].data).toBeAllClose(
      x.map((v, i) => 6 * v * w[i]),
      { rel: 1e-15 },
    );
    expect(got["second/w"].data).toBeAllClose(
      x.map((v) => 3 * v ** 2),
      { rel: 1e-15 },
    );
  });

  test("with a seed it is the vector-Jacobian product, sum_i v_i df_i/dx", () => {
    const graph = differentiate(cubic, "f", ["x"], { seed: "v" });
    const v = [2, -1, 0.25];
    const got = interpret(graph, { ...inputs, v: { data: v, shape: [3] } });
    expect(got["gradient/x"].data).toBeAllClose(
      x.map((one, i) => v[i] * 3 * one ** 2 * w[i]),
      { rel: 1e-15 },
    );
    expect(() => differentiate(cubic, "f", ["x"], { seed: "w" })).toThrow('already has an input "w"');
  });

  test("is zero for an input that the output does not need", () => {
    const graph = trace({ x: { shape: [2] }, z: { shape: [3] } }, ({ x, z }) => ({
      y: exp(x),
      other: exp(z),
    }));
    const got = interpret(differentiate(graph, "y", ["z"]), {
      x: { data: [1, 2], shape: [2] },
      z: { data: [1, 2, 3], shape: [3] },
    });
    expect(got["gradient/z"].data).toEqual(Float64Array.of(0, 0, 0));
  });

  test("says which names there are", () => {
    expect(() => differentiate(cubic, "g", ["x"])).toThrow('no output "g"; its outputs are f');
    expect(() => differentiate(cubic, "f", ["z"])).toThrow('no input "z"; its inputs are x, w');
    const once = differentiate(cubic, "f", ["x"]);
    expect(() => differentiate(once, "gradient/x", ["x"])).toThrow('already has an output "gradient/x"');
  });

  test("is for floats only", () => {
    const graph = trace({ x: { shape: [2] }, i: { dtype: "int64", shape: [2] } }, ({ x, i }) => ({
      larger: greater(x, 0),
      y: add(x, cast(i, "float32")),
    }));
    expect(() => differentiate(graph, "larger", ["x"])).toThrow(
      /is of type bool: only floats have gradients/,
    );
    expect(() => differentiate(graph, "y", ["i"])).toThrow(
      '"i" is of type int64: only floats have gradients',
    );
    expect(() => differentiate(graph, "y", ["i"])).toThrow(UsageError);
  });

  test("runs on ONNX Runtime, twice differentiated, with the host's numbers", async () => {
    const network = trace({ x: { shape: [4, 3] }, w: { shape: [3, 2] } }, ({ x, w }) => ({
      y: reduceSum(tanh(matmul(x, w)), [1]),
    }));
    const twice = differentiate(differentiate(network, "y", ["x"]), "gradient/x", ["w"], {
      prefix: "second",
    });
    const feeds = {
      x: { data: Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)), shape: [4, 3] },
      w: { data: Float32Array.from({ length: 6 }, (_, i) => Math.cos(i)), shape: [3, 2] },
    };
    const program = await nodeRuntime({ threads: 1 }).compile(twice);
    const got = await program.run(feeds);
    await program.dispose();
    const want = interpret(twice, feeds);
    for (const name of ["y", "gradient/x", "second/w"]) {
      expect(got[name].data).toBeAllClose(want[name].data, { abs: 1e-5, rel: 1e-5 });
    }
  });
});

describe("exposeInitializers", () => {
  const graph: Graph = {
    ...exported,
    inputs: [{ name: "x", dtype: "float32", shape: [2] }],
    nodes: [node("Mul", ["x", "w"], ["xw"]), node("Add", ["xw", "b"], ["y"])],
    initializers: new Map([
      ["w", constantOf("float32", [2], [3, 4])],
      ["b", constantOf("float32", [2], [1, 1])],
    ]),
  };

  test("makes parameters inputs that can be differentiated", () => {
    const exposed = exposeInitializers(graph, ["w"]);
    expect(exposed.inputs.map(({ name }) => name)).toEqual(["x", "w"]);
    expect([...exposed.initializers.keys()]).toEqual(["b"]);
    const got = interpret(differentiate(exposed, "y", ["w"]), {
      x: { data: [5, 6], shape: [2] },
      w: { data: [1, 2], shape: [2] },
    });
    expect(got.y.data).toEqual(Float64Array.of(6, 13));
    expect(got["gradient/w"].data).toEqual(Float64Array.of(5, 6));
  });

  test("says which there are", () => {
    expect(() => exposeInitializers(graph, ["weight"])).toThrow(
      'no initializer "weight"; its initializers are: w, b',
    );
  });
});

describe("replay", () => {
  test("two graphs in one builder share what is equal", () => {
    const make = (last: "exp" | "sin"): Graph =>
      trace({ x: { shape: [2] } }, ({ x }) => ({ y: (last === "exp" ? exp : sin)(add(mul(x, 2), 1)) }));
    const builder = new Builder();
    const inputs = { x: builder.input("x", "float32", [2]) };
    const merged = builder.build({
      a: replay(make("exp"), builder, inputs).y,
      b: replay(make("sin"), builder, inputs).y,
    });
    expect(merged.nodes.map(({ op }) => op)).toEqual(["Mul", "Add", "Exp", "Sin", "Identity", "Identity"]);
  });

  test("asks for a missing input, and refuses graphs that read what nobody computes", () => {
    expect(() => replay(exported, new Builder(), {})).toThrow('has an input "x" that was not given');
    const cyclic = { ...exported, nodes: exported.nodes.slice(3) };
    expect(() => simplify(bindShapes(cyclic, { batch: 2 }))).toThrow('node "node of rows" reads "shape"');
  });

  test("refuses operator sets that it does not know", () => {
    expect(() => simplify(bindShapes({ ...exported, opset: 6 }, { batch: 2 }))).toThrow(
      "export it again with opset 7 or later",
    );
    expect(() => replay({ ...exported, opset: 21 }, new Builder(18), {})).toThrow("use new Builder(21)");
  });
});
