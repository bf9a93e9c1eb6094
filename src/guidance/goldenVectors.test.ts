/**
 * Numbers of published formulas, by an independent implementation to 6 digits: what a spec makes of two predictions of x0,
 * c = [1, 2, -1, 0.5] and u = [0.5, 1, 0, -0.5], taken in x0.
 */
import { describe, expect, test } from "vitest";
import { tensor } from "../base/tensor.ts";
import type { Denoiser, Prediction } from "../diffusion/denoiser.ts";
import { golden } from "../testing/pairs.ts";
import { buildGuidance } from "./build.ts";
import { guide } from "./guide.ts";
import { standardDeviation } from "./perRow.ts";

const network: Denoiser = {
  shape: [1, 2, 2],
  denoise: (_x, _sigma, branches) =>
    Promise.resolve(branches.map(({ condition }) => (condition === null ? golden.weak : golden.strong))),
};

/** What the spec predicts at each of so many steps, at sigma 1 and x = 0. */
async function predictions(spec: string, steps = 1, x = tensor(new Float64Array(4), [1, 1, 2, 2])) {
  const { evaluate } = guide(network, [0], buildGuidance(spec, { conditional: true }));
  const out: Prediction[] = [];
  for (let step = 0; step < steps; step++) out.push(await evaluate(x, 1, step));
  return out;
}

test.each([
  { spec: "cfg:3", want: [2, 4, -3, 2.5] },
  { spec: "cfg:4", want: [2.5, 5, -4, 3.5] }, // s-form, s = 3
  { spec: "cfg:1", want: [1, 2, -1, 0.5] },
  { spec: "cfg:0", want: [0.5, 1, 0, -0.5] },
  { spec: "cfg:0.5", want: [0.75, 1.5, -0.5, 0] },
  { spec: "cfg:3+rescale:0.7,space=x0", want: [1.176046, 2.352091, -1.764068, 1.470057] },
  { spec: "cfg:3+rescale:1,space=x0", want: [0.822922, 1.645844, -1.234383, 1.028653] },
  { spec: "apg:3", want: [0.72, 1.44, -1.72, 1.86] },
  { spec: "apg:3,cap=1", want: [0.844684, 1.689368, -1.399384, 1.254392] },
  { spec: "apg:3,eta=1", want: [2, 4, -3, 2.5] },
  { spec: "apg:3,cap=1,form=diffusers", want: [0.267026, 0.534052, -0.599076, 0.631588] },
  { spec: "cfg-zero:3,zeroSteps=0,space=x0", want: [1.5, 3, -3, 3] },
  { spec: "tcfg:3,space=x0", want: [2.175232, 4.350464, -2.312256, 1.293151] },
  { spec: "mambo:3,space=x0", want: [1.000008, 2.000015, -1.000015, 0.500015] },
  { spec: "cfg:3+threshold:0.995", want: [0.501882, 1, -0.752823, 0.627353] },
])("$spec", async ({ spec, want }) => {
  expect((await predictions(spec))[0]).toBeAllClose(want, { abs: 1e-6 });
});

test("apg with a cap of 2.5 and momentum -0.5, two steps of the same predictions", async () => {
  const [first, second] = await predictions("apg:3,cap=2.5,momentum=-0.5", 2);
  expect(first).toBeAllClose([0.72, 1.44, -1.72, 1.86], { abs: 1e-12 });
  expect(second).toBeAllClose([0.86, 1.72, -1.36, 1.18], { abs: 1e-12 });
});

test("standard deviations have the divisor n - 1: 1.25 and 3.037954, not 1.082532 and 2.630946", async () => {
  const [guided] = await predictions("cfg:3");
  expect(standardDeviation(golden.strong.data)).toBeAllClose(1.25, { rel: 1e-15 });
  expect(standardDeviation(guided.data)).toBeAllClose(3.037954, { abs: 1e-6 });
});

