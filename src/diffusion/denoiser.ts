import type { Tensor } from "../base/tensor.ts";
import { type LayerSelection, type Perturbation, perturbationKey } from "../graph/perturb/perturbation.ts";
import { type EmbeddingNoise, sameNoise } from "./embeddingNoise.ts";

/** One way to ask a network for a prediction. Who makes one from another spreads it: `{ ...branch, perturbation }`. */
export interface Branch<C> {
  /** null: the null (unconditional) condition. */
  readonly condition: C | null;
  /** How the network is made worse; absent: as trained. */
  readonly perturbation?: Perturbation;
  /**
   * The noise level that the network is told in each row; absent: sigma. Only what it is told changes: its input is scaled,
   * and D is made of its output, by sigma.
   */
  readonly told?: readonly number[];
  /** Noise on the embedding of the condition; none in rows without a condition. */
  readonly conditionNoise?: EmbeddingNoise;
  /** Noise on the embedding of the noise level. */
  readonly levelNoise?: EmbeddingNoise;
}

/** Whether two branches are the same prediction. */
export function sameBranch<C>(a: Branch<C>, b: Branch<C>): boolean {
  if (!sameInputs(a, b)) return false;
  return (
    a.perturbation === b.perturbation || perturbationKey(a.perturbation) === perturbationKey(b.perturbation)
  );
}

/**
 * Whether two branches give the network the same inputs, whatever the perturbation. Conditions are compared by identity: guidance
 * passes them on and never copies them.
 */
export function sameInputs<C>(a: Branch<C>, b: Branch<C>): boolean {
  return (
    a.condition === b.condition &&
    sameTold(a.told, b.told) &&
    sameNoise(a.conditionNoise, b.conditionNoise) &&
    sameNoise(a.levelNoise, b.levelNoise)
  );
}

function sameTold(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  if (a === b) return true;
  return a !== undefined && b !== undefined && a.length === b.length && a.every((level, i) => level === b[i]);
}

/** One class index per row of x; -1 is the null (dropped) condition of that row. */
export type Labels = readonly number[];

/** The contract that every trained or pretrained network is adapted to. Everything after it speaks sigma. */
export interface Denoiser<C = Labels> {
  /** Dimensions of one sample, without the batch axis: [2] or [channels, height, width]. */
  readonly shape: readonly number[];
  /** One prediction of x0 per branch, each of x's shape. x is [batch, ...shape] with noise of standard deviation sigma. */
  denoise(x: Tensor, sigma: number, branches: readonly Branch<C>[]): Promise<readonly Tensor[]>;
  /**
   * The prediction of one branch and its vector-Jacobian product with `cotangent`, a tensor of x's shape. Rows are independent.
   * Absent: this denoiser cannot be differentiated. Cost: about three evaluations.
   */
  vjp?(x: Tensor, sigma: number, branch: Branch<C>, cotangent: Tensor): Promise<Pullback>;
  /**
   * How much each token is looked at in chosen self-attention layers when that branch is computed: the attention map's mean over
   * heads, summed over queries, so that 1 is the mean over tokens. One tensor a layer, [batch, height, width] of its grid of
   * tokens. Rows are independent. Absent: this denoiser does not tell. Cost: an evaluation up to the last of the layers.
   */
  attended?(x: Tensor, sigma: number, branch: Branch<C>, layers: LayerSelection): Promise<readonly Tensor[]>;
}

/** A prediction and what pulls a gradient with respect to it back to x. */
export interface Pullback {
  /** D(x; sigma), as `denoise` gives it. */
  readonly denoised: Tensor;
  /** J' cotangent with J = dD/dx: the gradient of <cotangent, D(x; sigma)> with respect to x, of x's shape. */
  readonly gradient: Tensor;
}

/** A prediction of x0 as a sampler takes it. */
export interface Prediction extends Tensor {
  /** The prediction whose noise (x - renoise)/sigma the sampler puts back instead of its own (CFG++). Absent: its own. */
  readonly renoise?: Tensor;
  /**
   * Where the mean of the sampler's step is to move (Dhariwal & Nichol 2021, Algorithm 1): a step of that mean and of noise of
   * variance v goes on to the noise level `to`, above 0, from mean + v * meanShift(mean, to). Absent: it stays.
   */
  readonly meanShift?: (mean: Tensor, to: number) => Promise<Tensor>;
  /**
   * Of a network that learned the variance of DDPM's steps: how far, in ln variance, the noise of a step lies from the posterior's (0)
   * to beta_t (1), per element. Absent: the sampler's option decides.
   */
  readonly varianceMix?: Tensor;
}

/**
 * What a sampler calls: the (guided) prediction of x0 at (x, sigma). `step` is the number of the sampler's step from 0,
 * the same in all evaluations of one step: guidance with a memory goes on once a step. Absent: every call is a step.
 */
export type Evaluate = (x: Tensor, sigma: number, step?: number) => Promise<Prediction>;
