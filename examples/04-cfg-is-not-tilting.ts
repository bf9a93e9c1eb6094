/**
 * CFG does not sample the tilted density p(x|y)^w p(x)^(1-w), shown with exact denoisers, so that no network can be blamed.
 *
 * Strong N(0, a^2), weak N(0, b^2): guidance carries noise to a Gaussian of standard deviation a^w b^(1-w);
 * the tilted density has 1 / sqrt(w/a^2 - (w-1)/b^2).
 */
import { cfg, compose, gaussian, guide, heun, karras, last, seededNoise } from "fairlead";
import type { Denoiser } from "fairlead";

const [a, b] = [0.5, 1];
const strong = gaussian({ mean: [0], std: a });
const weak = gaussian({ mean: [0], std: b });

// Any object with this one function can be guided.
const denoiser: Denoiser<"yes"> = {
  shape: [1],
  denoise: async (x, sigma, branches) =>
    branches.map(({ condition }) => (condition === null ? weak : strong).denoised(x, sigma)),
};

const sigmas = karras({ steps: 64, max: 80 });
const seeds = Array.from({ length: 4096 }, (_, i) => i);
const noise = seededNoise(seeds, 0, [seeds.length, 1]);
const start = { data: noise.data.map((value) => 80 * value), shape: noise.shape };

console.log("weight  sampled  a^w b^(1-w)  tilted");
for (const weight of [1, 1.5, 2, 3]) {
  const guided = guide(denoiser, "yes", compose([cfg({ weight })]));
  const x = await last(heun(guided.evaluate, start, sigmas));
  const std = Math.hypot(...x.data) / Math.sqrt(x.data.length);
  const limit = a ** weight * b ** (1 - weight);
  const tilted = 1 / Math.sqrt(weight / a ** 2 - (weight - 1) / b ** 2);
  console.log(
    [weight.toFixed(1).padEnd(7), std.toFixed(3), limit.toFixed(3).padEnd(12), tilted.toFixed(3)].join(" "),
  );
}
