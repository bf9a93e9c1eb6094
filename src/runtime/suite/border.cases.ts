/** How tensors cross the border: element types, shapes, pre-allocated outputs. */
import { trace } from "../../graph/builder.ts";
import type { DataType, Graph } from "../../graph/graph.ts";
import { add, cast, exp } from "../../graph/ops/elementwise.ts";
import { concat } from "../../graph/ops/reshape.ts";
import { checkClose, checkEqual } from "../../testing/checks.ts";
import type { RuntimeCase } from "./runtimeCase.cases.ts";
import type { Program, Runtime, RuntimeArray, RuntimeTensor } from "../runtime.ts";

/** y = e^x + i, and z = i + 1. */
export const small: Graph = {
  ...trace({ x: { shape: [2, 3] }, i: { dtype: "int64", shape: [3] } }, ({ x, i }) => ({
    y: add(exp(x), cast(i, "float32")),
    z: add(i, i.builder.literal(1, "int64")),
  })),
  name: "small",
};
export const x: RuntimeTensor = { data: Float32Array.of(0, 1, 2, 3, 4, 5), shape: [2, 3] };
export const i: RuntimeTensor = { data: BigInt64Array.of(10n, 20n, 30n), shape: [3] };
const want = Array.from({ length: 6 }, (_, at) => Math.exp(at) + 10 * ((at % 3) + 1));

/** Compiles, uses, and disposes of. */
export async function withProgram(
  runtime: Runtime,
  graph: Graph,
  use: (program: Program) => Promise<void>,
): Promise<void> {
  await using program = await runtime.compile(graph);
  await use(program);
}

/** Values of every element type that crosses, with the same values as float32. */
const types: readonly [DataType, RuntimeArray, readonly number[]][] = [
  ["float32", Float32Array.of(-1.5, 0, 3e38), [-1.5, 0, 3e38]],
  ["float64", Float64Array.of(-1.5, 0, 0.1), [-1.5, 0, 0.1]],
  ["float16", Uint16Array.of(0xbe00, 0x0001, 0x7bff), [-1.5, 2 ** -24, 65504]],
  ["int8", Int8Array.of(-128, 0, 127), [-128, 0, 127]],
  ["int16", Int16Array.of(-32768, 0, 32767), [-32768, 0, 32767]],
  ["int32", Int32Array.of(-(2 ** 31), 0, 2 ** 24), [-(2 ** 31), 0, 2 ** 24]],
  ["int64", BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 40n), [-(2 ** 63), 0, 2 ** 40]],
  ["uint8", Uint8Array.of(0, 1, 255), [0, 1, 255]],
  ["uint16", Uint16Array.of(0, 1, 65535), [0, 1, 65535]],
  ["uint32", Uint32Array.of(0, 1, 2 ** 31), [0, 1, 2 ** 31]],
  ["uint64", BigUint64Array.of(0n, 1n, 2n ** 63n), [0, 1, 2 ** 63]],
  ["bool", Uint8Array.of(0, 1, 1), [0, 1, 1]],
];

const noHalf = "SwiftShader has no float16";

/** What cannot be cast where. */
const lacking: Partial<Record<DataType, RuntimeCase["notOn"]>> = {
  float16: { webgpu: noHalf, "web-webgpu": noHalf },
  float64: { "web-webgpu": "onnxruntime-web's build with WebGPU has no Cast of float64" },
  int16: { "web-webgpu": "onnxruntime-web's build with WebGPU has no Cast of int16" },
  uint16: { "web-webgpu": "onnxruntime-web's build with WebGPU has no Cast of uint16" },
};

/** same = v, number = v as float32, back = number as the type of v again. */
const thereAndBack = (dtype: DataType): Graph =>
  trace({ v: { dtype, shape: [3] } }, ({ v }) => {
    const number = cast(v, "float32");
    return { same: v.builder.apply("Identity", [v])[0], number, back: cast(number, dtype) };
  });

