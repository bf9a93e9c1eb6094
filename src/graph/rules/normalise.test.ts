import { expect, test } from "vitest";
import { trace } from "../builder.ts";
import { interpret } from "../interpret.ts";
import { mul } from "../ops/elementwise.ts";
import { groupNorm, instanceNorm, logSoftmax, softmax } from "../ops/normalise.ts";
import { gradientSuite } from "./gradients.cases.ts";

gradientSuite([
  { name: "softmax", inputs: { x: [3, 4] }, network: ({ x }) => softmax(x) },
  { name: "softmax along the middle axis", inputs: { x: [2, 3, 2] }, network: ({ x }) => softmax(x, 1) },
  { name: "logSoftmax", inputs: { x: [3, 4] }, network: ({ x }) => logSoftmax(x) },
  {
    name: "logSoftmax along the first axis",
    inputs: { x: [3, 2] },
    network: ({ x }) => mul(logSoftmax(x, 0), x),
  },
  {
    name: "instanceNorm",
    inputs: { x: [2, 3, 2, 3], s: [3], b: [3] },
    network: ({ x, s, b }) => instanceNorm(x, s, b, 0.01),
  },
  {
    name: "instanceNorm over one axis",
    inputs: { x: [2, 2, 5], s: [2], b: [2] },
    network: ({ x, s, b }) => instanceNorm(x, s, b),
  },
  {
    name: "groupNorm by channel",
    inputs: { x: [2, 4, 2, 2], s: [4], b: [4] },
    network: ({ x, s, b }) => groupNorm(x, 2, s, b),
  },
  {
    name: "groupNorm modulated by sample",
    inputs: { x: [2, 4, 1, 3], s: [2, 4], b: [2, 4] },
    network: ({ x, s, b }) => groupNorm(x, 2, s, b),
  },
]);

test("group norm gives every group mean 0 and variance 1", () => {
  const graph = trace({ x: { shape: [1, 4, 1, 2] } }, ({ x }, builder) => ({
    y: groupNorm(x, 2, builder.literal([1, 1, 1, 1]), builder.literal([0, 0, 0, 0]), 0),
  }));
  const { y } = interpret(graph, { x: { data: [1, 2, 3, 6, -5, 0, 0, 1], shape: [1, 4, 1, 2] } });
  for (const start of [0, 4]) {
    const group = Array.from(y.data as Float64Array).slice(start, start + 4);
    expect(group.reduce((a, b) => a + b) / 4).toBeAllClose(0, { abs: 1e-12 });
    expect(group.reduce((a, b) => a + b * b, 0) / 4).toBeAllClose(1, { abs: 1e-12 });
  }
});

test("softmax of very large and very small logits stays finite", () => {
  const graph = trace({ x: { shape: [3] } }, ({ x }) => ({ p: softmax(x, 0), log: logSoftmax(x, 0) }));
  const { p, log } = interpret(graph, { x: { data: [1e4, -1e4, 1e4], shape: [3] } });
  expect(p.data).toBeAllClose([0.5, 0, 0.5], { abs: 1e-15 });
  expect(log.data).toBeAllClose([-Math.log(2), -2e4 - Math.log(2), -Math.log(2)], { rel: 1e-15 });
});
