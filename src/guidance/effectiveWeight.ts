import { UsageError } from "../base/errors.ts";
import { type Tensor, axpby } from "../base/tensor.ts";
import type { Denoiser, Prediction } from "../diffusion/denoiser.ts";
import { ask } from "./ask.ts";
import type { Guidance } from "./guidance.ts";
import { guide } from "./guide.ts";

/** Where a sampling was in one of its steps. */
export interface WayPoint {
  /** [samples, ...dims] */
  readonly x: Tensor;
  readonly sigma: number;
  /** Noise level that the step went to. */
  readonly next: number;
  /** The sampler's step, from 0. */
  readonly step: number;
}

export interface MeasuredGuidance<C> {
  readonly denoiser: Denoiser<C>;
  /** A separate unconditional network; absent: the denoiser with the null condition. */
  readonly unconditional?: Denoiser<C>;
  readonly condition: C;
  readonly guidance: Guidance<C>;
  /** The seed of each sample, for methods that draw. */
  readonly seeds?: readonly number[];
}

/** Differences are rounding where they are this share of a prediction. */
const ROUNDING = 1e-6;

/**
 * The weight of CFG that a guidance amounts to: how far its prediction D goes along d = D(x; condition) - D(x; null), the way
 * that CFG goes, over the points of a sampling, in the order in which they are given:
 *
 *   a = mean over points of  sum over samples <D - D(x; null), d> / sum over samples <d, d>
 *
 * CFG of weight w has a = w, the conditional prediction a = 1, the unconditional one a = 0; what a method does across d does
 * not count. All predictions of a point have one noise level, so that a is the same in every space. Of guidance that puts back
 * another prediction's noise (CFG++), D is the prediction with which an Euler step would end where its step ends.
 * A point where the two predictions differ by less than a millionth is left out: their difference is rounding. Throws a UsageError
 * where they do at all, and for guidance that moves the sampler's mean.
 * Source: GA-Eval (arXiv:2602.22570), whose effective scale this is.
 */
export async function effectiveWeight<C>(
  { denoiser, unconditional = denoiser, condition, guidance, seeds }: MeasuredGuidance<C>,
  points: readonly WayPoint[],
): Promise<number> {
  if (guidance.shiftsMean) {
    throw new UsageError(
      `${guidance.label} moves the mean of the sampler's steps and not the prediction, so that it has no effective weight`,
    );
  }
  const { evaluate } = guide(denoiser, condition, guidance, { seeds });
  const ratios: number[] = [];
  for (const { x, sigma, next, step } of points) {
    const guided = asEuler(await evaluate(x, sigma, step), next / sigma);
    const { predictions } = await ask(
      [
        { from: denoiser, branch: { condition } },
        { from: unconditional, branch: { condition: null } },
      ],
      x,
      sigma,
    );
    const [strong, weak] = predictions;
    let [along, whole, size] = [0, 0, 0];
    for (let i = 0; i < weak.data.length; i++) {
      const d = strong.data[i] - weak.data[i];
      along += (guided.data[i] - weak.data[i]) * d;
      whole += d * d;
      size += strong.data[i] * strong.data[i];
    }
    if (whole > ROUNDING ** 2 * size) ratios.push(along / whole);
  }
  if (ratios.length === 0) {
    throw new UsageError(
      "no effective weight can be told: the predictions with and without the condition are the same everywhere",
    );
  }
  return ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
}

/** x' = D + r (x - renoise) is r x + (1 - r) D_euler: the prediction with which Euler's method makes the same step. */
function asEuler(denoised: Prediction, r: number): Tensor {
  const { renoise } = denoised;
  return renoise && r < 1 ? axpby(1 / (1 - r), denoised, -r / (1 - r), renoise) : denoised;
}
