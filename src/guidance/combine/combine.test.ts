/** What each way to combine promises beyond the golden values of tests/guiderFixtures.test.ts, which are diffusers'. */
import { describe, expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import type { FloatArray, Tensor } from "../../base/tensor.ts";
import { philox } from "../../base/philox.ts";
import { combineSteps, golden, pairOf } from "../../testing/pairs.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import { buildGuidance } from "../build.ts";
import { guide } from "../guide.ts";
import type { Combine, Pair } from "../guidance.ts";
import { adaptive } from "./adaptive.ts";
import { apgMix } from "./apgMix.ts";
import { cfgZeroStar } from "./cfgZeroStar.ts";
import { extrapolate } from "./extrapolate.ts";
import { frequency } from "./frequency.ts";
import { build, pyramid } from "./laplacian.ts";
import { mambo } from "./mambo.ts";
import { mimic } from "./mimic.ts";
import { powerLaw } from "./powerLaw.ts";
import { quantile } from "../../base/quantile.ts";
import { tangential } from "./tangential.ts";

const one = (combine: Combine, given: Partial<Pair> = {}): Tensor =>
  combineSteps(combine, [pairOf(given)])[0];
const cfgOf = ({ strong, weak, weight }: Pair): Tensor => extrapolate(strong, [{ weight, denoised: weak }]);

function random(shape: number[], stream: number): Tensor {
  const data = new Float64Array(shape.reduce((a, b) => a * b, 1));
  philox(3, stream).fillNormal(data);
  return tensor(data, shape);
}

// By an independent implementation of each paper's formula, to 6 digits: c, u as in src/testing/pairs.ts, weight 3.
test.each([
  { name: "CFG-Zero*", combine: cfgZeroStar({ zeroSteps: 0, space: "x0" }), want: [1.5, 3, -3, 3] },
  {
    name: "tangential",
    combine: tangential({ space: "x0" }),
    want: [2.175232, 4.350464, -2.312256, 1.293151],
  },
  {
    name: "MAMBO-G",
    combine: mambo({ alpha: 8, space: "x0" }),
    want: [1.000008, 2.000015, -1.000015, 0.500015],
  },
])("$name", ({ combine, want }) => {
  // The tangential one was computed in float32.
  expect(one(combine)).toBeAllClose(want, { abs: 1e-6 });
});

test("MAMBO-G beside a weak prediction of 0: CFG of it with alpha 0, else the strong one; 0 where both are", () => {
  const strong = tensor(Float64Array.of(1, -2, 0, 0), [2, 2]);
  const zeros = tensor(new Float64Array(4), [2, 2]);
  const given = { strong, weak: zeros, x: zeros, weight: 3 };
  expect(one(mambo({ alpha: 0, space: "x0" }), given)).toBeAllClose([3, -6, 0, 0], { abs: 0 });
  expect(one(mambo({ alpha: 8, space: "x0" }), given)).toBeAllClose([1, -2, 0, 0], { abs: 0 });
});

describe("is extrapolation where its own idea is off", () => {
  const strong = random([3, 2, 4, 4], 0);
  const weak = random([3, 2, 4, 4], 1);
  const x = random([3, 2, 4, 4], 2);
  const along = tensor(
    strong.data.map((value) => 0.3 * value),
    strong.shape,
  );
  test.each<[string, Combine, Tensor]>([
    ["MAMBO-G with alpha 0", mambo({ alpha: 0 }), weak],
    ["power law with alpha 0", powerLaw({ alpha: 0 }), weak],
    ["frequency with equal factors", frequency({ factors: [1, 1, 1] }), weak],
    ["tangential on predictions of one direction", tangential({ space: "x0" }), along],
    [
      "CFG-Zero* where the best size is 1",
      cfgZeroStar({ zeroSteps: 0, space: "x0" }),
      projected(strong, weak),
    ],
    ["adaptive that never is done", adaptive({ threshold: 2 }), weak],
    ["mimic of amount 0", mimic({ mimic: 2, spread: "max", percentile: 1, amount: 0 }), weak],
    ["mimic of its own weight", mimic({ mimic: 4, spread: "max", percentile: 1, amount: 1 }), weak],
    ["mimic of its own weight by std", mimic({ mimic: 4, spread: "std", percentile: 1, amount: 1 }), weak],
    ["APG-mix before its start", apgMix({ eta: 0, cap: 1, momentum: 0, start: 5, early: 4 }), weak],
  ])("%s", (_, combine, from) => {
    const pair = pairOf({ x, strong, weak: from, sigma: 0.7, seeds: [0, 1, 2], weight: 4 });
    // 1e-8 in CFG-Zero*'s denominator leaves about 1e-6.
    expect(combineSteps(combine, [pair])[0]).toBeAllClose(cfgOf(pair), { abs: 2e-6 });
  });

  /** weak, made so that <strong, weak> = |weak|^2 row by row. */
  function projected(c: Tensor, u: Tensor): Tensor {
    const size = c.data.length / c.shape[0];
    const data = u.data.slice();
    for (let row = 0; row < c.shape[0]; row++) {
      let [cu, uu] = [0, 0];
      for (let i = row * size; i < (row + 1) * size; i++)
        [cu, uu] = [cu + c.data[i] * u.data[i], uu + u.data[i] ** 2];
      for (let i = row * size; i < (row + 1) * size; i++) data[i] *= cu / uu;
    }
    return tensor(data, u.shape);
  }
});

describe("CFG-Zero*", () => {
  test("does not move x in its first steps, in the flow's coordinates x/(1 + sigma)", () => {
    const x = random([1, 1, 2, 2], 4);
    const denoised = one(cfgZeroStar({ zeroSteps: 1 }), { x, sigma: 3 });
    // velocity = eps - D = 0
    expect(denoised).toBeAllClose(
      x.data.map((value) => value / 4),
      { abs: 1e-14 },
    );
  });

  test("in velocity and in x0 differs", () => {
    const x = random([1, 1, 2, 2], 4);
    const [a, b] = (["velocity", "x0"] as const).map((space) =>
      one(cfgZeroStar({ zeroSteps: 0, space }), { x, sigma: 3 }),
    );
    expect(Math.abs(a.data[0] - b.data[0])).toBeGreaterThan(1e-3);
  });
});

test("CFG-Zero* of weight 1 in its first steps is strong in the paper's form and still in diffusers'", async () => {
  expect(cfgZeroStar({ zeroSteps: 1 }).offAtOne).toBe(true);
  const still = cfgZeroStar({ zeroSteps: 1, form: "diffusers", space: "x0" });
  expect(still.offAtOne).toBe(false);
  const [first, second] = combineSteps(still, [pairOf({ weight: 1 }), pairOf({ weight: 1, step: 1 })]);
  expect(Array.from(first.data)).toEqual([0, 0, 0, 0]);
  expect(second.data).toEqual(golden.strong.data);
});

describe("frequency-decoupled", () => {
  const [strong, weak, x] = [random([1, 2, 8, 8], 0), random([1, 2, 8, 8], 1), random([1, 2, 8, 8], 2)];
  const pair = pairOf({ strong, weak, x, weight: 3 });
  const levels = (image: Tensor): Tensor[] => pyramid(image, 2);
  const parts = (l: number) => {
    const [c, u] = [levels(strong)[l].data, levels(weak)[l].data];
    const g = c.map((value, i) => value - u[i]);
    const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);
    const along = c.map((value) => (dot(g, c) / dot(c, c)) * value);
    return { c, u, along, across: g.map((value, i) => value - along[i]) };
  };

  /** The image whose levels are made of the two predictions' by hand. */
  const byLevels = (level: (l: number) => FloatArray): Tensor =>
    build(
      levels(strong).map(({ shape }, l) => ({ data: level(l), shape })),
      strong,
    );

  test("guides each level by its own weight, with its share of the part along the strong one", () => {
    const got = one(frequency({ factors: [2, 0.5], parallel: [0.3, 0.8] }), pair);
    const want = byLevels((l) => {
      const { c, along, across } = parts(l);
      const [w, share] = [[5, 2][l], [0.3, 0.8][l]];
      return c.map((value, i) => value + (w - 1) * (share * along[i] + across[i]));
    });
    expect(got).toBeAllClose(want, { abs: 1e-13 });
  });

  test("adds to the weak levels in diffusers' form, which is one with the paper's where all is kept", () => {
    const got = one(frequency({ factors: [2, 0.5], parallel: [0.3], form: "diffusers" }), pair);
    const want = byLevels((l) => {
      const { u, along, across } = parts(l);
      return u.map((value, i) => value + [5, 2][l] * (0.3 * along[i] + across[i]));
    });
    expect(got).toBeAllClose(want, { abs: 1e-13 });
    const whole = (["paper", "diffusers"] as const).map((form) =>
      one(frequency({ factors: [2, 0.5], form }), pair),
    );
    expect(whole[0]).toBeAllClose(whole[1], { abs: 1e-13 });
    const plain = one(frequency({ factors: [2, 0.5], parallel: [0.3] }), pair);
    expect(plain).toEqual(one(frequency({ factors: [2, 0.5], parallel: [0.3], form: "paper" }), pair));
  });

  test("can give each level the strong level's standard deviation", () => {
    const got = one(frequency({ factors: [2, 0.5], rescale: [1, 0] }), pair);
    const deviation = ({ data }: { readonly data: FloatArray }): number => {
      const values = Array.from(data);
      const mean = values.reduce((a, b) => a + b) / values.length;
      return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
    };
    const want = byLevels((l) => {
      const { c, u } = parts(l);
      const guided = c.map((value, i) => u[i] + [5, 2][l] * (value - u[i]));
      const factor = l === 0 ? deviation({ data: c }) / deviation({ data: guided }) : 1;
      return guided.map((value) => factor * value);
    });
    expect(got).toBeAllClose(want, { abs: 1e-13 });
  });
});

