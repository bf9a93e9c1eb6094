import { describe, expect, test } from "vitest";
import type { Tensor } from "../base/tensor.ts";
import { tensor } from "../base/tensor.ts";
import { last } from "../diffusion/last.ts";
import { mixtureClassifier, mixtureDenoiser } from "../diffusion/oracles/classes.ts";
import { gaussianMixture } from "../diffusion/oracles/mixture.ts";
import type { Mixture } from "../diffusion/oracles/mixture.ts";
import { heun } from "../diffusion/samplers/heun.ts";
import { exponential } from "../diffusion/sigmas.ts";
import { buildGuidance } from "./build.ts";
import { guide } from "./guide.ts";

// One-dimensional mixtures guided with exact predictions along the probability-flow ODE, from N(0, 80^2).
// The expected values are of 4001 quantiles; the 401 of these tests lose a little of the tails: up to 7e-4 of the spread and 0.012
// of the skew, and a share of samples is known to 1 / 401.

const G1 = [gaussianMixture({ means: [1], stds: [0.5] }), gaussianMixture({ means: [-1], stds: [0.5] })];
const G2 = [
  gaussianMixture({ means: [0.5, 1.5], stds: [0.1, 0.1] }),
  gaussianMixture({ means: [-1.5, -0.5], stds: [0.1, 0.1] }),
];

function resources(classes: readonly Mixture[]) {
  const classifier = mixtureClassifier(classes);
  return {
    conditional: true,
    classifier: {
      logProbabilityGradient: (x: Tensor, sigma: number, labels: readonly number[]) =>
        Promise.resolve(classifier.gradient(x, sigma, labels)),
    },
  };
}

/** Guided towards class 0, one label for each of `count` rows. */
function guided(classes: readonly Mixture[], spec: string, count: number) {
  return guide(
    mixtureDenoiser(classes),
    new Array<number>(count).fill(0),
    buildGuidance(spec, resources(classes)),
  );
}

/**
 * The ends of the `count` mid-point quantiles of N(0, 80^2), ascending, for the one-dimensional map is monotone.
 * `edges` are noise levels where the guided prediction jumps: a Heun step across a jump would be of order 1, so each
 * edge gets a step of its own, too short to matter.
 */
function ends(
  classes: readonly Mixture[],
  spec: string,
  edges: readonly number[] = [],
): Promise<Float64Array> {
  const key = `${classes.map(({ components }) => JSON.stringify(components)).join()} ${spec}`;
  const known = made.get(key) ?? computeEnds(classes, spec, edges);
  made.set(key, known);
  return known;
}

const made = new Map<string, Promise<Float64Array>>();

async function computeEnds(
  classes: readonly Mixture[],
  spec: string,
  edges: readonly number[],
): Promise<Float64Array> {
  const count = 401;
  const starts = Float64Array.from({ length: count }, (_, i) => 80 * normalQuantile((i + 0.5) / count));
  const sigmas = [...exponential({ steps: 300 }), ...edges.flatMap((edge) => [edge * (1 + 1e-9), edge])];
  sigmas.sort((a, b) => b - a);
  const run = heun(guided(classes, spec, count).evaluate, tensor(starts, [count, 1]), sigmas);
  return Float64Array.from((await last(run)).data);
}

/** The z with Phi(z) = p, for 1e-6 < p < 1 - 1e-6: Newton's method on Phi(z) = 1/2 + phi(z) * (z + z^3/3 + z^5/15 + ...). */
function normalQuantile(p: number): number {
  let z = 0;
  for (let iteration = 0; iteration < 50; iteration++) {
    const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
    let sum = 0;
    for (let term = z, n = 1; Math.abs(term) > 1e-17; n += 2, term *= (z * z) / n) sum += term;
    z += Math.max(-1, Math.min(1, (p - 0.5 - density * sum) / density));
  }
  return z;
}

function summary(values: Float64Array) {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
  const skew = values.reduce((sum, value) => sum + (value - mean) ** 3, 0) / n / sd ** 3;
  return { mean, sd, skew, outer: values.filter((value) => value > 1).length / n };
}

const quantile = (values: Float64Array, p: number) => values[Math.round(p * values.length - 0.5)];

test("the starting quantiles are those of a normal law", () => {
  expect([0.5, 0.95, 0.025, 0.999].map(normalQuantile)).toBeAllClose(
    [0, 1.6448536269514722, -1.959963984540054, 3.090232306167813],
    { abs: 1e-12 },
  );
});

