import { describe, expect, test } from "vitest";
import { sub } from "../../base/tensor.ts";
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
import { exponential, karras } from "../sigmas.ts";
import type { Sigmas } from "../sigmas.ts";
import type { DpmBend, DpmMultistepOptions } from "./dpmMultistep.ts";
import { dpmMultistep } from "./dpmMultistep.ts";
import { dpmpp2m } from "./dpmpp2m.ts";
import { dpmpp2mSde } from "./dpmpp2mSde.ts";
import { dpmpp3mSde } from "./dpmpp3mSde.ts";
import type { DpmAlgorithm } from "./dpmUpdate.ts";
import { stepWeights } from "./dpmUpdate.ts";
import { euler } from "./euler.ts";
import { eulerAncestral } from "./eulerAncestral.ts";
import type { Sampler, SamplerName } from "./index.ts";
import { samplers } from "./index.ts";
import { law } from "./samplers.cases.ts";
import { eulerStep } from "./sampler.ts";

const ODE = ["dpmsolver", "dpmsolver++"] as const;
const ALGORITHMS: readonly DpmAlgorithm[] = [...ODE, "sde-dpmsolver", "sde-dpmsolver++"];
/** Ends above 0. */
const grid = karras({ steps: 8, min: 0.05, max: 20 }).slice(0, -1);
const toZero = karras({ steps: 8, min: 0.05, max: 20 });
const start = startAt(grid[0]);
const run = (options: DpmMultistepOptions, sigmas: Sigmas = grid) =>
  dpmMultistep(twoGaussians.denoise, startAt(sigmas[0]), sigmas, { noise: stepNoise, ...options });

describe("order of convergence on the ODE", () => {
  test.each(
    ODE.flatMap((algorithm) =>
      (["midpoint", "heun"] as const).flatMap((solver) =>
        [1, 2, 3].map((order) => [algorithm, solver, order] as const),
      ),
    ),
  )("%s, %s: %i, as asked for", async (algorithm, solver, order) => {
    for (const observed of await observedOrders((denoise, x, sigmas) =>
      dpmMultistep(denoise, x, sigmas, { algorithm, solver, order }),
    ))
      expect(observed).toBeAllClose(order, { abs: 0.1 });
  });

  test("the published weight of the bend is half of the integral and loses an order", async () => {
    for (const algorithm of ODE) {
      const [, observed] = await observedOrders((denoise, x, sigmas) =>
        dpmMultistep(denoise, x, sigmas, { algorithm, order: 3, bend: "published" }),
      );
      expect(observed).toBeAllClose(2, { abs: 0.1 });
    }
  });
});

describe("order of convergence in the law of a Gaussian on the SDE", () => {
  const order = async (options: DpmMultistepOptions): Promise<number> => {
    const { run: all, ...about } = samplers["dpm-multistep"];
    const sampler: Sampler = { ...about, run: (d, x, s, o) => all(d, x, s, { ...options, ...o }) };
    const [coarse, fine] = [await law(sampler, 240), await law(sampler, 480)];
    return Math.log2((coarse.std - 0.5) / (fine.std - 0.5));
  };

  test.each([
    [{ algorithm: "sde-dpmsolver++", order: 1 }, 1],
    [{ algorithm: "sde-dpmsolver++", order: 2 }, 2],
    [{ algorithm: "sde-dpmsolver++", order: 2, solver: "heun" }, 2],
    [{ algorithm: "sde-dpmsolver++", order: 3, bend: "published" }, 2],
    [{ algorithm: "sde-dpmsolver++", order: 3, bend: "diffusers" }, 1], // a sign
    [{ algorithm: "sde-dpmsolver", order: 1 }, 1],
    [{ algorithm: "sde-dpmsolver", order: 2 }, 2],
    [{ algorithm: "sde-dpmsolver", order: 2, solver: "heun" }, 2],
  ] as const)("%j: %i", async (options, want) => {
    expect(await order(options)).toBeAllClose(want, { abs: 0.2 });
  });
});

