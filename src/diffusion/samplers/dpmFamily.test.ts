import { describe, expect, test } from "vitest";
import type { Tensor } from "../../base/tensor.ts";
import { axpby } from "../../base/tensor.ts";
import { epsAt, startAt, statesOf, stepNoise, twoGaussians, x0At } from "../../testing/samplerRuns.ts";
import type { Evaluate } from "../denoiser.ts";
import { karras } from "../sigmas.ts";
import type { SamplerName } from "./index.ts";
import { samplers } from "./index.ts";
import type { Noise } from "./sampler.ts";

type Options = Readonly<Record<string, unknown>>;

/** The samplers of the family with options that lead through each of their branches. */
const ORDERS = [1, 2, 3];
const SOLVERS = ["midpoint", "heun"];
type Case = readonly [SamplerName, Options];
const solversOf = (algorithms: readonly string[]): Case[] =>
  (["dpm-multistep", "dpm-singlestep"] as const).flatMap((name) =>
    algorithms.flatMap((algorithm) =>
      ORDERS.flatMap((order) => SOLVERS.map((solver) => [name, { algorithm, order, solver }] as const)),
    ),
  );
const uniPcOf = (predictX0: boolean): (readonly [SamplerName, Options])[] =>
  ["bh1", "bh2"].flatMap((variant) =>
    [1, 2, 3, 4].map((order) => ["unipc", { variant, order, predictX0 }] as const),
  );
const ON_X0: Case[] = [...solversOf(["dpmsolver++"]), ...uniPcOf(true), ["res-multistep", {}] as const];
const ON_EPS: Case[] = [
  ...solversOf(["dpmsolver"]),
  ...uniPcOf(false),
  ...ORDERS.map((order) => ["deis", { order }] as const),
];
const ON_SDE: Case[] = [
  ...solversOf(["sde-dpmsolver", "sde-dpmsolver++"]),
  ["res-multistep-ancestral", {}] as const,
  ["res-multistep-ancestral", { eta: 0.5 }] as const,
];

const grid = karras({ steps: 9, min: 0.05, max: 20 }).slice(0, -1);
const start = startAt(grid[0]);
const states = (name: SamplerName, denoise: Evaluate, options: Options, noise?: Noise): Promise<Tensor[]> =>
  statesOf(samplers[name].run(denoise, start, grid, { ...options, noise }));

describe("a prediction that never changes is followed exactly, at every step", () => {
  test.each(ON_X0)("x0, by %s %j", async (name, options) => {
    const got = await states(
      name,
      x0At(() => 0.7),
      options,
    );
    got.forEach((x, i) => {
      const ratio = grid[i] / grid[0];
      expect(x).toBeAllClose(
        start.data.map((value) => 0.7 + ratio * (value - 0.7)),
        { abs: 1e-13, rel: 1e-13 },
      );
    });
  });

  test.each(ON_EPS)("eps, by %s %j", async (name, options) => {
    const got = await states(
      name,
      epsAt(() => 0.7),
      options,
    );
    got.forEach((x, i) =>
      expect(x).toBeAllClose(
        start.data.map((value) => value + 0.7 * (grid[i] - grid[0])),
        { abs: 1e-12, rel: 1e-13 },
      ),
    );
  });
});

describe("data scaled and moved give samples scaled and moved", () => {
  const [scale, shift] = [3, -2];
  /** The oracle of scale * data + shift. */
  const moved: Evaluate = async (x, sigma) => {
    const inner = { data: x.data.map((value) => (value - shift) / scale), shape: x.shape };
    const D = await twoGaussians.denoise(inner, sigma / scale);
    return { data: D.data.map((value) => scale * value + shift), shape: x.shape };
  };
  const affine = (x: Tensor): Tensor => ({
    data: x.data.map((value) => scale * value + shift),
    shape: x.shape,
  });

  test.each([...ON_X0, ...ON_EPS, ...ON_SDE])("%s %j", async (name, options) => {
    const want = await states(name, twoGaussians.denoise, options, stepNoise);
    const sigmas = grid.map((sigma) => scale * sigma);
    const got = await statesOf(
      samplers[name].run(moved, affine(start), sigmas, { ...options, noise: stepNoise }),
    );
    want.forEach((x, i) => expect(got[i]).toBeAllClose(affine(x), { abs: 1e-10, rel: 1e-10 }));
  });
});

