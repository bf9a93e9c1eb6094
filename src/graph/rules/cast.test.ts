import { expect, test } from "vitest";
import { nodeRuntime } from "../../runtime/node.ts";
import { trace } from "../builder.ts";
import { gradients } from "../gradients.ts";
import type { DataType } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { cast, mul } from "../ops/elementwise.ts";
import { reduceSum } from "../ops/reduce.ts";
import { gradientSuite } from "./gradients.cases.ts";

gradientSuite([
  {
    name: "CastLike",
    inputs: { x: [3] },
    network: ({ x }) => {
      const wide = x.builder.apply("CastLike", [x, x.builder.literal(1, "float64")])[0];
      return cast(mul(wide, wide), x.dtype);
    },
  },
]);

const x = { data: Float32Array.of(-1.5, 0.3, 2.7001), shape: [3] };

test("a cast to integers stops gradients and rounds towards zero", () => {
  const graph = trace({ x: { shape: [3] } }, ({ x }) => {
    const whole = cast(cast(x, "int64"), "float32");
    return { whole, slope: gradients(reduceSum(mul(whole, x), [0]), [x])[0] };
  });
  const { whole, slope } = interpret(graph, { x });
  expect(whole.data).toBeAllClose([-1, 0, 2], {});
  expect(slope.data).toBeAllClose([-1, 0, 2], {});
});

test.each<DataType>(["float16", "bfloat16", "float64"])(
  "a gradient keeps its digits through %s and back",
  async (dtype) => {
    const graph = trace({ x: { shape: [3] }, g: { shape: [3] } }, ({ x, g }) => ({
      slope: gradients(cast(cast(x, dtype), "float32"), [x], g)[0],
    }));
    const program = await nodeRuntime({ threads: 1 }).compile(graph);
    const { slope } = await program.run({ x, g: x });
    await program.dispose();
    expect(slope.data).toBeAllClose(x.data, {});
  },
);
