import { expect, test } from "vitest";
import { axpby, axpy } from "../../base/tensor.ts";
import type { Tensor } from "../../base/tensor.ts";
import { observedOrders, startAt, statesOf, twoGaussians } from "../../testing/samplerRuns.ts";
import { last } from "../last.ts";
import { karras } from "../sigmas.ts";
import { deis } from "./deis.ts";
import { dpmMultistep } from "./dpmMultistep.ts";
import { integrate, lagrange } from "./lagrange.ts";
import { uniPc } from "./uniPc.ts";

const grid = karras({ steps: 8, min: 0.05, max: 20 }).slice(0, -1);
const start = startAt(grid[0]);

/** The integral of a Lagrange polynomial in ln s over s, by quadrature on many pieces. */
function integral(points: readonly number[], j: number, from: number, to: number): number {
  const pieces = 200;
  const at = (i: number): number => from * (to / from) ** (i / pieces);
  return Array.from({ length: pieces }, (_, i) =>
    integrate((s) => lagrange(points, j, Math.log(s)), at(i), at(i + 1)),
  ).reduce((sum, value) => sum + value, 0);
}

/** DEIS as its paper writes it: eps_j times integrals of Lagrange polynomials in ln rho. */
async function writtenOut(order: number): Promise<Tensor[]> {
  let past: { eps: Tensor; lnRho: number }[] = [];
  let x = start;
  const states = [x];
  for (let i = 0; i + 1 < grid.length; i++) {
    const eps = axpby(1 / grid[i], x, -1 / grid[i], await twoGaussians.denoise(x, grid[i]));
    past = [{ eps, lnRho: Math.log(grid[i]) }, ...past].slice(0, order);
    const points = past.map(({ lnRho }) => lnRho);
    past.forEach((one, j) => (x = axpy(integral(points, j, grid[i], grid[i + 1]), one.eps, x)));
    states.push(x);
  }
  return states;
}

test.each([1, 2, 3])(
  "of order %i adds each eps times the integral of its Lagrange polynomial in ln sigma",
  async (order) => {
    const got = await statesOf(deis(twoGaussians.denoise, start, grid, { order, lowerOrderFinal: false }));
    const want = await writtenOut(order);
    want.forEach((state, i) => expect(got[i]).toBeAllClose(state, { abs: 1e-10, rel: 1e-10 }));
  },
);

test.each([1, 2, 3])("converges with order %i, as asked for", async (order) => {
  for (const one of await observedOrders((...rest) => deis(...rest, { order })))
    expect(one).toBeAllClose(order, { abs: 0.1 });
});

test("is DPM-Solver in several steps with heun, to the bit", async () => {
  for (const lowerOrderFinal of [true, false]) {
    for (const order of [1, 2, 3]) {
      const options = { order, lowerOrderFinal };
      const want = dpmMultistep(twoGaussians.denoise, start, grid, {
        ...options,
        algorithm: "dpmsolver",
        solver: "heun",
      });
      expect((await last(deis(twoGaussians.denoise, start, grid, options))).data).toEqual(
        (await last(want)).data,
      );
    }
  }
});

test("of order 3 adds what UniPC's predictor adds on eps, from three predictions on", async () => {
  const options = { order: 3, lowerOrderFinal: false };
  // eps depends on the level alone, so that both have the same predictions.
  const denoise = (x: Tensor, sigma: number): Promise<Tensor> =>
    Promise.resolve(axpy(-sigma, { ...x, data: x.data.map(() => Math.log(sigma) ** 2) }, x));
  const ours = await statesOf(deis(denoise, start, grid, options));
  const theirs = await statesOf(
    uniPc(denoise, start, grid, { ...options, predictX0: false, disableCorrector: grid.map((_, i) => i) }),
  );
  for (let k = 2; k + 1 < grid.length; k++)
    expect(axpy(-1, ours[k], ours[k + 1])).toBeAllClose(axpy(-1, theirs[k], theirs[k + 1]), { abs: 1e-11 });
});

test("short runs end with steps of order 2 and 1 where asked", async () => {
  const plain = await statesOf(deis(twoGaussians.denoise, start, grid, { order: 3, lowerOrderFinal: false }));
  const lowered = await statesOf(deis(twoGaussians.denoise, start, grid, { order: 3 }));
  const steps = grid.length - 1;
  for (let i = 0; i <= steps - 2; i++) expect(lowered[i].data).toEqual(plain[i].data);
  expect(lowered[steps - 1].data).not.toEqual(plain[steps - 1].data);
  // The last step is Euler's.
  const [x, sigma, next] = [lowered[steps - 1], grid[steps - 1], grid[steps]];
  const D = await twoGaussians.denoise(x, sigma);
  expect(lowered[steps]).toBeAllClose(axpby(next / sigma, x, 1 - next / sigma, D), { abs: 1e-14 });
});
