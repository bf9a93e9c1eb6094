import { expect, test } from "vitest";
import { nodeRuntime } from "../../runtime/node.ts";
import { int } from "../attributes.ts";
import { trace } from "../builder.ts";
import type { Attribute } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { mul } from "../ops/elementwise.ts";
import { gradients } from "../gradients.ts";

const x = { data: Float32Array.of(1, 5, 5, 2, -3, 0, 4, -3, 4, 1, 9, 9), shape: [2, 3, 2] };

const ways: readonly (readonly [string, Record<string, Attribute>])[] = ["ArgMax", "ArgMin"].flatMap((op) =>
  [0, 1, -1].flatMap((axis) =>
    [0, 1].flatMap((last) =>
      [0, 1].map(
        (keep) => [op, { axis: int(axis), select_last_index: int(last), keepdims: int(keep) }] as const,
      ),
    ),
  ),
);

test.each(ways)("%s by %j is what ONNX Runtime finds", async (op, attributes) => {
  const graph = trace({ x: { shape: x.shape } }, ({ x }) => ({
    y: x.builder.apply(op, [x], { attributes })[0],
  }));
  const program = await nodeRuntime({ threads: 1 }).compile(graph);
  const { y } = await program.run({ x });
  await program.dispose();
  const host = interpret(graph, { x });
  expect(host.y.shape).toEqual(y.shape);
  expect(Array.from(host.y.data as BigInt64Array)).toEqual(Array.from(y.data as unknown as BigInt64Array));
});

test.each([0, 1, -1])(
  "Hardmax along axis %i marks the first largest and passes no gradient",
  async (axis) => {
    const graph = trace({ x: { shape: x.shape } }, ({ x }, builder) => {
      const [y] = builder.apply("Hardmax", [x], { attributes: { axis: int(axis) } });
      const [slope] = gradients(mul(x, y), [x]);
      return { y, slope };
    });
    const program = await nodeRuntime({ threads: 1 }).compile(graph);
    const native = await program.run({ x });
    await program.dispose();
    const host = interpret(graph, { x });
    expect(host.y.data).toBeAllClose(native.y.data, {});
    expect(host.slope.data).toBeAllClose(native.y.data, {});
  },
);
