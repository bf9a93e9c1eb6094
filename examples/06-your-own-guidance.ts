/**
 * A guidance method of one's own is one object. Here: away from the same network told that there is more noise than
 * there is. Such a prediction is too smooth, so that its opposite has harder edges.
 *
 *   D = D(x; 1.25 sigma) + weight*(D(x; sigma) - D(x; 1.25 sigma))
 */
import {
  buildGuidance,
  compose,
  guide,
  heun,
  karras,
  last,
  nodeRuntime,
  openModel,
  seededNoise,
} from "fairlead";
import type { Denoiser, Labels, Term } from "fairlead";

/** The method: where its weak prediction comes from, and how strongly and at which noise levels it acts. */
function deceived(denoiser: Denoiser<Labels>, weight: number): Term<Labels> {
  const weak: Denoiser<Labels> = {
    shape: denoiser.shape,
    denoise: (x, sigma, branches) => denoiser.denoise(x, 1.25 * sigma, branches),
  };
  const interval = { low: 0.2, high: 5 };
  return { method: "deceived", weight, interval, from: weak, weak: ({ condition }) => ({ condition }) };
}

const model = await openModel(nodeRuntime(), process.argv[2] ?? "fashion-mnist");
const seeds = Array.from({ length: 8 }, (_, seed) => seed);
const labels = seeds.map(() => model.classes.indexOf("Shirt"));
const noise = seededNoise(seeds, 0, [seeds.length, ...model.denoiser.shape]);
const start = { data: noise.data.map((value) => 80 * value), shape: noise.shape };

for (const weight of [1, 1.5, 2]) {
  // It composes with the methods that come along.
  const { terms } = buildGuidance("cfg:1.5", model.resources);
  const guided = guide(model.denoiser, labels, compose([...terms, deceived(model.denoiser, weight)]));
  const { data } = await last(heun(guided.evaluate, start, karras({ steps: 8 })));
  const steps = Array.from(data, (value, i) => Math.abs(value - data[Math.max(0, i - 1)]));
  const edges = steps.reduce((sum, value) => sum + value) / steps.length;
  console.log(`weight ${weight}: mean difference of neighbouring pixels ${edges.toFixed(3)}`);
}
await model.dispose();
