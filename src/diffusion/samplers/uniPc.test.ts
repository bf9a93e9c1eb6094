import { describe, expect, test } from "vitest";
import { axpby, scale, sub } from "../../base/tensor.ts";
import type { Tensor } from "../../base/tensor.ts";
import {
  epsAt,
  observedOrders,
  recordCalls,
  startAt,
  statesOf,
  twoGaussians,
  x0At,
} from "../../testing/samplerRuns.ts";
import { last } from "../last.ts";
import { karras } from "../sigmas.ts";
import type { Sigmas } from "../sigmas.ts";
import { dpmMultistep } from "./dpmMultistep.ts";
import { stepWeights } from "./dpmUpdate.ts";
import { euler } from "./euler.ts";
import { samplers } from "./index.ts";
import { eulerStep } from "./sampler.ts";
import type { UniPcOptions } from "./uniPc.ts";
import { uniPc } from "./uniPc.ts";

const grid = karras({ steps: 9, min: 0.05, max: 20 }).slice(0, -1); // 8 steps
const toZero = karras({ steps: 8, min: 0.05, max: 20 });
const start = startAt(grid[0]);
const ALL = Array.from({ length: 1000 }, (_, i) => i);
const VARIANTS = ["bh1", "bh2"] as const;
const run = (options: UniPcOptions, sigmas: Sigmas = grid) =>
  uniPc(twoGaussians.denoise, start, sigmas, options);
const kinds = VARIANTS.flatMap((variant) => [true, false].map((predictX0) => [variant, predictX0] as const));

describe("order of convergence", () => {
  test.each(kinds)(
    "%s, x0 smooth %s: one above the order asked for, and it without correction",
    async (...kind) => {
      const [variant, predictX0] = kind;
      for (const order of [1, 2, 3]) {
        const observed = async (disableCorrector: readonly number[]): Promise<number> => {
          const options = { variant, predictX0, order, lowerOrderFinal: false, disableCorrector };
          const [one] = await observedOrders((...rest) => uniPc(...rest, options), [480, 960]);
          return one;
        };
        expect(await observed(ALL)).toBeAllClose(order, { abs: 0.1 });
        // With eps smooth the error of order 3 changes its sign near these counts of steps: no order can be read off.
        if (order < 3 || predictX0) expect(await observed([])).toBeAllClose(order + 1, { abs: 0.1 });
      }
    },
  );

  test("order 4, from 60 steps on: the error reaches rounding soon", async () => {
    const options = { order: 4, lowerOrderFinal: false };
    for (const one of await observedOrders((...rest) => uniPc(...rest, options), [60, 120, 240]))
      expect(one).toBeAllClose(5, { abs: 0.1 });
  });
});

describe("without correction it is DPM-Solver in several steps", () => {
  test.each([
    [{ order: 1, variant: "bh1" }, { order: 1 }],
    [{ order: 1, variant: "bh2" }, { order: 1 }],
    [{ order: 2, variant: "bh2" }, { order: 2 }], // half of e^-h - 1: the midpoint
    [{ order: 3, variant: "bh2" }, { order: 3 }],
    [
      { order: 2, variant: "bh2", predictX0: false },
      { order: 2, algorithm: "dpmsolver" },
    ],
    [
      { order: 3, variant: "bh2", predictX0: false },
      { order: 3, algorithm: "dpmsolver" },
    ],
  ] as const)("%j is %j", async (ours, theirs) => {
    const plain = { lowerOrderFinal: false };
    const want = await statesOf(
      dpmMultistep(twoGaussians.denoise, start, toZero, { ...theirs, ...plain, bend: "exact" }),
    );
    const got = await statesOf(run({ ...ours, ...plain, disableCorrector: ALL }, toZero));
    want.forEach((state, i) => expect(got[i]).toBeAllClose(state, { abs: 1e-12, rel: 1e-12 }));
  });
});

test("order 1 with bh2 corrects Euler's step by half of what the prediction changed, in e^-h - 1", async () => {
  const states = await statesOf(run({ order: 1, lowerOrderFinal: false }));
  // The corrected x is not seen: it is where the next step, an Euler step, comes from.
  let [from, before] = [start, await twoGaussians.denoise(start, grid[0])];
  for (let i = 1; i + 1 < grid.length; i++) {
    const D = await twoGaussians.denoise(states[i], grid[i]);
    const gain = 1 - grid[i] / grid[i - 1];
    const plain = eulerStep(from, before, grid[i - 1], grid[i]);
    const corrected = axpby(1, plain, gain / 2, sub(D, before));
    expect(states[i + 1]).toBeAllClose(eulerStep(corrected, D, grid[i], grid[i + 1]), { abs: 1e-12 });
    [from, before] = [corrected, D];
  }
});