// The rest by hand from the formulas: |c|^2 = 6.25, |g|^2 = 3.25 for g = c - u, |cfg:3|^2 = 35.25, <c, u> = 2.25, |u|^2 = 1.5.
describe("formulas worked out by hand", () => {
  const [c, u] = [golden.strong, golden.weak].map(({ data }) => Array.from(data));
  const g = c.map((value, i) => value - u[i]);
  const cfg3 = u.map((value, i) => value + 3 * g[i]);

  test.each([
    ["energy", "cfg:3+energy:1,space=x0", cfg3.map((v) => v * Math.sqrt(6.25 / 35.25))],
    ["half of it", "cfg:3+energy:0.5,space=x0", cfg3.map((v) => v * (0.5 * Math.sqrt(6.25 / 35.25) + 0.5))],
    ["power law", "power-law:3,space=x0", c.map((v, i) => v + 2 * 3.25 ** 0.45 * g[i])],
    ["power law, alpha 2", "power-law:3,alpha=2,space=x0", c.map((v, i) => v + 2 * 3.25 * g[i])],
    // One channel: the norm at a position is the absolute value, and no prediction of CFG may exceed c's.
    [
      "CFG-norm",
      "cfg:3+cfg-norm:1,space=x0",
      cfg3.map((v, i) => Math.sign(v) * Math.min(Math.abs(v), Math.abs(c[i]))),
    ],
    ["epsilon scaling at x = 0", "cfg:3+epsilon-scaling:1.25", cfg3.map((v) => v / 1.25)],
    ["adaptive, not done", "adaptive:3,threshold=0.8,space=x0", cfg3],
    ["CFG++ predicts by interpolation", "cfgpp:0.4", u.map((v, i) => v + 0.4 * g[i])],
    ["FDG of one level", "fdg:3,factors=1", cfg3],
    ["FDG of one level, half the weight", "fdg:3,factors=0.5", u.map((v, i) => v + 2 * g[i])],
    // <g, c> = 4: along = 0.64 c.
    ["FDG across alone", "fdg:3,factors=1,parallel=0", c.map((v, i) => v + 2 * (g[i] - 0.64 * v))],
    ["APG in ComfyUI", "apg:3,form=comfyui", c.map((v, i) => v + 3 * (g[i] - 0.64 * v))],
    ["APG keeping half", "apg:3,eta=0.5", c.map((v, i) => v + 2 * (g[i] - 0.32 * v))],
    ["APG-mix, early", "apg-mix:3,early=2", u.map((v, i) => v + 2 * g[i])],
    [
      "MAMBO-G, alpha 1",
      "mambo:3,alpha=1,space=x0",
      u.map((v, i) => v + (1 + 2 * Math.exp(-Math.sqrt(3.25 / 1.5))) * g[i]),
    ],
  ])("%s: %s", async (_, spec, want) => {
    expect((await predictions(spec))[0]).toBeAllClose(want, { abs: 1e-12 });
  });

  test("CFG++ puts back the weak prediction's noise", async () => {
    expect((await predictions("cfgpp:0.4"))[0].renoise!.data).toEqual(golden.weak.data);
  });

  test("adaptive guidance is done where the cosine, 0.734847, is above the threshold", async () => {
    const cosine = 2.25 / Math.sqrt(6.25 * 1.5);
    expect(cosine).toBeAllClose(0.734847, { abs: 5e-7 });
    const [, kept] = await predictions(`adaptive:3,threshold=${cosine + 1e-6},space=x0`, 2);
    expect(kept).toBeAllClose(cfg3, { abs: 1e-14 });
    const [first, second] = await predictions(`adaptive:3,threshold=${cosine - 1e-6},space=x0`, 2);
    expect(first).toBeAllClose(cfg3, { abs: 1e-14 });
    expect(second.data).toEqual(golden.strong.data);
  });

  test("momentum guidance of a prediction that stays changes nothing", async () => {
    for (const one of await predictions("cfg:3+momentum:0.5", 3))
      expect(one).toBeAllClose(cfg3, { abs: 1e-14 });
  });

  test("APG-mix projects from the step after start on", async () => {
    const [first, second, third] = await predictions("apg-mix:3,start=1,early=2", 3);
    for (const early of [first, second]) expect(early).toBeAllClose([1.5, 3, -2, 1.5], { abs: 1e-14 });
    expect(third).toBeAllClose([0.72, 1.44, -1.72, 1.86], { abs: 1e-12 });
  });

  test("CFG-Zero* keeps x still in its first steps, in the flow's time: D = x/(1 + sigma)", async () => {
    const x = tensor(Float64Array.of(2, -4, 1, 0.5), [1, 1, 2, 2]);
    const [first, second] = await predictions("cfg-zero:3", 2, x);
    expect(first).toBeAllClose([1, -2, 0.5, 0.25], { abs: 1e-15 });
    expect(second.data).not.toEqual(first.data);
  });

  test("mimic of one channel has the mean of the large weight and the reach of the small one", async () => {
    const [got] = await predictions("mimic:3,mimic=2,space=x0");
    const mean = cfg3.reduce((a, b) => a + b) / 4;
    const small = u.map((v, i) => v + 2 * g[i]);
    const smallMean = small.reduce((a, b) => a + b) / 4;
    const [reach, ours] = [small, cfg3].map((values, k) =>
      Math.max(...values.map((v) => Math.abs(v - [smallMean, mean][k]))),
    );
    expect(got).toBeAllClose(
      cfg3.map((v) => mean + ((v - mean) * reach) / ours),
      { abs: 1e-13 },
    );
  });
});
