import { describe, expect, test } from "vitest";
import { axpby, tensor } from "../../base/tensor.ts";
import {
  epsAt,
  observedOrders,
  recordCalls,
  startAt,
  statesOf,
  stepNoise,
  twoGaussians,
  x0At,
} from "../../testing/samplerRuns.ts";
import { last } from "../last.ts";
import { gaussian } from "../oracles/gaussian.ts";
import { exponential, karras } from "../sigmas.ts";
import type { Sigmas } from "../sigmas.ts";
import { dpm2 } from "./dpm2.ts";
import type { DpmSinglestepOptions } from "./dpmSinglestep.ts";
import { blockOrders, dpmSinglestep } from "./dpmSinglestep.ts";
import { dpmSolverStep, epsOf } from "./dpmSolver.ts";
import type { DpmAlgorithm } from "./dpmUpdate.ts";
import { stepWeights } from "./dpmUpdate.ts";
import { dpmpp2sAncestral } from "./dpmpp2sAncestral.ts";
import { euler } from "./euler.ts";
import { eulerAncestral } from "./eulerAncestral.ts";

const ODE = ["dpmsolver", "dpmsolver++"] as const;
const ALGORITHMS: readonly DpmAlgorithm[] = [...ODE, "sde-dpmsolver", "sde-dpmsolver++"];
const grid = karras({ steps: 10, min: 0.05, max: 20 }).slice(0, -1); // 9 steps
const toZero = karras({ steps: 9, min: 0.05, max: 20 });
const start = startAt(grid[0]);
const run = (options: DpmSinglestepOptions, sigmas: Sigmas = grid) =>
  dpmSinglestep(twoGaussians.denoise, start, sigmas, { noise: stepNoise, ...options });

test.each([
  // order, steps, lowerOrderFinal, ends at 0
  [3, 9, true, true, [1, 2, 3, 1, 2, 3, 1, 2, 1]],
  [3, 10, true, true, [1, 2, 3, 1, 2, 3, 1, 2, 3, 1]],
  [3, 11, true, false, [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2]],
  [3, 9, false, false, [1, 2, 3, 1, 2, 3, 1, 2, 3]],
  [3, 9, false, true, [1, 2, 3, 1, 2, 3, 1, 2, 1]], // a grid to 0 has no whole block at its end
  [3, 10, false, false, [1, 2, 3, 1, 2, 3, 1, 2, 3, 1]],
  [3, 3, true, false, [1, 2, 1]],
  [3, 1, true, true, [1]],
  [2, 6, true, true, [1, 2, 1, 2, 1, 1]],
  [2, 7, true, true, [1, 2, 1, 2, 1, 2, 1]],
  [2, 6, false, false, [1, 2, 1, 2, 1, 2]],
  [2, 7, false, false, [1, 2, 1, 2, 1, 2, 1]],
  [2, 2, true, false, [1, 1]],
  [1, 4, true, true, [1, 1, 1, 1]],
  [1, 4, false, false, [1, 1, 1, 1]],
] as const)(
  "blocks of order %i over %i steps, lowered %s, to 0 %s: %j",
  (order, steps, lower, toEnd, want) => {
    expect(blockOrders(steps, order, lower, toEnd)).toEqual(want);
  },
);

describe("order of convergence on the ODE", () => {
  test.each(
    ODE.flatMap((algorithm) =>
      (["midpoint", "heun"] as const).flatMap((solver) =>
        [1, 2, 3].map((order) => [algorithm, solver, order] as const),
      ),
    ),
  )("%s, %s: %i, as asked for", async (algorithm, solver, order) => {
    const observed = await observedOrders((denoise, x, sigmas) =>
      dpmSinglestep(denoise, x, sigmas, { algorithm, solver, order }),
    );
    // Of heun with dpmsolver the leading error nearly cancels for this Gaussian: observed 3.15 and 3.2.
    for (const one of observed) expect(one).toBeAllClose(order, { abs: order === 3 ? 0.25 : 0.1 });
  });
});