describe("exactness", () => {
  /** The exact step of a polynomial of degree up to 2 in lambda. */
  const exact = (
    predictX0: boolean,
    from: number,
    to: number,
    x: Tensor,
    p: (l: number) => number,
  ): Tensor => {
    const w = stepWeights(predictX0 ? "dpmsolver++" : "dpmsolver", from, to, 0);
    const at = (u: number): number => p(-Math.log(from) + u * w.h);
    const b = 2 * (at(1) - 2 * at(0.5) + at(0));
    const added = w.constant * at(0) + w.linear * (at(1) - at(0) - b) + w.quadratic * b;
    return { data: x.data.map((value) => w.keep * value + added), shape: x.shape };
  };
  const parabola = (l: number): number => 0.7 - 0.4 * l + 0.3 * l * l;

  test.each(kinds)(
    "%s, x0 smooth %s: three predictions take a parabola exactly",
    async (variant, predictX0) => {
      const options = { variant, predictX0, order: 3, lowerOrderFinal: false, disableCorrector: ALL };
      const denoise = predictX0 ? x0At(parabola) : epsAt(parabola);
      const states = await statesOf(uniPc(denoise, start, grid, options));
      for (let k = 2; k + 1 < grid.length; k++)
        expect(states[k + 1]).toBeAllClose(exact(predictX0, grid[k], grid[k + 1], states[k], parabola), {
          abs: 1e-11,
          rel: 1e-11,
        });
    },
  );

  test.each(kinds)(
    "%s, x0 smooth %s: corrected, two predictions do, from the third step on",
    async (variant, predictX0) => {
      // x0 and eps that do not depend on x are the same at the uncorrected place. The corrected states are
      // found from the last seen one: state = exact step of the corrected x by the predictor alone.
      const denoise = predictX0 ? x0At(parabola) : epsAt(parabola);
      const options = { variant, predictX0, order: 2, lowerOrderFinal: false };
      const got = await statesOf(uniPc(denoise, start, grid, options));
      const without = await statesOf(uniPc(denoise, start, grid, { ...options, disableCorrector: ALL }));
      // Both add the same by their predictor; what is left is the difference of the x it came from.
      const corrected = (k: number): Tensor => {
        const keep = predictX0 ? grid[k + 1] / grid[k] : 1;
        const predictorAdds = axpby(1, without[k + 1], -keep, without[k]);
        return scale(1 / keep, sub(got[k + 1], predictorAdds));
      };
      for (let k = 2; k + 2 < grid.length; k++)
        expect(corrected(k + 1)).toBeAllClose(
          exact(predictX0, grid[k], grid[k + 1], corrected(k), parabola),
          { abs: 1e-9, rel: 1e-9 },
        );
    },
  );

  test("bh1 and bh2 differ only where a step has one slope: from three predictions on they add the same", async () => {
    const f = (l: number): number => Math.sin(2 * l);
    const options = { order: 3, lowerOrderFinal: false, disableCorrector: ALL };
    const [one, two] = await Promise.all(
      VARIANTS.map((variant) => statesOf(uniPc(x0At(f), start, grid, { ...options, variant }))),
    );
    const difference = one.map((state, i) => state.data[0] - two[i].data[0]);
    expect(difference[1]).toBe(0);
    expect(Math.abs(difference[2])).toBeGreaterThan(1e-3);
    for (let k = 2; k + 1 < grid.length; k++)
      expect(difference[k + 1]).toBeAllClose((grid[k + 1] / grid[k]) * difference[k], { abs: 1e-13 });
  });
});