describe("the noise that an SDE adds to a point", () => {
  test.each(ON_SDE.filter(([, { algorithm }]) => algorithm !== "sde-dpmsolver"))(
    "keeps its spread at sigma: %s %j",
    async (name, options) => {
      // The responses to a unit start and to unit noises, squared and summed: at block ends of a single-step method.
      const whole = name === "dpm-singlestep" ? { lowerOrderFinal: false } : {};
      const order = name === "dpm-singlestep" ? Number(options.order) : 1;
      const sigmas = grid.slice(0, 7);
      const point = x0At(() => 0);
      let variance = 0;
      for (let unit = -1; unit < 6; unit++) {
        const at = (value: number): Tensor => ({ data: Float64Array.of(value), shape: [1, 1] });
        const noise: Noise = (index) => at(index === unit ? 1 : 0);
        const x = at(unit < 0 ? sigmas[0] : 0);
        const [end] = (
          await statesOf(samplers[name].run(point, x, sigmas, { ...options, ...whole, noise }))
        ).slice(-1);
        variance += end.data[0] ** 2;
      }
      expect(6 % order).toBe(0);
      expect(variance).toBeAllClose(sigmas[6] ** 2, { rel: 1e-12 });
    },
  );
});

describe("the kind of the numbers", () => {
  test.each([...ON_X0, ...ON_EPS, ...ON_SDE])("is kept by %s %j", async (name, options) => {
    const x = { data: Float32Array.from(start.data), shape: start.shape };
    const noise: Noise = (...rest) => {
      const { data, shape } = stepNoise(...rest);
      return { data: Float32Array.from(data), shape };
    };
    const single = await statesOf(samplers[name].run(twoGaussians.denoise, x, grid, { ...options, noise }));
    const double = await states(name, twoGaussians.denoise, options, stepNoise);
    single.forEach(({ data }, i) => {
      expect(data).toBeInstanceOf(Float32Array);
      expect(data).toBeAllClose(double[i], { abs: 1e-4 });
      expect(double[i].data).toBeInstanceOf(Float64Array);
    });
  });
});

test("every option of a sampler of the family changes its samples", async () => {
  const other: Record<string, unknown> = {
    order: 3,
    algorithm: "dpmsolver",
    solver: "heun",
    lowerOrderFinal: false,
    eulerAtFinal: true,
    bend: "diffusers",
    eta: 0.5,
    noiseScale: 0.5,
    variant: "bh1",
    predictX0: false,
    disableCorrector: [2],
  };
  /** Where an option acts at all. */
  const where: Record<string, Options> = {
    eulerAtFinal: { lowerOrderFinal: false },
    bend: { algorithm: "sde-dpmsolver++", order: 3, solver: "heun" },
    eta: { algorithm: "sde-dpmsolver++" },
    noiseScale: { algorithm: "sde-dpmsolver++" },
  };
  for (const name of ["dpm-multistep", "dpm-singlestep", "unipc", "deis"] as const) {
    for (const key of Object.keys(samplers[name].options)) {
      const base = where[key] ?? {};
      const [plain, changed] = [
        await states(name, twoGaussians.denoise, base, stepNoise),
        await states(name, twoGaussians.denoise, { ...base, [key]: other[key] }, stepNoise),
      ];
      const [a, b] = [plain[plain.length - 1], changed[changed.length - 1]];
      const difference = axpby(1, a, -1, b).data.map(Math.abs);
      expect(Math.max(...difference), `${name} ${key}`).toBeGreaterThan(1e-6);
    }
  }
});