describe("equivalences", () => {
  /** A grid of equal blocks in ln sigma with `order` equal steps each, and the beginnings of the blocks. */
  const blocks = (order: number, count: number) => {
    const fine = exponential({ steps: order * count + 1, min: 0.1, max: 10 }).slice(0, -1);
    return { fine, coarse: fine.filter((_, i) => i % order === 0) };
  };
  const whole = { lowerOrderFinal: false } as const;

  test("blocks of two on x0 are DPM-Solver++(2S), on eps DPM-Solver-2", async () => {
    const { fine, coarse } = blocks(2, 4);
    const x = startAt(10);
    const data = await last(dpmSinglestep(twoGaussians.denoise, x, fine, whole));
    expect(data).toBeAllClose(await last(dpmpp2sAncestral(twoGaussians.denoise, x, coarse, { eta: 0 })), {
      abs: 1e-13,
    });
    const noise = await last(
      dpmSinglestep(twoGaussians.denoise, x, fine, { ...whole, algorithm: "dpmsolver" }),
    );
    let y = x;
    for (let i = 0; i + 1 < coarse.length; i++) {
      const e = axpby(1 / coarse[i], y, -1 / coarse[i], await twoGaussians.denoise(y, coarse[i]));
      const ends = [-Math.log(coarse[i]), -Math.log(coarse[i + 1])] as const;
      y = (await dpmSolverStep(epsOf(twoGaussians.denoise, i), y, e, ends, 2)).x;
    }
    expect(noise).toBeAllClose(y, { abs: 1e-13 });
  });

  test("DPM-Solver-2 in one block is near dpm2, whose middle is the same and whose slope is in sigma", async () => {
    const { fine, coarse } = blocks(2, 64);
    const x = startAt(10);
    const block = await last(
      dpmSinglestep(twoGaussians.denoise, x, fine, { ...whole, algorithm: "dpmsolver" }),
    );
    expect(block).toBeAllClose(await last(dpm2(twoGaussians.denoise, x, coarse)), { abs: 2e-3 });
  });

  test("blocks of three on eps are DPM-Solver-3, up to its middle stage", async () => {
    // The stage at two thirds differs, by heun or midpoint: so by the third power of the step inside the last stage.
    const { fine, coarse } = blocks(3, 32);
    const x = startAt(10);
    const options = { ...whole, algorithm: "dpmsolver", order: 3 } as const;
    const block = await last(dpmSinglestep(twoGaussians.denoise, x, fine, options));
    let y = x;
    for (let i = 0; i + 1 < coarse.length; i++) {
      const e = axpby(1 / coarse[i], y, -1 / coarse[i], await twoGaussians.denoise(y, coarse[i]));
      const ends = [-Math.log(coarse[i]), -Math.log(coarse[i + 1])] as const;
      y = (await dpmSolverStep(epsOf(twoGaussians.denoise, i), y, e, ends, 3)).x;
    }
    expect(block).toBeAllClose(y, { abs: 1e-4 });
  });

  test("order 1 is Euler's method and the ancestral one", async () => {
    for (const algorithm of ODE)
      expect(await last(run({ algorithm, order: 1 }, toZero))).toBeAllClose(
        await last(euler(twoGaussians.denoise, start, toZero)),
        { abs: 1e-13 },
      );
    expect(await last(run({ algorithm: "sde-dpmsolver++", order: 1 }, toZero))).toBeAllClose(
      await last(eulerAncestral(twoGaussians.denoise, start, toZero, { noise: stepNoise })),
      { abs: 1e-13 },
    );
  });

  test("the sde algorithms with eta 0 are those on the ODE and draw no noise", async () => {
    for (const algorithm of ODE)
      for (const order of [1, 2, 3])
        expect(
          await last(run({ algorithm: `sde-${algorithm}`, order, eta: 0, noise: undefined })),
        ).toBeAllClose(await last(run({ algorithm, order })), { abs: 1e-13 });
  });
});

describe("a block of q predictions is exact where they are a polynomial of q values", () => {
  const zero = (_: number, shape: readonly number[]) => ({ data: new Float64Array(6), shape });
  const polynomials = [() => 0.7, (l: number) => 0.7 - 0.4 * l, (l: number) => 0.7 - 0.4 * l + 0.3 * l * l];

  test.each(ALGORITHMS)("%s", async (algorithm) => {
    for (const order of [1, 2, 3]) {
      const p = polynomials[order - 1];
      const denoise = algorithm.endsWith("++") ? x0At(p) : epsAt(p);
      const options = { algorithm, order, solver: "heun", lowerOrderFinal: false, noise: zero } as const;
      const sigmas = grid.slice(0, 7);
      const states = await statesOf(dpmSinglestep(denoise, start, sigmas, options));
      for (let k = 0; k < 6; k += order) {
        const w = stepWeights(algorithm, sigmas[k], sigmas[k + order], 1);
        const at = (u: number): number => p(-Math.log(sigmas[k]) + u * w.h);
        const b = 2 * (at(1) - 2 * at(0.5) + at(0));
        const added = w.constant * at(0) + w.linear * (at(1) - at(0) - b) + w.quadratic * b;
        states[k].data.forEach((x, i) =>
          expect(states[k + order].data[i]).toBeAllClose(w.keep * x + added, { abs: 1e-12, rel: 1e-12 }),
        );
      }
    }
  });

  test("diffusers' bend is 2 less in sde-dpmsolver++ with heun, and exact elsewhere", async () => {
    for (const algorithm of ALGORITHMS) {
      for (const solver of ["midpoint", "heun"] as const) {
        const p = polynomials[2];
        const denoise = algorithm.endsWith("++") ? x0At(p) : epsAt(p);
        const options = { algorithm, order: 3, solver, lowerOrderFinal: false, noise: zero } as const;
        const block = grid.slice(0, 4);
        const exact = await last(dpmSinglestep(denoise, start, block, options));
        const theirs = await last(dpmSinglestep(denoise, start, block, { ...options, bend: "diffusers" }));
        const { h } = stepWeights(algorithm, block[0], block[3], 1);
        const differs = algorithm === "sde-dpmsolver++" && solver === "heun";
        expect(exact.data[0] - theirs.data[0]).toBeAllClose(differs ? 2 * 0.3 * h * h : 0, { abs: 1e-11 });
      }
    }
  });
});

