import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import { scale, tensor } from "../../base/tensor.ts";
import type { Branch, Denoiser, Labels } from "../../diffusion/denoiser.ts";
import { mixtureDenoiser } from "../../diffusion/oracles/classes.ts";
import { gaussian } from "../../diffusion/oracles/gaussian.ts";
import { recording } from "../../testing/recording.ts";
import { buildGuidance } from "../build.ts";
import { compose } from "../guidance.ts";
import { guide } from "../guide.ts";
import type { GuidanceResources } from "../resources.ts";
import { tsg } from "./timeStep.ts";

const resources: GuidanceResources = { conditional: true, levelEmbedding: true };
const labels: Labels = [0, 1];
const x = tensor(Float64Array.from([1.3, -2]), [2, 1]);
const moment = { x, sigma: 0.7, step: 4, seeds: [11, 5] };
const laws = [gaussian({ mean: 1, std: 0.5 }), gaussian({ mean: -1, std: 0.5 })];
const oracle = (): Denoiser => mixtureDenoiser(laws);

const weakOf = (spec: string, given: Partial<typeof moment> = {}): Branch<Labels> =>
  buildGuidance(spec, resources).terms[0].weak({ condition: labels }, { ...moment, ...given });
const time = (sigma: number): number => (2 / Math.PI) * Math.atan(sigma);
const normalOf = (seed: number, step = moment.step): number =>
  philox(seed, 2 ** 48 + 2 ** 40 + step).normal();

describe("what the network is told", () => {
  test("is an embedding with noise of standard deviation s*t^alpha, the condition being the same", () => {
    const branch = weakOf("tsg:2,noise=0.5,alpha=3");
    expect(branch).toEqual({
      condition: labels,
      levelNoise: {
        keep: 1,
        amount: 0.5 * time(0.7) ** 3,
        rescale: 0,
        seeds: moment.seeds,
        stream: 2 ** 48 + 2 ** 40 + 4,
      },
    });
  });

  test("falls with the noise level as t = (2/pi) atan(sigma) does: t is 1/2 at sigma 1", () => {
    const amountAt = (sigma: number, alpha: number): number =>
      weakOf(`tsg:2,noise=2,alpha=${alpha}`, { sigma }).levelNoise!.amount;
    expect(amountAt(1, 1)).toBeAllClose(1, { rel: 1e-15 });
    expect(amountAt(1, 2)).toBeAllClose(0.5, { rel: 1e-15 });
    expect(amountAt(Math.tan(0.3 * Math.PI), 1)).toBeAllClose(1.2, { rel: 1e-14 });
    expect(amountAt(0.01, 0)).toBe(2);
    expect(amountAt(80, 0)).toBe(2);
  });

  test("is in form=level another level: ln sigma plus s*t^alpha times a normal number of the row", () => {
    const { told, condition, levelNoise } = weakOf("tsg:2,form=level,noise=0.4");
    expect(condition).toBe(labels);
    expect(levelNoise).toBeUndefined();
    const want = moment.seeds.map((seed) => Math.log(0.7) + 0.4 * time(0.7) * normalOf(seed));
    expect(told!.map(Math.log)).toBeAllClose(want, { abs: 1e-14 });
  });

  test("depends on the row's seed and the step, not on x or the place in the batch", () => {
    const { told } = weakOf("tsg:2,form=level");
    expect(weakOf("tsg:2,form=level", { x: scale(2, x) }).told).toEqual(told);
    expect(weakOf("tsg:2,form=level", { seeds: [5, 11] }).told).toEqual([told![1], told![0]]);
    expect(weakOf("tsg:2,form=level", { step: 5 }).told).not.toEqual(told);
  });

  test("keeps what else the strong prediction is asked with", () => {
    const conditionNoise = { keep: 1, amount: 1, rescale: 0, seeds: [1, 2], stream: 0 };
    const perturbation = { kind: "identity", layers: "all" } as const;
    const strong: Branch<Labels> = { condition: labels, conditionNoise, perturbation };
    const weak = buildGuidance("tsg:2", resources).terms[0].weak(strong, moment);
    expect(weak).toMatchObject(strong);
  });
});

