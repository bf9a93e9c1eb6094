/** What every runtime does, whatever it runs on. */
import { expect, test } from "vitest";
import { FairleadError, UsageError } from "../base/errors.ts";
import { trace } from "../graph/builder.ts";
import type { Graph } from "../graph/graph.ts";
import { add, cast, exp } from "../graph/ops/elementwise.ts";
import type { Program, Runtime, RuntimeTensor } from "./runtime.ts";

/** y = e^x + i, and z = i + 1. */
const graph: Graph = {
  ...trace({ x: { shape: [2, 3] }, i: { dtype: "int64", shape: [3] } }, ({ x, i }) => ({
    y: add(exp(x), cast(i, "float32")),
    z: add(i, i.builder.literal(1, "int64")),
  })),
  name: "small",
};
const x: RuntimeTensor = { data: Float32Array.of(0, 1, 2, 3, 4, 5), shape: [2, 3] };
const i: RuntimeTensor = { data: BigInt64Array.of(10n, 20n, 30n), shape: [3] };
const want = Array.from(x.data as Float32Array, (value, at) => Math.exp(value) + 10 * ((at % 3) + 1));

export function runtimeSuite(runtime: Runtime): void {
  async function using(use: (program: Program) => Promise<void>, of: Graph = graph): Promise<void> {
    const program = await runtime.compile(of);
    await use(program).finally(() => program.dispose());
  }

  test("gives every output with its shape, in its own kind of array", () =>
    using(async (program) => {
      const { y, z } = await program.run({ x, i });
      expect(y.shape).toEqual([2, 3]);
      expect(y.data).toBeInstanceOf(Float32Array);
      expect(y.data).toBeAllClose(want, { rel: 1e-6 });
      expect(z).toEqual({ data: BigInt64Array.of(11n, 21n, 31n), shape: [3] });
    }));

  test("writes into outputs that were allocated before", () =>
    using(async (program) => {
      const y = { data: new Float32Array(6), shape: [2, 3] };
      const results = await program.run({ x, i }, { y });
      expect(y.data).toBeAllClose(want, { rel: 1e-6 });
      expect(results.y.data).toBe(y.data);
      expect(results.z.data).toEqual(BigInt64Array.of(11n, 21n, 31n));
    }));

  test("gives the same numbers again, and leaves what it was fed alone", () =>
    using(async (program) => {
      const first = await program.run({ x, i });
      const second = await program.run({ x, i });
      expect(second).toEqual(first);
      expect(x.data).toEqual(Float32Array.of(0, 1, 2, 3, 4, 5));
    }));

  test.each<[string, Record<string, RuntimeTensor>, Record<string, RuntimeTensor>, string]>([
    ["a missing input", { x }, {}, 'the graph\'s input "i" was not given'],
    [
      "a wrong shape",
      { x: { ...x, shape: [3, 2] }, i },
      {},
      '"x" is of shape [2, 3], got [3, 2] with 6 values',
    ],
    [
      "too few numbers",
      { x: { data: new Float32Array(5), shape: [2, 3] }, i },
      {},
      "got [2, 3] with 5 values",
    ],
    [
      "another kind of array",
      { x: { data: new Float64Array(6), shape: [2, 3] }, i },
      {},
      '"x" is float32 and takes a Float32Array, got a Float64Array',
    ],
    [
      "an output of a wrong shape",
      { x, i },
      { y: x, z: { ...i, shape: [1, 3] } },
      '"z" is of shape [3], got [1, 3]',
    ],
    [
      "an output that is not there",
      { x, i },
      { out: x },
      'the graph has no output "out"; its outputs are y, z',
    ],
  ])("refuses %s by name", (_, feeds, fetches, message) =>
    using(async (program) => {
      await expect(program.run(feeds, fetches)).rejects.toThrow(UsageError);
      await expect(program.run(feeds, fetches)).rejects.toThrow(message);
    }),
  );

  test("says which graph ONNX Runtime does not take", async () => {
    const broken = {
      ...graph,
      nodes: graph.nodes.map((node) => ({ ...node, op: node.op.replace("Exp", "Expo") })),
    };
    await expect(runtime.compile(broken)).rejects.toThrow(FairleadError);
    await expect(runtime.compile(broken)).rejects.toThrow(/^ONNX Runtime refused the graph "small": .*Expo/);
  });

  test("says which graph failed to run", () =>
    using(
      async (program) => {
        const beyond = { data: BigInt64Array.of(7n), shape: [1] };
        await expect(program.run({ x, i: beyond })).rejects.toThrow(FairleadError);
        await expect(program.run({ x, i: beyond })).rejects.toThrow(/^running "picking" failed: .*out of/s);
      },
      {
        ...trace({ x: { shape: [2, 3] }, i: { dtype: "int64", shape: [1] } }, ({ x, i }) => ({
          y: x.builder.apply("Gather", [x, i])[0],
        })),
        name: "picking",
      },
    ));

  test("is over once disposed of, and may be disposed of twice", async () => {
    const program = await runtime.compile(graph);
    await program.dispose();
    await program.dispose();
    await expect(program.run({ x, i })).rejects.toThrow(FairleadError);
    await expect(program.run({ x, i })).rejects.toThrow(/disposed/);
  });
}