describe("on the SDE", () => {
  test("a block gives a point's noise exactly: of its last step alone, over the whole block", async () => {
    // Of a point (D constant) at sigma the sample has deviation sigma; each step's answer depends on the block's beginning and own noise.
    const point = gaussian({ mean: 0.7, std: 0 });
    for (const order of [1, 2, 3]) {
      const sigmas = grid.slice(0, 7);
      const response = async (unit: number): Promise<number> => {
        const noise = (index: number, shape: readonly number[]) =>
          tensor(Float64Array.of(index === unit ? 1 : 0), shape);
        const x = tensor(Float64Array.of(0.7 + (unit < 0 ? sigmas[0] : 0)), [1, 1]);
        const options = { algorithm: "sde-dpmsolver++", order, lowerOrderFinal: false, noise } as const;
        return (await last(dpmSinglestep(point.denoise, x, sigmas, options))).data[0] - 0.7;
      };
      const responses = await Promise.all([-1, 0, 1, 2, 3, 4, 5].map(response));
      responses.slice(1).forEach((value, step) => {
        if ((step + 1) % order !== 0) expect(value).toBeAllClose(0, { abs: 1e-15 });
        else expect(value).toBeGreaterThan(1e-4);
      });
      const variance = responses.reduce((sum, value) => sum + value * value, 0);
      expect(variance).toBeAllClose(sigmas[6] ** 2, { rel: 1e-12 });
    }
  });

  test("the noise of a step is asked for from the block's beginning to the step's end", async () => {
    const spans: (readonly [number, number, number])[] = [];
    const noise: typeof stepNoise = (index, shape, span) => {
      spans.push([index, span.from, span.to]);
      return stepNoise(index, shape, span);
    };
    await last(run({ algorithm: "sde-dpmsolver++", order: 3, noise }, grid.slice(0, 5)));
    expect(spans).toEqual([
      [0, grid[0], grid[1]],
      [1, grid[0], grid[2]],
      [2, grid[0], grid[3]],
      [3, grid[3], grid[4]],
    ]);
  });
});

test("every step of the grid is a step, of one evaluation at its level, and to 0 ends at the prediction", async () => {
  for (const algorithm of ALGORITHMS) {
    for (const order of [1, 2, 3]) {
      const { states, calls } = await recordCalls((denoise) =>
        dpmSinglestep(denoise, start, toZero, { algorithm, order, noise: stepNoise }),
      );
      expect(calls).toEqual(toZero.slice(0, -1).map((sigma, i) => [sigma, i]));
      expect(states[9]).toBeAllClose(await twoGaussians.denoise(states[8], toZero[8]), { abs: 0 });
    }
  }
});

test("where the last level is repeated, a block's last step is the whole block, and a step alone does nothing", async () => {
  const resting = [...grid.slice(0, 4), grid[3]]; // 4 steps: blocks of 2 and 2, or 3 and 1
  const [two, three] = [
    await statesOf(run({ order: 2, lowerOrderFinal: false }, resting)),
    await statesOf(run({ order: 3 }, resting)),
  ];
  // The newest prediction stands at the block's end: r = 1.
  const [base, end] = [two[2], two[3]];
  const [m, m0] = [await twoGaussians.denoise(base, resting[2]), await twoGaussians.denoise(end, resting[3])];
  const { keep, constant } = stepWeights("dpmsolver++", resting[2], resting[3], 0);
  expect(two[4]).toBeAllClose(axpby(1, axpby(keep, base, constant / 2, m), constant / 2, m0), { abs: 1e-14 });
  expect(three[4]).toBeAllClose(three[3], { abs: 1e-15 });
});
