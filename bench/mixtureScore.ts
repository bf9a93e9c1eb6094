/**
 * How long does the exact score of the two-dimensional tree (1,016 Gaussians) take at 4,096 points? Training on the tree asks for
 * it once a step, with another noise level for every point.
 *
 *   npx tsx bench/mixtureScore.ts
 *
 * One thread, float64, median of 15 interleaved runs, milliseconds. Points are drawn at their noise levels.
 */
import { philox } from "../src/base/philox.ts";
import { tree } from "../src/data/distributions/tree.ts";
import { scoreRows } from "../src/diffusion/oracles/mixture.ts";

const POINTS = 4096;
const RUNS = 15;
const [mixture] = tree().classes;

/** Noise levels and points of one case. */
function data(name: string, sigmaOf: (z: number) => number) {
  const stream = philox(0, 0);
  const sigmas = Float64Array.from({ length: POINTS }, () => sigmaOf(stream.normal()));
  const x = new Float64Array(2 * POINTS);
  sigmas.forEach((sigma, row) => x.set(mixture.sample(stream, 1, sigma).data, 2 * row));
  return { name, sigmas, x, times: [] as number[] };
}

const cases = [
  data("training: ln sigma ~ N(-2.3, 1.5^2)", (z) => Math.exp(-2.3 + 1.5 * z)),
  data("sampling: sigma 0.02", () => 0.02),
  data("sampling: sigma 0.2", () => 0.2),
  data("sampling: sigma 5", () => 5),
];
const out = new Float64Array(2 * POINTS);
for (let run = 0; run < RUNS; run++) {
  for (const { x, sigmas, times } of cases) {
    const start = performance.now();
    scoreRows(mixture, x, sigmas, out);
    times.push(performance.now() - start);
  }
}
for (const { name, times } of cases) {
  const sorted = times.sort((a, b) => a - b);
  console.log(
    `${name.padEnd(40)} ${sorted[Math.floor(RUNS / 2)].toFixed(1)} ms (best ${sorted[0].toFixed(1)})`,
  );
}
