import { expect, test } from "vitest";
import { trace } from "../builder.ts";
import { interpret } from "../interpret.ts";
import { tanh } from "../ops/elementwise.ts";
import { gradientSuite } from "./gradients.cases.ts";

gradientSuite([
  {
    name: "dropout outside training",
    inputs: { x: [2, 3] },
    network: ({ x }) => tanh(x.builder.apply("Dropout", [x, x.builder.literal(0.5)])[0]),
  },
]);

test("dropout outside training keeps everything, and its mask says so", () => {
  const graph = trace({ x: { shape: [2] } }, ({ x }, builder) => {
    const [y, mask] = builder.apply("Dropout", [x, builder.literal(0.5), builder.literal(0, "bool")], {
      outputs: 2,
    });
    return { y, mask };
  });
  const { y, mask } = interpret(graph, { x: { data: [3, -1], shape: [2] } });
  expect(y.data).toBeAllClose([3, -1], {});
  expect(Array.from(mask.data as Uint8Array)).toEqual([1, 1]);
});

test("dropout in training mode, and sequences, are refused by name with the way out", () => {
  const training = () =>
    trace({ x: { shape: [2] } }, ({ x }, builder) => ({
      y: builder.apply("Dropout", [x, builder.literal(0.5), builder.literal(1, "bool")], { name: "drop" })[0],
    }));
  expect(training).toThrow(/Dropout in training mode draws random numbers: export .* at node "drop"/);
  const sequence = () =>
    trace({ x: { shape: [2] } }, ({ x }, builder) => ({
      y: builder.apply("SplitToSequence", [x], { name: "cut" })[0],
    }));
  expect(sequence).toThrow(
    /"SplitToSequence" \(node "cut"\) works on sequences .* export the model with tensors only/,
  );
});
