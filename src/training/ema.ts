/** An exponential moving average of the parameters: a name, and how its decay depends on the step. */
export type Ema = { readonly name: string } & EmaRule;

export type EmaRule =
  /** ema = decay ema + (1 - decay) p; with warmUp the decay is min(decay, (1 + step) / (10 + step)). */
  | { readonly kind: "constant"; readonly decay: number; readonly warmUp: boolean }
  /** The weight of a past step halves every `images` images; with rampUp, every min(images, rampUp images seen). */
  | { readonly kind: "half-life"; readonly images: number; readonly rampUp: number | null }
  /** Averages with weights proportional to t^gamma; `sigmaRel` is the profile's width relative to the training's length. */
  | { readonly kind: "power"; readonly sigmaRel: number }
  /** No averaging: the parameters as they are. */
  | { readonly kind: "none" };

/**
 * The decay beta of `ema = beta ema + (1 - beta) p` after the update of `step` (from 0), `batchSize` images a step.
 *
 * Source of half-life with ramp-up: Karras et al. 2022 (arXiv:2206.00364), appendix F.2; of power:
 * beta(t) = (1 - 1/t)^(gamma + 1), Karras et al. 2024 (arXiv:2312.02696), Eq. 127, t = step + 1.
 */
export function emaDecay(rule: EmaRule, step: number, batchSize: number): number {
  switch (rule.kind) {
    case "constant":
      return rule.warmUp ? Math.min(rule.decay, (1 + step) / (10 + step)) : rule.decay;
    case "half-life": {
      const seen = step * batchSize;
      const images = rule.rampUp === null ? rule.images : Math.min(rule.images, rule.rampUp * seen);
      return images > 0 ? 0.5 ** (batchSize / images) : 0;
    }
    case "power":
      return (1 - 1 / (step + 1)) ** (powerGamma(rule.sigmaRel) + 1);
    case "none":
      return 0;
    default:
      return rule satisfies never;
  }
}

/** ema = beta ema + (1 - beta) p, in place; computed in float64, stored in float32. */
export function emaStep(ema: Float32Array, parameters: Float32Array, beta: number): void {
  for (let i = 0; i < ema.length; i++) ema[i] = beta * ema[i] + (1 - beta) * parameters[i];
}

/**
 * The exponent gamma of the power profile t^gamma whose standard deviation is `sigmaRel` times the training's length:
 * the largest real root of gamma^3 + 7 gamma^2 + (16 - s) gamma + (12 - s) = 0 with s = sigmaRel^-2.
 *
 * `sigmaRel` lies in (0, 0.28]; there the root is at least 0.
 * Source: Karras et al. 2024 (arXiv:2312.02696), Eq. 126 and algorithm 2.
 */
export function powerGamma(sigmaRel: number): number {
  // (gamma + 1) / ((gamma + 2)^2 (gamma + 3)) falls for gamma >= 0, so the root of value = sigmaRel^2 is bracketed.
  const width = (gamma: number): number => Math.sqrt((gamma + 1) / ((gamma + 2) ** 2 * (gamma + 3)));
  let low = 0;
  let high = 1;
  while (width(high) > sigmaRel) high *= 2;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (width(middle) > sigmaRel) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
