import { seededNoise } from "../base/philox.ts";
import type { Tensor } from "../base/tensor.ts";
import { last } from "../diffusion/last.ts";
import { dpmpp2m } from "../diffusion/samplers/dpmpp2m.ts";
import { karras } from "../diffusion/sigmas.ts";
import { networkDenoiser } from "../networks/networkDenoiser.ts";
import { sampleShape } from "../networks/network.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type RunConfig, preconditioningOf } from "../training/modelConfig.ts";
import type { Objective } from "../training/objective.ts";
import { grid } from "./grid.ts";
import { encodePng } from "./png.ts";

const sigmaMax = 80;
const steps = 12;
const gridRows = 4;
/** Columns of the grid where there are no classes, and the most there are. */
const defaultColumns = 8;
const mostColumns = 16;

/**
 * The objective with a preview of its images: a PNG grid of samples, one column a class (the first 16), from the seeds
 * 0, 1, 2, ..., without guidance, by 12 steps of dpmpp-2m. The same seeds at every preview, so that only the network
 * changes. An objective that makes no images comes back as it is.
 */
export function withPreviews(objective: Objective, runtime: Runtime, config: RunConfig): Objective {
  const { network } = config;
  const preconditioning = preconditioningOf(config.objective);
  if (network.kind !== "unet" || !preconditioning) return objective;
  const columns = network.classes > 0 ? Math.min(network.classes, mostColumns) : defaultColumns;
  const seeds = Array.from({ length: gridRows * columns }, (_, i) => i);
  const labels = network.classes > 0 ? seeds.map((seed) => seed % columns) : null;

  return {
    ...objective,
    async preview(parameters) {
      const denoiser = networkDenoiser(runtime, { network, parameters, preconditioning });
      const evaluate = async (x: Tensor, sigma: number): Promise<Tensor> =>
        (await denoiser.denoise(x, sigma, [{ condition: labels }]))[0];
      try {
        const noise = seededNoise(seeds, 0, [seeds.length, ...sampleShape(network)]);
        const start = { data: noise.data.map((value) => sigmaMax * value), shape: noise.shape };
        const x = await last(dpmpp2m(evaluate, start, karras({ steps, max: sigmaMax })));
        return { name: "grid.png", bytes: encodePng(grid(x, { columns, scale: 2 })) };
      } finally {
        await denoiser.dispose();
      }
    },
  };
}
