import { describe, expect, test } from "vitest";
import type { Denoiser, Labels } from "../diffusion/denoiser.ts";
import { type Asked, askedAt } from "./asked.ts";
import { buildGuidance } from "./build.ts";
import { type Term, compose } from "./guidance.ts";
import { everywhere } from "./interval.ts";
import { parseGuidance } from "./spec.ts";
import { standInModel } from "./standIn.ts";

const labels: Labels = [3, 1];

interface Setting {
  readonly sigma?: number;
  readonly step?: number;
  readonly condition?: Labels | null;
}

function asked(spec: string, { sigma = 1, step = 0, condition = labels }: Setting = {}) {
  const { denoiser, resources } = standInModel(parseGuidance(spec));
  const x = { data: new Float32Array(0), shape: [2, 1] };
  const guidance = buildGuidance(spec, resources);
  const all = askedAt(denoiser, condition, guidance, { x, sigma, step, seeds: [0, 1] });
  return { ...all, denoiser, guidance };
}

const rolesOf = ({ predictions }: Pick<Asked<Labels>, "predictions">) =>
  predictions.map(({ role, term }) => (term === undefined ? role : `${role} ${term}`));

describe("predictions", () => {
  test("the strong one comes first, then each term's weak one with its branch", () => {
    const { predictions, denoiser } = asked("cfg:2+pag:1");
    expect(predictions).toEqual([
      { role: "strong", from: denoiser, branch: { condition: labels } },
      { role: "weak", from: denoiser, branch: { condition: null }, term: 0, degraded: false },
      {
        role: "weak",
        from: denoiser,
        branch: { condition: labels, perturbation: { kind: "identity", layers: ["mid"] } },
        term: 1,
        degraded: false,
      },
    ]);
  });

  test("a term that compares with another prediction asks for that too; where another asks for the same it is one", () => {
    const both = asked("seg:3+cfg:2");
    expect(rolesOf(both)).toEqual(["strong", "weak 0", "reference 0", "weak 1"]);
    // What SEG compares with beside CFG is CFG's weak prediction.
    expect(both.cost.networks).toBe(3);
    expect(asked("seg:3").cost.networks).toBe(2);
  });

  test("a degraded sample is another sample: its prediction is never shared", () => {
    expect(asked("sag").predictions.map(({ degraded }) => degraded ?? false)).toContain(true);
    expect(asked("sag+sag").cost.networks).toBe(1 + 2 * (asked("sag").cost.networks - 1));
  });

  test("equal branches of one network are one evaluation, of two networks two", () => {
    expect(asked("cfg:2+cfg:3").cost.networks).toBe(2);
    expect(asked("autoguidance:2,guide=a+autoguidance:2,guide=b").cost.networks).toBe(3);
    expect(asked("autoguidance:2,guide=a+autoguidance:3,guide=a").cost.networks).toBe(2);
  });

  test("a change of the condition is seen by the strong and by weak predictions with it", () => {
    const { predictions, changes } = asked("cads+pag:1", { sigma: 50 });
    expect(changes).toEqual([0]);
    expect(predictions.map(({ branch }) => branch.conditionNoise !== undefined)).toEqual([true, true]);
    expect(asked("cads+pag:1", { sigma: 0.01 }).changes).toEqual([]);
  });
});

describe("what acts", () => {
  test("terms of weight 1, pushes of scale 0 and what is out of its interval do not", () => {
    const { terms, pushes, cost } = asked("cfg:1+pag:0+classifier:0+autoguidance:3,interval=2..5");
    expect([terms, pushes, cost]).toEqual([[], [], { networks: 1, gradients: 0 }]);
  });

  test("each is told by its place among those of its part, with its weight now", () => {
    const { terms, pushes, adjusts } = asked("cfg:1+pag:3+rescale+classifier:2+autoguidance:steps(2|4)", {
      step: 7,
    });
    expect(terms).toEqual([
      { index: 1, weight: 4 },
      { index: 2, weight: 4 },
    ]);
    expect([pushes, adjusts]).toEqual([[0], [0]]);
  });

  test("corrections that compare act where something guides, the others always", () => {
    expect(asked("rescale+momentum").adjusts).toEqual([1]);
    expect(asked("rescale+momentum+classifier:1").adjusts).toEqual([0, 1]);
    expect(asked("rescale+cfg:2,interval=0..0.5").adjusts).toEqual([]);
  });

  test("CFG++ acts at 1 too", () => {
    expect(asked("cfgpp:1").cost.networks).toBe(2);
    expect(asked("apg:1").cost.networks).toBe(1);
  });
});

describe("cost", () => {
  test("gradients through the network count beside the score's own", () => {
    expect(asked("classifier:1").cost).toEqual({ networks: 1, gradients: 1 });
    expect(asked("clean-classifier:1").cost).toEqual({ networks: 1, gradients: 2 });
    expect(asked("clean-classifier:1,through=gaussian").cost).toEqual({ networks: 1, gradients: 1 });
  });

  test("is at most that where a method may stop by itself", () => {
    expect(asked("adaptive:2").atMost).toBe(true);
    expect(asked("adaptive:1").atMost).toBe(false);
    expect(asked("cfg:2").atMost).toBe(false);
  });

  test("weights by row are for as many rows as there are", () => {
    expect(asked("cfg:rows(1|3)").terms).toEqual([{ index: 0, weight: [1, 3] }]);
    expect(asked("cfg:rows(1|1)").terms).toEqual([]);
    expect(() => asked("cfg:rows(1|2|3)")).toThrow(/2 samples take 2 weights/);
  });
});

test("nothing is computed, and the guidance's own functions see the noise level, step and seeds", () => {
  const seen: unknown[] = [];
  const silent: Denoiser = { shape: [1], denoise: () => Promise.reject(new Error("asked")) };
  const term: Term<Labels> = {
    method: "watching",
    weight: { at: (sigma, step) => (seen.push(["weight", sigma, step]), 2) },
    interval: everywhere,
    weak: (_, { sigma, step, seeds }) => (seen.push(["weak", sigma, step, seeds]), { condition: null }),
  };
  const x = { data: new Float32Array(0), shape: [2, 1] };
  const guidance = compose<Labels>([term]);
  askedAt(silent, labels, guidance, { x, sigma: 0.7, step: 4, seeds: [8, 9] });
  expect(seen).toEqual([
    ["weight", 0.7, 4],
    ["weak", 0.7, 4, [8, 9]],
  ]);
});

test("an unconditional model is asked without a condition", () => {
  const { predictions } = asked("pag:1", { condition: null });
  expect(predictions.map(({ branch }) => branch.condition)).toEqual([null, null]);
});