describe("a step of q predictions is exact where they are a polynomial of q values", () => {
  const polynomials = [() => 0.7, (l: number) => 0.7 - 0.4 * l, (l: number) => 0.7 - 0.4 * l + 0.3 * l * l];

  /** The exact mean of the step from state k: the polynomial in u, the place in the step, by its three values. */
  const exact = (algorithm: DpmAlgorithm, k: number, x: number, p: (lambda: number) => number): number => {
    const w = stepWeights(algorithm, grid[k], grid[k + 1], 1);
    const at = (u: number): number => p(-Math.log(grid[k]) + u * w.h);
    const b = 2 * (at(1) - 2 * at(0.5) + at(0));
    return w.keep * x + w.constant * at(0) + w.linear * (at(1) - at(0) - b) + w.quadratic * b;
  };
  const zero = (_: number, shape: readonly number[]) => ({ data: new Float64Array(6), shape });

  test.each(ALGORITHMS)("%s", async (algorithm) => {
    for (const order of [1, 2, 3]) {
      const p = polynomials[order - 1];
      const denoise = algorithm.endsWith("++") ? x0At(p) : epsAt(p);
      const options = { algorithm, order, solver: "heun", lowerOrderFinal: false, noise: zero } as const;
      const states = await statesOf(dpmMultistep(denoise, startAt(20), grid, options));
      for (let k = order - 1; k + 1 < grid.length; k++)
        states[k].data.forEach((x, i) =>
          expect(states[k + 1].data[i]).toBeAllClose(exact(algorithm, k, x, p), { abs: 1e-12, rel: 1e-12 }),
        );
      // One prediction fewer does not do.
      if (order > 1) {
        const lower = await statesOf(
          dpmMultistep(denoise, startAt(20), grid, { ...options, order: order - 1 }),
        );
        const k = grid.length - 2;
        expect(Math.abs(lower[k + 1].data[0] - exact(algorithm, k, lower[k].data[0], p))).toBeGreaterThan(
          1e-4,
        );
      }
    }
  });

  test("the published bend is half the exact one; diffusers' is 1 less in sde-dpmsolver++ alone", async () => {
    const p = polynomials[2];
    for (const algorithm of ALGORITHMS) {
      const denoise = algorithm.endsWith("++") ? x0At(p) : epsAt(p);
      const third = async (bend: DpmBend): Promise<number> => {
        const options = { algorithm, order: 3, lowerOrderFinal: false, bend, noise: zero } as const;
        return (await statesOf(dpmMultistep(denoise, startAt(20), grid, options)))[3].data[0];
      };
      const [exactly, published, diffusers] = [
        await third("exact"),
        await third("published"),
        await third("diffusers"),
      ];
      const { h, quadratic } = stepWeights(algorithm, grid[2], grid[3], 1);
      const b = 0.3 * h * h; // of p in units of the step
      expect(exactly - published).toBeAllClose((quadratic / 2) * b, { rel: 1e-9 });
      expect(published - diffusers).toBeAllClose(algorithm === "sde-dpmsolver++" ? b : 0, { abs: 1e-12 });
    }
  });
});

describe("special cases", () => {
  const same = async (a: Parameters<typeof last>[0], b: Parameters<typeof last>[0]): Promise<void> => {
    expect(await last(a)).toBeAllClose(await last(b), { abs: 1e-13, rel: 1e-12 });
  };
  test("order 1 on the ODE is Euler's method, whatever is smooth", async () => {
    for (const algorithm of ODE)
      for (const sigmas of [grid, toZero])
        await same(run({ algorithm, order: 1 }, sigmas), euler(twoGaussians.denoise, start, sigmas));
  });

  test("order 1 of sde-dpmsolver++ is the ancestral Euler method", async () => {
    const want = eulerAncestral(twoGaussians.denoise, start, toZero, { noise: stepNoise });
    await same(run({ algorithm: "sde-dpmsolver++", order: 1 }, toZero), want);
  });

  test("the sde algorithms with eta 0 are those on the ODE and draw no noise", async () => {
    for (const algorithm of ODE)
      for (const order of [1, 2, 3])
        await same(
          run({ algorithm: `sde-${algorithm}`, order, eta: 0, noise: undefined }),
          run({ algorithm, order }),
        );
  });

  test("dpmpp-2m, dpmpp-2m-sde and dpmpp-3m-sde are it, to the bit, without the rule for short runs", async () => {
    const lowerOrderFinal = false;
    const noise = stepNoise;
    const pairs = [
      [dpmpp2m(twoGaussians.denoise, start, grid), run({ lowerOrderFinal })],
      [
        dpmpp2mSde(twoGaussians.denoise, start, grid, { solver: "heun", eta: 0.7, noise }),
        run({ lowerOrderFinal, algorithm: "sde-dpmsolver++", solver: "heun", eta: 0.7 }),
      ],
      [
        dpmpp3mSde(twoGaussians.denoise, start, grid, { noise, noiseScale: 0.9 }),
        run({
          lowerOrderFinal,
          algorithm: "sde-dpmsolver++",
          solver: "heun",
          order: 3,
          bend: "published",
          noiseScale: 0.9,
        }),
      ],
    ];
    for (const [a, b] of pairs) expect((await last(a)).data).toEqual((await last(b)).data);
  });

  test("dpmpp-2m is Algorithm 2 of its paper, written out", async () => {
    const steps = dpmpp2m(twoGaussians.denoise, start, toZero);
    let [x, previous, hLast] = [start, start, 0];
    for (let i = 0; i + 1 < toZero.length; i++) {
      const D = await twoGaussians.denoise(x, toZero[i]);
      const h = Math.log(toZero[i] / toZero[i + 1]);
      const r = hLast / h;
      const isFirst = i === 0 || toZero[i + 1] === 0;
      const [to, ratio] = [-Math.expm1(-h), toZero[i + 1] / toZero[i]];
      const old = previous;
      const data = x.data.map((value, k) => {
        const d = isFirst ? D.data[k] : (1 + 1 / (2 * r)) * D.data[k] - old.data[k] / (2 * r);
        return ratio * value + to * d;
      });
      [x, previous, hLast] = [{ data, shape: x.shape }, D, h];
    }
    expect(await last(steps)).toBeAllClose(x, { abs: 1e-12 });
  });
});

