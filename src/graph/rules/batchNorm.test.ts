import { expect, test } from "vitest";
import { float, int } from "../attributes.ts";
import { trace } from "../builder.ts";
import { interpret } from "../interpret.ts";
import { add, mul, tanh } from "../ops/elementwise.ts";
import { reshape } from "../ops/reshape.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

type Inputs = Record<string, Value>;

function batchNorm({ x, s, b, m, v }: Inputs, epsilon = 1e-5): Value {
  return x.builder.apply("BatchNormalization", [x, s, b, m, v], {
    attributes: { epsilon: float(epsilon) },
  })[0];
}

const training = ({ x, s, b, m, v }: Inputs): readonly Value[] =>
  x.builder.apply("BatchNormalization", [x, s, b, m, v], {
    attributes: { training_mode: int(1), momentum: float(0.75) },
    outputs: 3,
  });

const factors = (channels: number) => ({
  s: [channels],
  b: [channels],
  m: [channels],
  v: { shape: [channels], from: 0.5, to: 2 },
});

gradientSuite([
  {
    name: "batch norm of images",
    inputs: { x: [2, 3, 2, 2], ...factors(3) },
    network: (inputs) => batchNorm(inputs),
  },
  {
    name: "batch norm of vectors into a nonlinearity",
    inputs: { x: [3, 2], ...factors(2) },
    network: (inputs) => tanh(batchNorm(inputs, 0.1)),
  },
  {
    name: "batch norm of volumes",
    inputs: { x: [1, 2, 2, 1, 2], ...factors(2) },
    network: (inputs) => batchNorm(inputs),
  },
  {
    name: "batch norm in training, with its running statistics",
    inputs: { x: [2, 2, 3], ...factors(2) },
    network: (inputs) => {
      const [y, mean, variance] = training(inputs);
      const row = (value: Value): Value => reshape(value, [1, 2, 1]);
      return add(y, mul(tanh(row(mean)), row(variance)));
    },
  },
]);

test("in training every channel has mean 0 and variance 1, and the statistics move by 1 - momentum", () => {
  const shape = [2, 1, 2];
  const channel = { shape: [1] };
  const graph = trace({ x: { shape }, s: channel, b: channel, m: channel, v: channel }, (inputs) => {
    const [y, mean, variance] = training(inputs);
    return { y, mean, variance };
  });
  const one = (n: number) => ({ data: [n], shape: [1] });
  const found = interpret(graph, {
    x: { data: [1, 3, 5, 7], shape },
    s: one(1),
    b: one(0),
    m: one(8),
    v: one(1),
  });
  const deviation = Math.sqrt(5 + 1e-5);
  expect(found.y.data).toBeAllClose(
    [-3, -1, 1, 3].map((n) => n / deviation),
    { abs: 1e-7 },
  );
  expect(found.mean.data).toBeAllClose([0.75 * 8 + 0.25 * 4], { abs: 1e-12 });
  expect(found.variance.data).toBeAllClose([0.75 + 0.25 * 5], { abs: 1e-12 });
});

test("statistics of another length, or asked for outside training, are errors that name the node", () => {
  const make = (channels: number, outputs: number) => () =>
    trace({ x: { shape: [1, 2, 3] }, s: { shape: [channels] } }, ({ x, s }, builder) =>
      builder.scope("stem", () => ({
        y: builder.apply("BatchNormalization", [x, s, s, s, s], { outputs })[0],
      })),
    );
  expect(make(3, 1)).toThrow(
    'BatchNormalization of [1, 2, 3] by [3], [3], [3], [3] at node "stem/BatchNormalization"',
  );
  expect(make(2, 3)).toThrow('only with training_mode 1, at node "stem/BatchNormalization"');
});
