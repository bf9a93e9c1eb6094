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

/** What a sampler calls: the (guided) prediction of x0 at (x, sigma). */
export type Evaluate = (x: Tensor, sigma: number) => Promise<Tensor>;