describe("time-step guidance", () => {
  const run = (spec: string, condition: Labels | null = labels, network = oracle()) =>
    guide(network, condition, buildGuidance(spec, resources), { seeds: moment.seeds });
  const denoisedBy = async (spec: string, sigma = 0.7): Promise<number[]> =>
    Array.from((await run(spec).evaluate(x, sigma, 4)).data);

  test("of an exact network is D(x; told) + w*(D(x; sigma) - D(x; told)), row by row", async () => {
    const { told } = weakOf("tsg:3,form=level,noise=0.8");
    const want = labels.map((label, row) => {
      const at = tensor(x.data.slice(row, row + 1), [1, 1]);
      const [right, wrong] = [0.7, told![row]].map((sigma) => laws[label].denoised(at, sigma).data[0]);
      return wrong + 3 * (right - wrong);
    });
    expect(await denoisedBy("tsg:3,form=level,noise=0.8")).toBeAllClose(want, { abs: 1e-13 });
  });

  test("goes, for small noise, along the derivative in time: D + (1 - w)*(dD/dln sigma)*s*t^alpha*n (Eq. 9)", async () => {
    // D = (v x + sigma^2 m)/(v + sigma^2), so dD/dln sigma = 2 sigma^2 v (m - x)/(v + sigma^2)^2.
    const [v, s, noise] = [0.25, 0.7 ** 2, 1e-4];
    const want = labels.map((_, row) => {
      const [m, value] = [row === 0 ? 1 : -1, x.data[row]];
      const D = (v * value + s * m) / (v + s);
      const slope = (2 * s * v * (m - value)) / (v + s) ** 2;
      return D + (1 - 2.5) * slope * noise * time(0.7) * normalOf(moment.seeds[row]);
    });
    const got = await denoisedBy(`tsg:2.5,form=level,noise=${noise}`);
    expect(got).toBeAllClose(want, { abs: 1e-8 });
    const plain = await denoisedBy("none");
    expect(Math.max(...got.map((value, i) => Math.abs(value - plain[i])))).toBeGreaterThan(1e-6);
  });

  test("without noise is the strong prediction bit for bit, for its price", async () => {
    const guided = run("tsg:3,form=level,noise=0");
    expect((await guided.evaluate(x, 0.7)).data).toEqual(Float64Array.from(await denoisedBy("none")));
    expect(guided.evaluations.networks).toBe(2);
  });

  test("needs no condition", async () => {
    const network = recording(oracle());
    await run("tsg:2,form=level", null, network).evaluate(x, 0.7, 4);
    const [[strong, weak]] = network.calls;
    expect(strong).toEqual({ condition: null });
    expect(weak.condition).toBeNull();
    expect(weak.told).toHaveLength(2);
  });

  test("twice is once with the sum of the strengths: both are told the same", async () => {
    const guided = run("tsg:2,form=level+tsg:3,form=level");
    const { data } = await guided.evaluate(x, 0.7, 4);
    expect(data).toBeAllClose(await denoisedBy("tsg:4,form=level"), { abs: 1e-13 });
    expect(guided.evaluations.networks).toBe(2);
  });

  test("from the library is what the text makes", async () => {
    const term = tsg<Labels>({ weight: 3, form: "level", noise: 0.8, alpha: 2 });
    const { evaluate } = guide(oracle(), labels, compose([term]), { seeds: moment.seeds });
    const { data } = await evaluate(x, 0.7, 4);
    expect(Array.from(data)).toEqual(await denoisedBy("tsg:3,form=level,noise=0.8,alpha=2"));
  });
});

test("a network without an embedding of the noise level is told to write form=level", () => {
  expect(() => buildGuidance("tsg:2", { conditional: false })).toThrow(
    /tsg needs an embedding of the noise level.*Write form=level/,
  );
  expect(() => buildGuidance("tsg:2,form=level", { conditional: false })).not.toThrow();
});
