import { log, mul, silu } from "../graph/ops/elementwise.ts";
import { concat, reshape } from "../graph/ops/reshape.ts";
import type { Value } from "../graph/value.ts";
import { linear } from "./layers.ts";
import type { ParameterSource } from "./parameters.ts";

/** A noise-aware classifier of points: an MLP on (cIn x, ln(sigma) / 4). */
export interface PlanarClassifierConfig {
  readonly kind: "planar-classifier";
  readonly dims: number;
  readonly layers: number;
  readonly hidden: number;
  readonly classes: number;
}

/** logits [batch, classes] of x [batch, dims] (already scaled by cIn) at noise levels sigma [batch]. */
export function planarClassifier(
  p: ParameterSource,
  config: PlanarClassifierConfig,
  { x, sigma }: { readonly x: Value; readonly sigma: Value },
): Value {
  let h = concat([x, mul(log(reshape(sigma, [x.shape[0], 1])), 0.25)], 1);
  for (let i = 0; i < config.layers; i++) h = silu(linear(p, `layer.${i}`, h, config.hidden, Math.SQRT2));
  return linear(p, "logits", h, config.classes, 0.1);
}
