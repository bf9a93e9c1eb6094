/**
 * How long does each metric take at its usual size?
 *
 *   npx tsx bench/metrics.ts
 *
 * One thread, float64, median of three runs. Features are normal numbers; time depends on the sizes only.
 */
import { philox } from "../src/base/philox.ts";
import type { Tensor } from "../src/base/tensor.ts";
import {
  classAccuracy,
  energyDistance,
  featureStatistics,
  frechetDistance,
  gaussianDiscrepancy,
  inceptionScore,
  kernelDistance,
  metrics2d,
  precisionRecall,
  randomDirections,
  slicedWasserstein,
  truth2d,
} from "../src/metrics/index.ts";

const options = { extractor: "normal numbers" };
const RUNS = 3;

function normals(seed: number, n: number, d: number): Tensor {
  const data = new Float32Array(n * d);
  philox(seed, 0).fillNormal(data);
  return { data, shape: [n, d] };
}

const image = [normals(1, 5000, 128), normals(2, 5000, 128)] as const;
const wide = [normals(3, 5000, 512), normals(4, 5000, 512)] as const;
const plane = [normals(5, 8192, 2), normals(6, 8192, 2)] as const;
const logits = normals(7, 5000, 10);
const wideStatistics = wide.map((x) => featureStatistics(x, options));
const truth = truth2d(
  (x) =>
    Float64Array.from({ length: x.shape[0] }, (_, i) => -(x.data[2 * i] ** 2 + x.data[2 * i + 1] ** 2) / 2),
  plane[1],
);

const questions: Record<string, () => unknown> = {
  "statistics, 5,000 x 512": () => featureStatistics(wide[0], options),
  "Fréchet distance, statistics of 512": () => frechetDistance(wideStatistics[0], wideStatistics[1], options),
  "Fréchet distance, 5,000 + 5,000 x 128": () => frechetDistance(...image, options),
  "precision and recall, 5,000 + 5,000 x 128": () => precisionRecall(...image, options),
  "kernel distance, 5,000 + 5,000 x 128": () => kernelDistance(...image, options),
  "Gaussian discrepancy, 5,000 + 5,000 x 128": () => gaussianDiscrepancy(...image, { ...options, sigma: 10 }),
  "Inception score, 5,000 x 10": () => inceptionScore(logits, options),
  "class accuracy, 5,000 x 10": () => classAccuracy(logits, new Uint8Array(5000), options),
  "sliced Wasserstein, 8,192 + 8,192 x 2, 64 directions": () =>
    slicedWasserstein(...plane, randomDirections(philox(8, 0), 64, 2), options),
  "energy distance, 8,192 + 8,192 x 2": () => energyDistance(...plane, options),
  "2-D metrics, 8,192 + 8,192, without the density": () => metrics2d(plane[0], truth),
};

for (const [question, run] of Object.entries(questions)) {
  const times = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  }).sort((a, b) => a - b);
  console.log(`${question.padEnd(54)} ${times[1].toFixed(0).padStart(6)} ms`);
}
