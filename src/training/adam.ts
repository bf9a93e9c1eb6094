/** Settings of Adam and AdamW. */
export interface AdamSettings {
  /** Decay rates of the running mean of the gradient and of its square, in [0, 1). */
  readonly betas: readonly [number, number];
  /** Added to the root of the second moment. */
  readonly eps: number;
  readonly weightDecay: number;
  /** true: AdamW, the decay acts on the parameters; false: Adam, the decay is added to the gradient. */
  readonly decoupled: boolean;
}

/** The moments, one value per parameter, starting at zero. */
export interface AdamState {
  readonly m: Float32Array;
  readonly v: Float32Array;
}

/**
 * One step of Adam or AdamW, in place on `parameters` and `state`; k = 1, 2, ... is the step's number.
 *
 *   g = scale g                       (the factor of gradient clipping; 1 without)
 *   Adam:  g = g + weightDecay p      AdamW: p = p (1 - learningRate weightDecay)
 *   m = b1 m + (1 - b1) g             v = b2 v + (1 - b2) g^2
 *   p = p - learningRate (m / (1 - b1^k)) / (sqrt(v / (1 - b2^k)) + eps)
 *
 * Values are computed in float64 and stored in float32.
 * Source: Kingma & Ba 2015 (arXiv:1412.6980), Algorithm 1; Loshchilov & Hutter 2019 (arXiv:1711.05101), Algorithm 2.
 */
export function adamStep(
  parameters: Float32Array,
  gradient: Float32Array,
  { m, v }: AdamState,
  { betas: [b1, b2], eps, weightDecay, decoupled }: AdamSettings,
  learningRate: number,
  k: number,
  scale = 1,
): void {
  const stepSize = learningRate / (1 - b1 ** k);
  const correction = Math.sqrt(1 - b2 ** k);
  const keep = decoupled ? 1 - learningRate * weightDecay : 1;
  const intoGradient = decoupled ? 0 : weightDecay;
  for (let i = 0; i < parameters.length; i++) {
    const g = scale * gradient[i] + intoGradient * parameters[i];
    m[i] = b1 * m[i] + (1 - b1) * g;
    v[i] = b2 * v[i] + (1 - b2) * g * g;
    parameters[i] = keep * parameters[i] - (stepSize * m[i]) / (Math.sqrt(v[i]) / correction + eps);
  }
}

/** The global 2-norm of the gradient, summed in float64; NaN or Infinity when any element is. */
export function gradientNorm(gradient: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < gradient.length; i++) sum += gradient[i] * gradient[i];
  return Math.sqrt(sum);
}

/** The factor that clips a gradient of 2-norm `norm` to `limit`: limit / (norm + 1e-6) above the limit, else 1. */
export function clipFactor(norm: number, limit: number | null): number {
  return limit !== null && norm > limit ? limit / (norm + 1e-6) : 1;
}
