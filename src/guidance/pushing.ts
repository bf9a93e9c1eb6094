import { UsageError } from "../base/errors.ts";
import { add, map, rowSize } from "../base/tensor.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Branch, Denoiser, Prediction } from "../diffusion/denoiser.ts";
import type { Moment, Push, PushMoment } from "./guidance.ts";
import { inInterval } from "./interval.ts";
import { type WeightNow, isOff, weightAt, weightOfRow } from "./weight.ts";

/** A push that acts, with its scale at that moment. */
interface ActivePush<C> extends Omit<Push<C>, "scale"> {
  readonly scale: WeightNow;
}

/** The push's scale at this moment; null where it is off: outside its interval, or 0. */
export function scaleNow<C>({ scale, interval }: Push<C>, { sigma, step, x }: Moment): WeightNow | null {
  if (!inInterval(sigma, interval)) return null;
  const now = weightAt(scale, sigma, step, x.shape[0]);
  return isOff(now, 0) ? null : now;
}

/** What pushes are told, and may ask for. */
interface Pushing<C> extends Moment {
  readonly condition: C | null;
  /** How the strong prediction was asked for, of which denoiser. */
  readonly branch: Branch<C>;
  readonly from: Denoiser<C>;
  readonly strong: Tensor;
  /** Goes up with what is computed. */
  readonly count: { networks: number; gradients: number };
}

interface Pushed {
  /** The prediction itself where no push moves it. */
  readonly moved: Prediction;
  /** What moves the mean of the sampler's step, where a push does. */
  readonly meanShift?: Prediction["meanShift"];
}

/**
 * The prediction moved along the gradients,
 *
 *   moved = denoised + sum over pushes sigma^2 * scale * gradient
 *
 * and what those pushes ask for that move the mean of the sampler's step instead: sum of scale * gradient. A gradient at x
 * is that of DDPM's coordinates sqrt(abar) x, so that its step has x of the level `to` move by
 * sqrt((1 + sigma^2) / (1 + to^2)) times the gradient with respect to x; one at the mean needs no such factor.
 */
export async function alongGradients<C>(
  pushes: readonly ActivePush<C>[],
  denoised: Prediction,
  pushing: Pushing<C>,
): Promise<Pushed> {
  const { sigma, count, strong } = pushing;
  const gradientOf = (push: ActivePush<C>, at: PushMoment<C>): Promise<Tensor> => {
    count.gradients += 1;
    return push.gradient(at);
  };
  const here = momentAt(pushing, () => Promise.resolve(strong));

  let moved = denoised;
  const atX: Tensor[] = [];
  for (const push of pushes.filter(({ shift }) => shift !== "mean")) {
    const gradient = await gradientOf(push, here);
    if (push.shift === "x") atX.push(scaled(gradient, push.scale, 1));
    else moved = { ...moved, ...add(scaled(gradient, push.scale, sigma * sigma), moved) };
  }
  const atMean = pushes.filter(({ shift }) => shift === "mean");
  if (atX.length + atMean.length === 0) return { moved };

  return {
    moved,
    async meanShift(mean, to) {
      const stretch = Math.sqrt((1 + sigma * sigma) / (1 + to * to));
      const shifts = atX.map((gradient) => scaled(gradient, stretch, 1));
      const there = momentAt({ ...pushing, x: mean, sigma: to }, async () => {
        count.networks += 1;
        return (await pushing.from.denoise(mean, to, [pushing.branch]))[0];
      });
      for (const push of atMean) shifts.push(scaled(await gradientOf(push, there), push.scale, 1));
      return shifts.reduce(add);
    },
  };
}

function momentAt<C>(
  { from, branch, count, x, sigma, step, seeds, condition }: Pushing<C>,
  predicted: () => Promise<Tensor>,
): PushMoment<C> {
  return {
    ...{ x, sigma, step, seeds, condition, predicted },
    async pullback(cotangent) {
      if (!from.vjp) {
        throw new UsageError(
          "this network cannot be differentiated: write through=gaussian, which takes the gradient without it",
        );
      }
      count.gradients += 1;
      return (await from.vjp(x, sigma, branch, cotangent)).gradient;
    },
  };
}

/** by * scale * gradient, each row with its own scale. */
function scaled(gradient: Tensor, scale: WeightNow, by: number): Tensor {
  const size = rowSize(gradient);
  return map((value, i) => by * weightOfRow(scale, Math.floor(i / size)) * value, gradient);
}
