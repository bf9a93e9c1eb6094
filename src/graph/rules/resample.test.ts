import { expect, test } from "vitest";
import { ints } from "../attributes.ts";
import { trace } from "../builder.ts";
import { tanh } from "../ops/elementwise.ts";
import { averagePool, globalAverage, upsample } from "../ops/resample.ts";
import { gradientSuite } from "./gradients.cases.ts";

gradientSuite([
  { name: "upsample by 2", inputs: { x: [2, 2, 2, 3] }, network: ({ x }) => upsample(tanh(x), 2) },
  {
    name: "upsample by 3 into a nonlinearity",
    inputs: { x: [1, 2, 2, 1] },
    network: ({ x }) => tanh(upsample(x, 3)),
  },
  { name: "averagePool by 2", inputs: { x: [2, 2, 4, 2] }, network: ({ x }) => tanh(averagePool(x, 2)) },
  { name: "averagePool by 3", inputs: { x: [1, 2, 3, 6] }, network: ({ x }) => averagePool(tanh(x), 3) },
  { name: "globalAverage", inputs: { x: [2, 3, 2, 2] }, network: ({ x }) => tanh(globalAverage(x)) },
]);

test("pools that overlap, and sizes that are no multiple of the block, are refused by name", () => {
  const overlapping = () =>
    trace({ x: { shape: [1, 1, 4, 4] } }, ({ x }, builder) => ({
      y: builder.apply("AveragePool", [x], { attributes: { kernel_shape: ints([3, 3]) }, name: "pool" })[0],
    }));
  expect(overlapping).toThrow(/blocks that do not overlap only, at node "pool"/);
  const uneven = () => trace({ x: { shape: [1, 1, 5, 4] } }, ({ x }) => ({ y: averagePool(x, 2) }));
  expect(uneven).toThrow('[1, 1, 5, 4] cannot be cut into blocks of 2 x 2 at node "AveragePool"');
});