describe("adaptive", () => {
  const aligned = pairOf({ weak: tensor(Float64Array.of(0.5, 1, -0.5, 0.25), [1, 1, 2, 2]) });

  test("guides the step in which a row is found done, and not the next ones", () => {
    const combine = adaptive({ threshold: 0.99, space: "x0" });
    const [first, second, third] = combineSteps(combine, [aligned, pairOf({ step: 1 }), pairOf({ step: 2 })]);
    expect(first).toBeAllClose(cfgOf(aligned), { abs: 1e-14 });
    for (const later of [second, third]) expect(later.data).toEqual(golden.strong.data);
  });

  test("asks for the weak prediction in the step in which the last row is found done, and not any more; a new run asks again", async () => {
    const asked: number[] = [];
    const denoiser: Denoiser = {
      shape: [1, 2, 2],
      denoise: async (_x, _sigma, branches) => {
        asked.push(branches.length);
        return branches.map(({ condition }) => (condition === null ? aligned.weak : golden.strong));
      },
    };
    const spec = "adaptive:3,threshold=0.99,space=x0";
    const { evaluate, evaluations } = guide(denoiser, [0], buildGuidance(spec, { conditional: true }));
    for (const step of [0, 0, 1, 2, 2, 0]) await evaluate(golden.strong, 1, step);
    expect(asked).toEqual([2, 2, 1, 1, 1, 2]);
    expect(evaluations).toEqual({ networks: 9, gradients: 0 });
  });

  test("is finished once every row is done", () => {
    const combine = adaptive({ threshold: 0.99, space: "x0" });
    const before = combine.init!(1, 0);
    expect(combine.finished!(before)).toBe(false);
    expect(combine.finished!(combine.combine(pairOf(), before).state)).toBe(false);
    expect(combine.finished!(combine.combine(aligned, before).state)).toBe(true);
  });
});

