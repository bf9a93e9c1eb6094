import { setTimeout } from "node:timers/promises";
import { philox } from "../base/philox.ts";
import { type Objective, layoutOf } from "../training/objective.ts";

/**
 * An objective with a closed form, for tests of the loop: loss = mean over the batch of |p - (target + noise)|^2 / 2
 * with target_i = i / size and one Gaussian noise vector per sample, drawn from (seed, step).
 */
export function noisyQuadratic(
  { seed, batchSize }: { readonly seed: number; readonly batchSize: number },
  size: number,
  { stepMs = 0, onStep }: { stepMs?: number; onStep?: (step: number) => void } = {},
): Objective {
  return {
    layout: layoutOf([
      { name: "first", shape: [1] },
      { name: "rest", shape: [size - 1] },
    ]),
    batchSize,
    initialise: (stream) => {
      const parameters = new Float32Array(size);
      stream.fillNormal(parameters);
      return parameters;
    },
    evaluate: async (parameters, step, gradient) => {
      if (stepMs > 0) await setTimeout(stepMs);
      onStep?.(step);
      const stream = philox(seed, 1000 + step);
      let loss = 0;
      gradient.fill(0);
      for (let sample = 0; sample < batchSize; sample++) {
        for (let i = 0; i < size; i++) {
          const residual = parameters[i] - (i / size + stream.normal());
          loss += (residual * residual) / 2 / batchSize;
          gradient[i] += residual / batchSize;
        }
      }
      return { loss, metrics: { first: parameters[0] } };
    },
    dispose: () => Promise.resolve(),
  };
}