describe("the last steps", () => {
  /** How many predictions the last step and the one before used, told by the runs that are held to fewer throughout. */
  const used = async (options: DpmMultistepOptions, steps: number): Promise<readonly number[]> => {
    const sigmas = exponential({ steps: steps + 1, min: 0.05, max: 5 }).slice(0, -1);
    const p = (l: number): number => Math.sin(3 * l);
    const states = async (o: DpmMultistepOptions): Promise<number[]> =>
      (await statesOf(dpmMultistep(x0At(p), startAt(5), sigmas, o))).map(({ data }) => data[0]);
    const got = await states({ order: 3, ...options });
    const ways = await Promise.all(
      [1, 2, 3].map((order) => states({ order, lowerOrderFinal: false, eulerAtFinal: false })),
    );
    // D depends on the level alone: a step is keep x + (what it adds by its predictions).
    const added = (s: number[], k: number): number => s[k + 1] - (sigmas[k + 1] / sigmas[k]) * s[k];
    return [steps - 2, steps - 1].map(
      (k) => ways.findIndex((s) => Math.abs(added(s, k) - added(got, k)) < 1e-12) + 1,
    );
  };

  test.each([
    [{}, 14, [2, 1]],
    [{}, 15, [3, 3]],
    [{ eulerAtFinal: true }, 15, [3, 1]],
    [{ eulerAtFinal: true }, 14, [2, 1]],
    [{ lowerOrderFinal: false }, 14, [3, 3]],
    [{ lowerOrderFinal: false, eulerAtFinal: true }, 14, [3, 1]],
  ] as const)("%j in %i steps: of orders %j", async (options, steps, want) => {
    expect(await used(options, steps)).toEqual(want);
  });

  test("to 0 end at the prediction, in every algorithm, without a noise", async () => {
    for (const algorithm of ALGORITHMS) {
      const drawn: number[] = [];
      const noise: typeof stepNoise = (index, ...rest) => (drawn.push(index), stepNoise(index, ...rest));
      const states = await statesOf(run({ algorithm, noise }, toZero));
      const [before, end] = states.slice(-2);
      expect(end).toBeAllClose(await twoGaussians.denoise(before, toZero[7]), { abs: 0 });
      expect(drawn).toEqual(algorithm.startsWith("sde") ? [0, 1, 2, 3, 4, 5, 6] : []);
    }
  });

  test("of length 0 leave the sample where it is, and count among the steps", async () => {
    for (const algorithm of ALGORITHMS) {
      const resting = [...grid, grid[grid.length - 1]];
      const { states, calls } = await recordCalls((denoise) =>
        dpmMultistep(denoise, start, resting, { algorithm, order: 3, noise: stepNoise }),
      );
      expect(calls.map(([, step]) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      expect(states[8]).toBeAllClose(states[7], { abs: 0 });
      const full = { algorithm, order: 3, lowerOrderFinal: false, noise: stepNoise } as const;
      const unlowered = await statesOf(dpmMultistep(twoGaussians.denoise, start, resting, full));
      expect(unlowered[8]).toBeAllClose(unlowered[7], { abs: 0 });
      // The step before is now the last but one: of order 2, not 1.
      const without = await statesOf(run({ algorithm, order: 3 }));
      expect(states[6]).not.toEqual(without[6]);
    }
  });
});

test("a step of order 1 is exactly eulerStep's in x0: the last of a short run", async () => {
  const states = await statesOf(run({ order: 3 }));
  const k = grid.length - 2;
  const D = await twoGaussians.denoise(states[k], grid[k]);
  expect(states[k + 1]).toBeAllClose(eulerStep(states[k], D, grid[k], grid[k + 1]), { abs: 1e-15 });
});

test("the noise of a step is deviation x noiseScale, of the step's own number", async () => {
  for (const algorithm of ["sde-dpmsolver", "sde-dpmsolver++"] as const) {
    const options = { algorithm, order: 1, eta: 0.6, noiseScale: 1.4 } as const;
    const silent = await statesOf(run({ ...options, noiseScale: 0 }, grid.slice(0, 2)));
    const loud = await statesOf(run(options, grid.slice(0, 2)));
    const { deviation } = stepWeights(algorithm, grid[0], grid[1], 0.6);
    const noise = stepNoise(0, [3, 2], { from: 1, to: 0 });
    expect(sub(loud[1], silent[1])).toBeAllClose(
      noise.data.map((z) => 1.4 * deviation * z),
      { abs: 1e-13 },
    );
  }
});

test.each(["dpm-multistep", "dpm-singlestep", "deis"] satisfies SamplerName[])(
  "%s refuses an order of 0, of 4 and of 1.5 by name",
  (name) => {
    for (const order of [0, 4, 1.5])
      expect(() => samplers[name].run(twoGaussians.denoise, startAt(20), grid, { order })).toThrow(
        `order of sampler ${name} is a whole number from 1 to 3, got ${order}`,
      );
  },
);
