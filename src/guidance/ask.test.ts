import { expect, test } from "vitest";
import type { Tensor } from "../base/tensor.ts";
import { map, tensor } from "../base/tensor.ts";
import type { Branch, Denoiser, Labels } from "../diffusion/denoiser.ts";
import { ask, sameWanted } from "./ask.ts";

/** Answers each branch with x times a constant of its own, and remembers what it was asked. */
function recorder(factor: number): Denoiser & { readonly calls: Branch<Labels>[][] } {
  const calls: Branch<Labels>[][] = [];
  return {
    shape: [2],
    calls,
    denoise: (x, _sigma, branches) => {
      calls.push([...branches]);
      return Promise.resolve(branches.map((branch): Tensor => map((value) => value * factorOf(branch), x)));
    },
  };
  function factorOf({ condition, perturbation }: Branch<Labels>): number {
    return factor + (condition === null ? 0 : 10) + (perturbation === undefined ? 0 : 100);
  }
}

const x = tensor([1, 1], [1, 2]);
const condition: Labels = [3];
const identity = { kind: "identity", layers: ["mid"] } as const;

test("each denoiser is called once, with each distinct branch once, and answers come back in the order asked", async () => {
  const main = recorder(1);
  const guide = recorder(2);
  const wanted = [
    { from: main, branch: { condition } },
    { from: guide, branch: { condition } },
    { from: main, branch: { condition: null } },
    { from: main, branch: { condition, perturbation: identity } },
    { from: main, branch: { condition: null } },
    { from: main, branch: { condition, perturbation: { ...identity, layers: ["mid"] } } },
  ];
  const { predictions, evaluations } = await ask(wanted, x, 1);

  expect(main.calls).toEqual([[{ condition }, { condition: null }, { condition, perturbation: identity }]]);
  expect(guide.calls).toEqual([[{ condition }]]);
  expect(evaluations).toBe(4);
  expect(predictions.map((one) => one.data[0])).toEqual([11, 12, 1, 111, 1, 111]);
});

test("two predictions are the same only if denoiser, condition and every field of the perturbation are", () => {
  const from = recorder(1);
  const mask = { kind: "random-mask", layers: ["mid", 2], p: 0.25, seed: 1 } as const;
  const base = { from, branch: { condition, perturbation: mask } };
  expect(
    sameWanted(base, { from, branch: { condition, perturbation: { ...mask, layers: ["mid", 2] } } }),
  ).toBe(true);

  const different = [
    { from: recorder(1), branch: base.branch },
    { from, branch: { condition: null, perturbation: mask } },
    { from, branch: { condition: [4], perturbation: mask } },
    { from, branch: { condition } },
    { from, branch: { condition, perturbation: { ...mask, kind: "off-diagonal-mask" as const } } },
    { from, branch: { condition, perturbation: { ...mask, p: 0.5 } } },
    { from, branch: { condition, perturbation: { ...mask, seed: 2 } } },
    { from, branch: { condition, perturbation: { ...mask, layers: ["mid"] } } },
    { from, branch: { condition, perturbation: { ...mask, layers: ["mid", 3] } } },
    { from, branch: { condition, perturbation: { ...mask, layers: "all" as const } } },
  ];
  for (const one of different) expect(sameWanted(base, one)).toBe(false);
});
