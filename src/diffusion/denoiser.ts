import type { Tensor } from "../base/tensor.ts";
import type { Perturbation } from "../graph/perturb.ts";

/** One way to ask a network for a prediction. */
export interface Branch<C> {
  /** null: the null (unconditional) condition. */
  readonly condition: C | null;
  /** How the network is made worse; absent: as trained. */
  readonly perturbation?: Perturbation;
}

/** One class index per row of x; -1 is the null (dropped) condition of that row. */
export type Labels = readonly number[];

/** The contract that every trained or pretrained network is adapted to. Everything after it speaks sigma. */
export interface Denoiser<C = Labels> {
  /** Dimensions of one sample, without the batch axis: [2] or [channels, height, width]. */
  readonly shape: readonly number[];
  /** One prediction of x0 per branch, each of x's shape. x is [batch, ...shape] with noise of standard deviation sigma. */
  denoise(x: Tensor, sigma: number, branches: readonly Branch<C>[]): Promise<readonly Tensor[]>;
}

/** A prediction of x0 as a sampler takes it. */
export interface Prediction extends Tensor {
  /** The prediction whose noise (x - renoise)/sigma the sampler puts back instead of its own (CFG++). Absent: its own. */
  readonly renoise?: Tensor;
}

/**
 * What a sampler calls: the (guided) prediction of x0 at (x, sigma). `step` is the number of the sampler's step from 0,
 * the same in all evaluations of one step: guidance with a memory goes on once a step. Absent: every call is a step.
 */
export type Evaluate = (x: Tensor, sigma: number, step?: number) => Promise<Prediction>;
