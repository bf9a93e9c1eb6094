/** What runtimes say when something is wrong: one sentence that names the graph and the tensor or the node. */
import { FairleadError, UsageError } from "../../base/errors.ts";
import { trace } from "../../graph/builder.ts";
import type { Graph } from "../../graph/graph.ts";
import { checkEqual, checkRejects } from "../../testing/checks.ts";
import type { RuntimeCase } from "./runtimeCase.cases.ts";
import type { RuntimeTensor } from "../runtime.ts";
import { i, small, withProgram, x } from "./border.cases.ts";

type Tensors = Readonly<Record<string, RuntimeTensor>>;

const refused: readonly [string, Tensors, Tensors, RegExp][] = [
  ["a missing input", { x }, {}, /^the graph's input "i" was not given$/],
  [
    "a wrong shape",
    { x: { ...x, shape: [3, 2] }, i },
    {},
    /^"x" is of shape \[2, 3\], got \[3, 2\] with 6 values$/,
  ],
  [
    "too few numbers",
    { x: { data: new Float32Array(5), shape: [2, 3] }, i },
    {},
    /^"x" is of shape \[2, 3\], got \[2, 3\] with 5 values$/,
  ],
  [
    "another kind of array",
    { x: { data: new Float64Array(6), shape: [2, 3] }, i },
    {},
    /^"x" is float32 and takes a Float32Array, got a Float64Array$/,
  ],
  [
    "an output of a wrong shape",
    { x, i },
    { y: x, z: { ...i, shape: [1, 3] } },
    /^"z" is of shape \[3\], got \[1, 3\] with 3 values$/,
  ],
  [
    "an output that is not there",
    { x, i },
    { out: x },
    /^the graph has no output "out"; its outputs are y, z$/,
  ],
];

/** Grows one number to a shape of four numbers: as large as anyone asks. */
const growing: Graph = {
  ...trace({ x: { shape: [1] }, shape: { dtype: "int64", shape: [2] } }, ({ x }) => ({ y: x })),
  name: "growing",
  nodes: [{ op: "Expand", domain: "", name: "grow", inputs: ["x", "shape"], outputs: ["y"], attributes: {} }],
  outputs: [{ name: "y", dtype: "float32", shape: ["a", "b"] }],
};

export const errorCases: readonly RuntimeCase[] = [
  ...refused.map(([what, feeds, fetches, message]): RuntimeCase => {
    return {
      name: `refuses ${what} by name`,
      check: (runtime) =>
        withProgram(runtime, small, (program) =>
          checkRejects(program.run(feeds, fetches), UsageError, message),
        ),
    };
  }),
  {
    name: "refuses an element type that has no array here, by name",
    check: (runtime) => {
      const [first, second] = small.inputs;
      const graph: Graph = { ...small, inputs: [{ ...first, dtype: "bfloat16" }, second] };
      return checkRejects(
        runtime.compile(graph),
        UsageError,
        /^"x" of the graph "small" is bfloat16, which cannot be handed over: cast it inside the graph/,
      );
    },
  },
  {
    name: "says which graph ONNX Runtime does not take",
    check: (runtime) => {
      const nodes = small.nodes.map((node) => ({ ...node, op: node.op.replace("Exp", "Expo") }));
      return checkRejects(
        runtime.compile({ ...small, nodes }),
        FairleadError,
        /^ONNX Runtime refused the graph "small": .*Expo/,
      );
    },
  },
  {
    name: "says which operator has no kernel on the device",
    check: (runtime) => {
      const graph = trace({ a: { dtype: "int16", shape: [2, 2] } }, ({ a }) => ({ y: a }));
      const max = {
        op: "Max",
        domain: "",
        name: "above",
        inputs: ["a", "a"],
        outputs: ["y"],
        attributes: {},
      };
      return checkRejects(
        runtime.compile({ ...graph, name: "odd", nodes: [max] }),
        FairleadError,
        /^ONNX Runtime refused the graph "odd": the device ".*" has no kernel for Max \(node "above"\) with these element types: cast/,
      );
    },
  },
  {
    name: "says which graph failed to run, and goes on",
    check: async (runtime) => {
      const graph = trace({ x: { shape: [2, 3] }, i: { dtype: "int64", shape: [1] } }, ({ x, i }) => ({
        y: x.builder.apply("Gather", [x, i])[0],
      }));
      const row = (at: bigint): RuntimeTensor => ({ data: BigInt64Array.of(at), shape: [1] });
      await withProgram(runtime, { ...graph, name: "picking" }, async (program) => {
        await checkRejects(
          program.run({ x, i: row(7n) }),
          FairleadError,
          /^running "picking" failed: .*out of (data )?bounds/,
        );
        checkEqual((await program.run({ x, i: row(1n) })).y.data, Float32Array.of(3, 4, 5));
      });
    },
    notOn: {
      webgpu: "an index out of range is no error on a graphics card",
      "web-webgpu": "an index out of range is no error on a graphics card",
    },
  },
  {
    name: "says that a tensor is too large for the device, and goes on",
    check: (runtime) =>
      withProgram(runtime, growing, async (program) => {
        const run = (rows: bigint, columns: bigint) =>
          program.run({
            x: { data: Float32Array.of(1), shape: [1] },
            shape: { data: BigInt64Array.of(rows, columns), shape: [2] },
          });
        await checkRejects(
          run(2n ** 20n, 2n ** 20n),
          FairleadError,
          /^running "growing" failed: (out of memory|a tensor is larger than the device).*: run smaller batches or shapes/,
        );
        checkEqual((await run(1n, 2n)).y, { data: Float32Array.of(1, 1), shape: [1, 2] });
      }),
  },
];