export const borderCases: readonly RuntimeCase[] = [
  {
    name: "gives every output with its shape, in its own kind of array",
    check: (runtime) =>
      withProgram(runtime, small, async (program) => {
        const { y, z } = await program.run({ x, i });
        checkEqual(y.shape, [2, 3]);
        checkEqual(y.data instanceof Float32Array, true);
        checkClose(y.data, want, { rel: 1e-5 });
        checkEqual(z, { data: BigInt64Array.of(11n, 21n, 31n), shape: [3] });
      }),
  },
  ...types.map(([dtype, data, numbers]): RuntimeCase => {
    return {
      name: `hands over ${dtype} in a ${data.constructor.name}, both ways`,
      notOn: lacking[dtype],
      check: (runtime) =>
        withProgram(runtime, thereAndBack(dtype), async (program) => {
          const v = { data, shape: [3] };
          const { same, number, back } = await program.run({ v });
          checkEqual(same, v, "the same");
          checkEqual(number, { data: Float32Array.from(numbers), shape: [3] }, "as float32");
          if (dtype !== "float64") checkEqual(back, v, "there and back");
        }),
    };
  }),
  {
    name: "takes and gives scalars, which have no dimensions",
    check: (runtime) =>
      withProgram(
        runtime,
        trace({ s: { shape: [] } }, ({ s }) => ({ y: add(s, s) })),
        async (program) => {
          checkEqual(await program.run({ s: { data: Float32Array.of(3), shape: [] } }), {
            y: { data: Float32Array.of(6), shape: [] },
          });
        },
      ),
  },
  {
    name: "takes and gives tensors without elements",
    check: (runtime) =>
      withProgram(
        runtime,
        trace({ e: { shape: [0, 3] }, x: { shape: [2, 3] } }, ({ e, x }) => ({
          y: add(e, e),
          both: concat([e, x], 0),
        })),
        async (program) => {
          checkEqual(await program.run({ e: { data: new Float32Array(0), shape: [0, 3] }, x }), {
            y: { data: new Float32Array(0), shape: [0, 3] },
            both: x,
          });
        },
      ),
  },
  {
    name: "takes any size where the graph names a dimension",
    check: (runtime) => {
      const graph = trace({ x: { shape: [2, 3] } }, ({ x }) => ({ y: add(x, x) }));
      const shape = ["batch", 3];
      const open: Graph = {
        ...graph,
        inputs: [{ ...graph.inputs[0], shape }],
        outputs: [{ ...graph.outputs[0], shape }],
      };
      return withProgram(runtime, open, async (program) => {
        for (const rows of [1, 4, 2]) {
          const data = Float32Array.from({ length: 3 * rows }, (_, at) => at);
          const { y } = await program.run({ x: { data, shape: [rows, 3] } });
          checkEqual(y, { data: data.map((value) => 2 * value), shape: [rows, 3] });
        }
      });
    },
  },
  {
    name: "writes into outputs that were allocated before, and gives the others",
    check: (runtime) =>
      withProgram(runtime, small, async (program) => {
        const y = { data: new Float32Array(6), shape: [2, 3] };
        const results = await program.run({ x, i }, { y });
        checkClose(y.data, want, { rel: 1e-5 });
        checkEqual(results.y.data === y.data, true, "the same array");
        checkEqual(results.z.data, BigInt64Array.of(11n, 21n, 31n));
      }),
  },
  {
    name: "writes into pre-allocated outputs of 64 and of 16 bits",
    notOn: { webgpu: noHalf, "web-webgpu": noHalf },
    check: (runtime) =>
      withProgram(
        runtime,
        trace({ x: { shape: [2, 3] } }, ({ x }) => ({ long: cast(x, "int64"), half: cast(x, "float16") })),
        async (program) => {
          const long = { data: new BigInt64Array(6), shape: [2, 3] };
          const half = { data: new Uint16Array(6), shape: [2, 3] };
          await program.run({ x }, { long, half });
          checkEqual(long.data, BigInt64Array.of(0n, 1n, 2n, 3n, 4n, 5n));
          checkEqual(half.data, Uint16Array.of(0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500));
        },
      ),
  },
  {
    name: "writes into a part of a larger array, and reads from one",
    check: (runtime) =>
      withProgram(
        runtime,
        trace({ x: { shape: [3] } }, ({ x }) => ({ y: add(x, x) })),
        async (program) => {
          const all = Float32Array.from({ length: 9 }, (_, at) => at);
          const y = { data: all.subarray(5, 8), shape: [3] };
          await program.run({ x: { data: all.subarray(2, 5), shape: [3] } }, { y });
          checkEqual(all, Float32Array.of(0, 1, 2, 3, 4, 4, 6, 8, 8));
        },
      ),
  },
  {
    name: "gives the same numbers again, and leaves what it was fed alone",
    check: (runtime) =>
      withProgram(runtime, small, async (program) => {
        const first = await program.run({ x, i });
        checkEqual(await program.run({ x, i }), first);
        checkEqual(x.data, Float32Array.of(0, 1, 2, 3, 4, 5));
        checkEqual(i.data, BigInt64Array.of(10n, 20n, 30n));
      }),
  },
];