describe("G1: two classes of one Gaussian each", () => {
  test.each([
    { spec: "cfg:1", mean: 0.99375, sd: 0.49991, skew: 0, q05: 0.1719, q50: 0.9938, q95: 1.8156 },
    { spec: "cfg:1.5", mean: 1.18367, sd: 0.40199, skew: 0.389, q05: 0.5777, q50: 1.1545, q95: 1.8907 },
    { spec: "cfg:2", mean: 1.31561, sd: 0.35821, skew: 0.531, q05: 0.7935, q50: 1.2801, q95: 1.9597 },
    { spec: "cfg:3", mean: 1.51323, sd: 0.31292, skew: 0.637, q05: 1.0681, q50: 1.4765, q95: 2.084 },
    { spec: "cfg:5", mean: 1.79726, sd: 0.2719, skew: 0.68, q05: 1.4128, q50: 1.7642, q95: 2.2947 },
    { spec: "cfg:7.5", mean: 2.06177, sd: 0.24792, skew: 0.665, q05: 1.7087, q50: 2.0329, q95: 2.5135 },
    // The same law by the exact classifier.
    { spec: "classifier:3", mean: 1.51323, sd: 0.31292, skew: 0.637, q05: 1.0681, q50: 1.4765, q95: 2.084 },
  ])("$spec ends with mean $mean and spread $sd", async ({ spec, mean, sd, skew, q05, q50, q95 }) => {
    const values = await ends(G1, spec);
    const got = summary(values);
    expect([got.mean, got.sd]).toBeAllClose([mean, sd], { abs: 1e-3 });
    expect(got.skew).toBeAllClose(skew, { abs: 0.02 });
    expect([0.05, 0.5, 0.95].map((p) => quantile(values, p))).toBeAllClose([q05, q50, q95], { abs: 5e-3 });
  });

  test("the interval (0.28, 1.61] keeps weight 3 closer to the class", async () => {
    const { mean, sd } = summary(await ends(G1, "cfg:3,interval=0.28..1.61", [0.28, 1.61]));
    expect([mean, sd]).toBeAllClose([1.22658, 0.31988], { abs: 1e-3 });
  });
});

describe("G2: a class of two modes, of which guidance away from the other class drops the inner one", () => {
  test.each([
    { spec: "cfg:1", mean: 0.99431, sd: 0.50987, outer: 0.4951 },
    { spec: "cfg:1.5", mean: 1.17113, sd: 0.46145, outer: 0.6501 },
    { spec: "cfg:2", mean: 1.32815, sd: 0.37793, outer: 0.8008 },
    { spec: "cfg:3", mean: 1.52416, sd: 0.15732, outer: 0.978 },
    { spec: "cfg:5", mean: 1.61944, sd: 0.06474, outer: 1 },
    { spec: "cfg:7.5", mean: 1.6817, sd: 0.05535, outer: 1 },
    { spec: "cfg:7.5,interval=0.28..1.61", edges: [0.28, 1.61], mean: 1.5232, sd: 0.0619, outer: 1 },
    { spec: "cfg:3,interval=0.28..1.61", edges: [0.28, 1.61], mean: 1.2483, sd: 0.399, outer: 0.7313 },
    { spec: "cfg:3,interval=0.5..2", edges: [0.5, 2], mean: 1.3138, sd: 0.3597, outer: 0.8005 },
  ])("$spec puts $outer of the samples at the outer mode", async ({ spec, edges, mean, sd, outer }) => {
    const got = summary(await ends(G2, spec, edges));
    expect([got.mean, got.sd]).toBeAllClose([mean, sd], { abs: 1e-3 });
    expect(got.outer).toBeAllClose(outer, { abs: 1 / 401 });
  });
});