describe("the ends of a run", () => {
  /** How many predictions each step used, told by what it adds where D depends on the level alone. */
  const used = async (options: UniPcOptions): Promise<readonly number[]> => {
    const f = (l: number): number => Math.sin(3 * l);
    const added = async (o: UniPcOptions): Promise<number[]> => {
      const states = await statesOf(uniPc(x0At(f), start, grid, { ...o, disableCorrector: ALL }));
      return states.slice(1).map((x, k) => x.data[0] - (grid[k + 1] / grid[k]) * states[k].data[0]);
    };
    const ways = await Promise.all([1, 2, 3, 4].map((order) => added({ order, lowerOrderFinal: false })));
    const got = await added(options);
    return got.map((value, k) => ways.findIndex((way) => Math.abs(way[k] - value) < 1e-12) + 1);
  };

  test("the order grows from 1 and, where asked, falls to 1 again", async () => {
    expect(await used({ order: 3 })).toEqual([1, 2, 3, 3, 3, 3, 2, 1]);
    expect(await used({ order: 4 })).toEqual([1, 2, 3, 4, 4, 3, 2, 1]);
    expect(await used({ order: 3, lowerOrderFinal: false })).toEqual([1, 2, 3, 3, 3, 3, 3, 3]);
    expect(await used({ order: 1 })).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });

  test("a step taken at lower order is corrected at that order too", async () => {
    // Where D depends on the level alone, what the predictor adds to step k is known, and from a state what the
    // corrector made of the one before.
    const f = (l: number): number => Math.sin(3 * l);
    const added = async (options: UniPcOptions): Promise<number> => {
      const run = (more: UniPcOptions) => statesOf(uniPc(x0At(f), start, grid, { ...options, ...more }));
      const [got, plain] = [await run({}), await run({ disableCorrector: ALL })];
      const ratio = (k: number): number => grid[k + 1] / grid[k];
      const corrected = (k: number): number =>
        plain[k].data[0] + (got[k + 1].data[0] - plain[k + 1].data[0]) / ratio(k);
      return corrected(7) - ratio(6) * corrected(6);
    };
    // Step 6 of 8 has two predictions, of whatever order the run is.
    const [lowered, two, three] = [
      await added({ order: 3 }),
      await added({ order: 2, lowerOrderFinal: false }),
      await added({ order: 3, lowerOrderFinal: false }),
    ];
    expect(lowered).toBeAllClose(two, { abs: 1e-11 });
    expect(Math.abs(lowered - three)).toBeGreaterThan(1e-4);
  });

  test("a step to 0 ends at the prediction, with every option, and nothing is NaN", async () => {
    for (const [variant, predictX0] of kinds) {
      for (const lowerOrderFinal of [true, false]) {
        const states = await statesOf(run({ variant, predictX0, lowerOrderFinal, order: 3 }, toZero));
        expect(states[8]).toBeAllClose(await twoGaussians.denoise(states[7], toZero[7]), { abs: 0 });
      }
    }
  });

  test("a step of length 0 leaves the sample where it was corrected to", async () => {
    const resting = [...grid, grid[grid.length - 1]];
    // With one more step to 0, the corrected x of its beginning is known: x = sample there.
    const { states, calls } = await recordCalls((denoise) => uniPc(denoise, start, resting, { order: 2 }));
    expect(calls).toHaveLength(9);
    const longer = [...grid, grid[grid.length - 1] / 2];
    const next = await statesOf(run({ order: 2 }, longer));
    const D = await twoGaussians.denoise(next[8], grid[8]);
    // The last step of `longer` is Euler's from the corrected x: (x' - D/2) 2.
    expect(states[9]).toBeAllClose(scale(2, axpby(1, next[9], -0.5, D)), { abs: 1e-12 });
    expect(sub(states[9], states[8]).data.some((value) => Math.abs(value) > 1e-6)).toBe(true);
  });
});

describe("disableCorrector", () => {
  test("the step of that number is not corrected: the runs part two states later", async () => {
    const all = await statesOf(run({}));
    for (const step of [0, 1, 4]) {
      const without = await statesOf(run({ disableCorrector: [step] }));
      for (let i = 0; i <= step + 1; i++) expect(without[i].data).toEqual(all[i].data);
      expect(without[step + 2].data).not.toEqual(all[step + 2].data);
    }
  });

  test("the last step is never corrected: there is no prediction after it", async () => {
    expect((await last(run({ disableCorrector: [7] }))).data).toEqual((await last(run({}))).data);
  });

  test("all of them, in order 1, leave Euler's method", async () => {
    expect(await last(run({ order: 1, disableCorrector: ALL }))).toBeAllClose(
      await last(euler(twoGaussians.denoise, start, grid)),
      { abs: 1e-13 },
    );
  });

  test("a command line gives it as 0,1 or one number", async () => {
    const want = await last(run({ disableCorrector: [0, 1] }));
    const got = samplers.unipc.run(twoGaussians.denoise, start, grid, { disableCorrector: "0,1" });
    expect((await last(got)).data).toEqual(want.data);
  });
});

test("one evaluation a step, at the uncorrected x, with the number of the step", async () => {
  const { calls } = await recordCalls((denoise) => uniPc(denoise, start, toZero, { order: 3 }));
  expect(calls).toEqual(toZero.slice(0, -1).map((sigma, i) => [sigma, i]));
});
