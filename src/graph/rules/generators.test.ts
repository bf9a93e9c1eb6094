import { expect, test } from "vitest";
import { nodeRuntime } from "../../runtime/node.ts";
import { int } from "../attributes.ts";
import { Builder, trace } from "../builder.ts";
import { constantOf } from "../constant.ts";
import type { Attribute, DataType } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { add, cast, mul } from "../ops/elementwise.ts";
import { reshape } from "../ops/reshape.ts";
import type { Value } from "../value.ts";

const full = (builder: Builder, shape: readonly number[], value: Attribute): Value =>
  builder.apply("ConstantOfShape", [builder.literal(shape, "int64")], { attributes: { value } })[0];
const range = (builder: Builder, bounds: readonly number[], dtype: DataType): Value =>
  builder.apply(
    "Range",
    bounds.map((bound) => builder.literal(bound, dtype)),
  )[0];

/** What does not depend on x is a constant of the graph, and ONNX Runtime finds the same where it is not folded. */
test("filled tensors, ranges and identities are known while tracing when small, and the same when large", async () => {
  const graph = trace({ x: { shape: [2, 3] } }, ({ x }, builder) => {
    const fill: Attribute = { kind: "tensor", value: constantOf("float32", [1], [2.5]) };
    const steps = range(builder, [0, 3, 1], "float32");
    const eye = builder.apply("EyeLike", [x], { attributes: { k: int(1) } })[0];
    const large = range(builder, [5, -5000, -1], "int64");
    return {
      y: mul(mul(x, full(builder, [2, 3], fill)), steps),
      eye: add(eye, x),
      large: reshape(add(cast(large, "float32"), full(builder, [5005], fill)), [5005]),
    };
  });
  expect(graph.nodes.map(({ op }) => op).sort()).toEqual(
    [
      "Add",
      "Add",
      "Cast",
      "ConstantOfShape",
      "EyeLike",
      "Identity",
      "Identity",
      "Identity",
      "Mul",
      "Mul",
      "Range",
    ].sort(),
  );
  const x = { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] };
  const host = interpret(graph, { x });
  const program = await nodeRuntime({ threads: 1 }).compile(graph);
  const native = await program.run({ x });
  await program.dispose();
  expect(host.y.data).toBeAllClose([0, 5, 15, 0, 12.5, 30], {});
  expect(host.eye.data).toBeAllClose([1, 3, 3, 4, 5, 7], {});
  for (const name of ["y", "eye", "large"]) expect(host[name].data).toBeAllClose(native[name].data, {});
});

test("a range of floats counts as ONNX does", () => {
  const builder = new Builder();
  expect(range(builder, [1, 2, 0.3], "float64").shape).toEqual([4]);
  expect(range(builder, [1, 1, 1], "int64").shape).toEqual([0]);
  expect(range(builder, [3, 1, 1], "int64").shape).toEqual([0]);
  expect(Array.from(range(builder, [10, 4, -2], "int64").constant!.data as BigInt64Array)).toEqual([
    10n,
    8n,
    6n,
  ]);
});

test("the number of elements is known from the shape", () => {
  const graph = trace({ x: { shape: [2, 3] } }, ({ x }, builder) => ({
    y: mul(x, cast(builder.apply("Size", [x])[0], "float32")),
  }));
  expect(interpret(graph, { x: { data: [0, 1, 2, 3, 4, 5], shape: [2, 3] } }).y.data).toBeAllClose(
    [0, 6, 12, 18, 24, 30],
    {},
  );
});

test("operators that draw random numbers are refused by name, with the way out", () => {
  const wrong = () =>
    trace({ x: { shape: [3] } }, ({ x }, builder) => ({
      y: builder.apply("RandomNormalLike", [x], { name: "noise" })[0],
    }));
  expect(wrong).toThrow(
    'operator "RandomNormalLike" (node "noise") draws random numbers whenever it runs: make the noise an input',
  );
});

test("sizes that are computed at run time are refused by name", () => {
  const wrong = () =>
    trace({ n: { dtype: "int64", shape: [1] } }, ({ n }, builder) => ({
      y: builder.apply("ConstantOfShape", [n], { name: "full" })[0],
    }));
  expect(wrong).toThrow(/ConstantOfShape has sizes computed at run time.*at node "full"/);
});