// Chidambaram et al. 2024 (arXiv:2409.13074), Theorem 2, for half N(1, 1) and half N(-1, 1); their s is the weight minus 1.
describe("the larger the weight, the surer a sample lies on its side, and beyond sqrt(s)", () => {
  const G3 = [gaussianMixture({ means: [1], stds: [1] }), gaussianMixture({ means: [-1], stds: [1] })];

  test.each([
    { s: 0, mean: 0.9875, sd: 0.9998, beyond: 0.838 },
    { s: 1, mean: 1.5936, sd: 0.7595, beyond: 0.778 },
    { s: 3, mean: 2.3191, sd: 0.5903, beyond: 0.844 },
    { s: 7, mean: 3.2114, sd: 0.4926, beyond: 0.889 },
    { s: 15, mean: 4.3692, sd: 0.4344, beyond: 0.885 },
  ])("s $s: mean $mean, $beyond beyond sqrt(s)", async ({ s, mean, sd, beyond }) => {
    const values = await ends(G3, `cfg:${1 + s}`);
    const got = summary(values);
    expect([got.mean, got.sd]).toBeAllClose([mean, sd], { abs: 2e-3 });
    expect(values.filter((value) => value >= Math.sqrt(s)).length / 401).toBeAllClose(beyond, {
      abs: 2 / 401,
    });
    // 1 - e^-Omega(s^2) of them are on the right side.
    if (s >= 3) expect(values[0]).toBeGreaterThan(0);
  });
});

describe("what tilts a density is not what guidance samples", () => {
  /** Mean and spread of the density proportional to p_c^w p_u^(1-w), by quadrature. */
  function tilted(classes: readonly Mixture[], w: number): [number, number] {
    const [strong, ...others] = classes;
    const moments = [0, 0, 0];
    for (let x = -8; x <= 8; x += 1 / 512) {
      const at = tensor(Float64Array.of(x), [1, 1]);
      const c = strong.logDensity(at, 0)[0];
      const all = [c, ...others.map((other) => other.logDensity(at, 0)[0])];
      const most = Math.max(...all);
      const u = most + Math.log(all.reduce((sum, one) => sum + Math.exp(one - most), 0) / all.length);
      const density = Math.exp(w * c + (1 - w) * u);
      for (const k of [0, 1, 2]) moments[k] += density * x ** k;
    }
    const mean = moments[1] / moments[0];
    return [mean, Math.sqrt(moments[2] / moments[0] - mean ** 2)];
  }

  test.each([
    { w: 1, mean: 1, sd: 0.5 },
    { w: 1.5, mean: 1.02291, sd: 0.47863 },
    { w: 2, mean: 1.03552, sd: 0.46829 },
    { w: 3, mean: 1.05115, sd: 0.45674 },
    { w: 5, mean: 1.06968, sd: 0.44446 },
    { w: 7.5, mean: 1.0845, sd: 0.43548 },
  ])("G1, weight $w: tilted to mean $mean, guided further", async ({ w, mean, sd }) => {
    const got = tilted(G1, w);
    expect(got).toBeAllClose([mean, sd], { abs: 1e-5 });
    if (w > 1) {
      const guidedTo = summary(await ends(G1, `cfg:${w}`));
      expect(guidedTo.mean).toBeGreaterThan(got[0] + 0.1);
      expect(guidedTo.sd).toBeLessThan(got[1]);
    }
  });
});

describe.each([
  ["G1", G1],
  ["G2", G2],
])("on %s, with exact predictions and an exact classifier", (_name, classes) => {
  const x = tensor(Float64Array.from([-3, -0.7, 0.02, 0.9, 1.5, 60]), [6, 1]);
  const at = (spec: string, sigma: number) => guided(classes, spec, 6).evaluate(x, sigma);

  test("classifier guidance of scale s on the unconditional prediction is CFG of weight s", async () => {
    for (const sigma of [0.05, 0.3, 1, 5, 80]) {
      for (const s of [0, 0.5, 1, 2, 7.5]) {
        expect(await at(`classifier:${s}`, sigma)).toBeAllClose(await at(`cfg:${s}`, sigma), {
          abs: 1e-11,
          rel: 1e-11,
        });
      }
    }
  });

  test("classifier guidance of scale s on the conditional prediction is CFG of weight 1 + s", async () => {
    for (const sigma of [0.05, 0.3, 1, 5, 80]) {
      for (const s of [0, 0.5, 1, 2, 7.5]) {
        const pushed = await at(`classifier:${s},base=condition`, sigma);
        expect(pushed).toBeAllClose(await at(`cfg:${1 + s}`, sigma), { abs: 1e-11, rel: 1e-11 });
      }
    }
  });

  test("CFG of weight w with a classifier of scale s is CFG of weight w + s", async () => {
    for (const sigma of [0.05, 1, 80]) {
      expect(await at("cfg:2+classifier:1.5", sigma)).toBeAllClose(await at("cfg:3.5", sigma), {
        abs: 1e-11,
        rel: 1e-11,
      });
    }
  });
});