describe("the Laplacian pyramid", () => {
  test.each([
    [1, [2, 3, 8, 4]],
    [3, [1, 2, 16, 8]],
    [3, [1, 1, 12, 7]],
    [4, [1, 1, 1, 5]],
  ])("of %i levels of %o gives the image back", (levels, shape) => {
    const x = random(shape, 9);
    expect(build(pyramid(x, levels), x)).toBeAllClose(x, { abs: 1e-13 });
  });

  test("of a constant image is nothing but its coarsest level", () => {
    const flat = tensor(new Float64Array(64).fill(2.5), [1, 1, 8, 8]);
    const [fine, middle, coarse] = pyramid(flat, 3);
    for (const level of [fine, middle])
      expect(level).toBeAllClose(
        level.data.map(() => 0),
        { abs: 1e-14 },
      );
    expect(coarse).toBeAllClose(
      coarse.data.map(() => 2.5),
      { abs: 1e-14 },
    );
  });
});

test("mimic keeps each channel's mean and takes the smaller weight's reach", () => {
  const [strong, weak] = [random([1, 2, 4, 4], 0), random([1, 2, 4, 4], 1)];
  const pair = pairOf({ strong, weak, x: random([1, 2, 4, 4], 2), weight: 9 });
  const got = combineSteps(mimic({ mimic: 2, spread: "max", percentile: 1, amount: 1, space: "x0" }), [
    pair,
  ])[0];
  const small = cfgOf({ ...pair, weight: 2 });
  for (const channel of [0, 1]) {
    const part = (x: Tensor): number[] => Array.from(x.data.subarray(16 * channel, 16 * channel + 16));
    const mean = (values: number[]): number => values.reduce((a, b) => a + b) / 16;
    const reach = (values: number[]): number => Math.max(...values.map((v) => Math.abs(v - mean(values))));
    expect(mean(part(got))).toBeAllClose(mean(part(cfgOf(pair))), { abs: 1e-12 });
    expect(reach(part(got))).toBeAllClose(reach(part(small)), { rel: 1e-12 });
  }
});

test("quantiles lie between the sorted values, as numpy's", () => {
  const values = [4, 1, 3, 2];
  // numpy.quantile([4, 1, 3, 2], q)
  for (const [q, want] of [
    [0, 1],
    [0.25, 1.75],
    [0.5, 2.5],
    [0.995, 3.985],
    [1, 4],
  ])
    expect(quantile(values, q)).toBeAllClose(want, { rel: 1e-15 });
});
