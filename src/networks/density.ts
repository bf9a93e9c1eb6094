import { gradients } from "../graph/gradients.ts";
import { add, div, log, mul, sigmoid, sqrt, square, sub } from "../graph/ops/elementwise.ts";
import { matmul } from "../graph/ops/linear.ts";
import { reduceMean, reduceSum, reduceSumSquare } from "../graph/ops/reduce.ts";
import { concat, expand, reshape } from "../graph/ops/reshape.ts";
import type { Value } from "../graph/value.ts";
import type { ParameterSource } from "./parameters.ts";

/**
 * The 2-D network of the autoguidance paper (Karras et al. 2024, arXiv:2406.02507, appendix C): a magnitude-preserving MLP
 * whose output is a log density; its score is the gradient with respect to x.
 */
export interface DensityConfig {
  readonly kind: "density";
  /** Dimensions of the data. */
  readonly dims: number;
  /** Layers after the first. */
  readonly layers: number;
  readonly hidden: number;
  readonly sigmaData: number;
}

export interface DensityInputs {
  /** [batch, dims] */
  readonly x: Value;
  /** Standard deviation of the noise of each row. [batch] */
  readonly sigma: Value;
}

/** Divides SiLU's output to magnitude 1 for normal inputs. */
const SILU_GAIN = 1 / 0.596;
/** Keeps the norm of a weight row away from 0. */
const EPSILON = 1e-4;

/** log p(x; sigma) up to a constant, [batch]. */
export function logDensity(p: ParameterSource, config: DensityConfig, { x, sigma }: DensityInputs): Value {
  const batch = x.shape[0];
  const column = reshape(sigma, [batch, 1]);
  const scaled = div(x, sqrt(add(square(column), config.sigmaData ** 2)));
  const noise = mul(log(column), 0.25);
  let y = concat([scaled, noise, expand(x.builder.literal(1, x.dtype), [batch, 1])], 1);
  y = magnitudeLinear(p, "in", y, config.hidden);
  for (let i = 0; i < config.layers; i++) {
    y = mul(mul(y, sigmoid(y)), SILU_GAIN);
    y = magnitudeLinear(p, `layer.${i}`, y, config.hidden);
  }
  const gain = p.get("gain", [], { constant: 0 });
  const energy = div(mul(reduceMean(square(y), [1]), gain), sigma);
  return sub(energy, mul(reduceSumSquare(scaled, [1]), 0.5));
}

/** The score, gradient of log p(x; sigma) with respect to x. [batch, dims] */
export function densityScore(p: ParameterSource, config: DensityConfig, inputs: DensityInputs): Value {
  const total = reduceSum(logDensity(p, config, inputs), [0]);
  return gradients(total, [inputs.x])[0];
}

/** x times weights whose columns are brought to norm 1, without bias. x [batch, in]; out [batch, out]. */
function magnitudeLinear(p: ParameterSource, name: string, x: Value, out: number): Value {
  const fanIn = x.shape[1];
  return p.scope(name, (q) => {
    const weight = q.get("weight", [fanIn, out], { std: 1 });
    const norm = sqrt(reduceSum(square(weight), [0], { keep: true }));
    const normal = div(weight, add(mul(norm, 1 / Math.sqrt(fanIn)), EPSILON));
    return matmul(x, mul(normal, 1 / Math.sqrt(fanIn)));
  });
}

/** Brings every column of the weights back to norm sqrt(fanIn), in place: what training does after each update. */
export function forceNormalise(
  flat: Float32Array,
  entries: readonly { readonly shape: readonly number[]; readonly offset: number }[],
): void {
  for (const { shape, offset } of entries) {
    if (shape.length !== 2) continue;
    const [fanIn, out] = shape;
    for (let column = 0; column < out; column++) {
      let sum = 0;
      for (let row = 0; row < fanIn; row++) sum += flat[offset + row * out + column] ** 2;
      const factor = 1 / (EPSILON + Math.sqrt(sum / fanIn));
      for (let row = 0; row < fanIn; row++) flat[offset + row * out + column] *= factor;
    }
  }
}
