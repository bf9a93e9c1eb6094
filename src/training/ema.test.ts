import { expect, test } from "vitest";
import { type EmaRule, emaDecay, emaStep, powerGamma } from "./ema.ts";

/** The weight that each of the parameters after step 0, 1, ... has in the average; the last entry is the start's. */
function weights(rule: EmaRule, steps: number, batchSize = 1): number[] {
  const result: number[] = [];
  let start = 1;
  for (let step = 0; step < steps; step++) {
    const beta = emaDecay(rule, step, batchSize);
    for (let i = 0; i < step; i++) result[i] *= beta;
    result[step] = 1 - beta;
    start *= beta;
  }
  return [...result, start];
}

test("the power profile's exponent has the known values", () => {
  // GUIDANCE.md 3.6: .010, .050, .100, .250
  const sigmas = [0.01, 0.05, 0.1, 0.25];
  expect(sigmas.map(powerGamma)).toBeAllClose([96.994898, 16.972199, 6.937204, 0.719824], { abs: 1e-6 });
});

test("a power average weighs step t like t^gamma and forgets the start", () => {
  const gamma = powerGamma(0.1);
  const steps = 4000;
  const profile = weights({ kind: "power", sigmaRel: 0.1 }, steps);
  expect(profile[steps]).toBe(0);
  const exact = profile.slice(0, steps).map((_, i) => (gamma + 1) * (i / steps) ** gamma * (1 / steps));
  expect(profile.slice(steps / 2, steps)).toBeAllClose(exact.slice(steps / 2), { rel: 5e-3 }); // discretisation: about gamma / t
});

test("a power average's standard deviation is sigmaRel of the training's length", () => {
  const steps = 4000;
  for (const sigmaRel of [0.05, 0.1, 0.25]) {
    const profile = weights({ kind: "power", sigmaRel }, steps).slice(0, steps);
    const mean = profile.reduce((sum, weight, i) => sum + weight * (i + 1), 0);
    const variance = profile.reduce((sum, weight, i) => sum + weight * (i + 1 - mean) ** 2, 0);
    expect(Math.sqrt(variance) / steps).toBeAllClose(sigmaRel, { rel: 2e-3 });
  }
});

test("a half-life of n images halves a step's weight after n images, whatever the batch size", () => {
  for (const batchSize of [1, 8, 50]) {
    const beta = emaDecay({ kind: "half-life", images: 400, rampUp: null }, 0, batchSize);
    expect(beta ** (400 / batchSize)).toBeAllClose(0.5, { rel: 1e-12 });
  }
});

test("a half-life with ramp-up is short at first: the start is forgotten at once and the full length comes later", () => {
  const rule = { kind: "half-life", images: 400, rampUp: 0.05 } as const;
  expect(emaDecay(rule, 0, 10)).toBe(0);
  expect(emaDecay(rule, 100, 10)).toBeAllClose(0.5 ** (10 / 50), { rel: 1e-12 });
  expect(emaDecay(rule, 10_000, 10)).toBeAllClose(0.5 ** (10 / 400), { rel: 1e-12 });
});

test("a constant decay warms up as (1 + step) / (10 + step)", () => {
  const rule = { kind: "constant", decay: 0.9, warmUp: true } as const;
  expect([0, 5, 1000].map((step) => emaDecay(rule, step, 1))).toBeAllClose([0.1, 6 / 15, 0.9], {
    rel: 1e-15,
  });
  expect(emaDecay({ ...rule, warmUp: false }, 0, 1)).toBe(0.9);
});

test("an average of a constant is that constant, and of kind none is the parameters", () => {
  const parameters = Float32Array.of(0.3, -7);
  const ema = parameters.slice();
  emaStep(ema, parameters, 0.37);
  expect(ema).toBeAllClose(parameters, { rel: 1e-7 });
  const none = new Float32Array(2);
  emaStep(none, parameters, emaDecay({ kind: "none" }, 3, 1));
  expect(none).toEqual(parameters);
});
