import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { adamStep, clipFactor, gradientNorm } from "./adam.ts";
import { emaDecay, emaStep } from "./ema.ts";
import { flatParameters } from "./namedParameters.ts";
import { layoutOf } from "./objective.ts";
import { decodeSafetensors } from "./safetensors.ts";

const folder = new URL("../../tests/fixtures/training/mlp/", import.meta.url);

interface Run {
  readonly name: string;
  readonly optimizer: "Adam" | "AdamW";
  readonly lr: number | number[];
  readonly betas: [number, number];
  readonly eps: number;
  readonly weight_decay: number;
  readonly ema: number;
  readonly ema_warmup?: boolean;
  readonly clip?: number;
  readonly steps: number;
  readonly gradNorm: number[];
}

interface Case {
  readonly parameters: { name: string; shape: number[] }[];
  readonly runs: Run[];
}

const read = (file: string) => decodeSafetensors(readFileSync(new URL(file, folder)), file).entries;
const { parameters: list, runs } = JSON.parse(readFileSync(new URL("case.json", folder), "utf8")) as Case;
const layout = layoutOf(list);

test.each(runs)(
  "ten steps of $name from stored gradients give PyTorch's parameters, averages and moments",
  (run) => {
    const stored = read(`${run.name}.safetensors`);
    const parameters = flatParameters(layout, read("initial.safetensors"), "initial");
    const ema = parameters.slice();
    const state = { m: new Float32Array(layout.size), v: new Float32Array(layout.size) };
    const { betas, eps, weight_decay: weightDecay } = run;
    const settings = { betas, eps, weightDecay, decoupled: run.optimizer === "AdamW" };
    for (let step = 0; step < run.steps; step++) {
      const gradient = flatParameters(layout, stored, run.name, `${step}/grad/`);
      const norm = gradientNorm(gradient);
      expect(norm).toBeAllClose(run.gradNorm[step], { rel: 1e-6 });

      const learningRate = typeof run.lr === "number" ? run.lr : run.lr[step];
      adamStep(
        parameters,
        gradient,
        state,
        settings,
        learningRate,
        step + 1,
        clipFactor(norm, run.clip ?? null),
      );
      const warmUp = run.ema_warmup ?? false;
      emaStep(ema, parameters, emaDecay({ kind: "constant", decay: run.ema, warmUp }, step, 1));

      // Measured: 1.8e-7 (adamw), 1.5e-7 (averages): PyTorch rounds each product to float32. Its own distance to float64: 6e-7.
      expect(parameters).toBeAllClose(flatParameters(layout, stored, run.name, `${step}/param/`), {
        abs: 3e-7,
      });
      expect(ema).toBeAllClose(flatParameters(layout, stored, run.name, `${step}/ema/`), { abs: 3e-7 });
    }
    expect(state.m).toBeAllClose(flatParameters(layout, stored, run.name, "final/m/"), {
      abs: 1e-9,
      rel: 1e-6,
    });
    expect(state.v).toBeAllClose(flatParameters(layout, stored, run.name, "final/v/"), {
      abs: 1e-12,
      rel: 1e-6,
    });
  },
);

test("the first step of Adam moves every parameter by the learning rate against the sign of its gradient", () => {
  const parameters = Float32Array.of(1, 1, 1);
  const state = { m: new Float32Array(3), v: new Float32Array(3) };
  const settings = { betas: [0.9, 0.99], eps: 1e-12, weightDecay: 0, decoupled: false } as const;
  adamStep(parameters, Float32Array.of(5, -1e-4, 0), state, settings, 0.25, 1);
  expect(parameters).toBeAllClose([0.75, 1.25, 1], { abs: 1e-6 });
});

test("AdamW without a gradient shrinks the parameters geometrically", () => {
  const parameters = Float32Array.of(2, -4);
  const state = { m: new Float32Array(2), v: new Float32Array(2) };
  const settings = { betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0.5, decoupled: true } as const;
  for (let k = 1; k <= 3; k++) adamStep(parameters, new Float32Array(2), state, settings, 0.1, k);
  expect(parameters).toBeAllClose([2 * 0.95 ** 3, -4 * 0.95 ** 3], { rel: 1e-6 });
});

test("Adam's weight decay equals the gradient of half the squared norm added to the gradient", () => {
  const run = (weightDecay: number, gradientAt: (p: number) => number): Float32Array => {
    const parameters = Float32Array.of(2);
    const state = { m: new Float32Array(1), v: new Float32Array(1) };
    for (let k = 1; k <= 5; k++) {
      const settings = { betas: [0.9, 0.99], eps: 1e-8, weightDecay, decoupled: false } as const;
      adamStep(parameters, Float32Array.of(gradientAt(parameters[0])), state, settings, 0.1, k);
    }
    return parameters;
  };
  expect(run(0.5, () => 1)).toBeAllClose(
    run(0, (p) => 1 + 0.5 * p),
    { rel: 1e-6 },
  );
});

test("clipping brings the norm to the limit, and leaves smaller gradients alone", () => {
  expect(gradientNorm(Float32Array.of(3, 4))).toBe(5);
  expect(5 * clipFactor(5, 2)).toBeAllClose(2, { rel: 1e-6 });
  expect(clipFactor(5, 5)).toBe(1);
  expect(clipFactor(5, null)).toBe(1);
  expect(gradientNorm(Float32Array.of(1, NaN))).toBeNaN();
});
