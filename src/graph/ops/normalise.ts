import { float, int } from "../attributes.ts";
import { axisOf } from "../shapes.ts";
import type { Value } from "../value.ts";
import { add, mul } from "./elementwise.ts";
import { reshape } from "./reshape.ts";

/** exp(x) / sum exp(x) along `axis`. */
export function softmax(x: Value, axis = -1): Value {
  return x.builder.apply("Softmax", [x], {
    attributes: { axis: int(axisOf({ name: "softmax" }, axis, x.shape.length)) },
  })[0];
}

/** log softmax along `axis`. */
export function logSoftmax(x: Value, axis = -1): Value {
  return x.builder.apply("LogSoftmax", [x], {
    attributes: { axis: int(axisOf({ name: "logSoftmax" }, axis, x.shape.length)) },
  })[0];
}

/** Each (sample, channel) to mean 0 and variance 1 over its other axes, then scale * x + bias by channel. */
export function instanceNorm(x: Value, scale: Value, bias: Value, epsilon = 1e-5): Value {
  return x.builder.apply("InstanceNormalization", [x, scale, bias], {
    attributes: { epsilon: float(epsilon) },
  })[0];
}

/**
 * Group norm: channels in `groups` groups, each to mean 0 and variance 1 over channels and space, then scale * x + bias.
 * x [batch, channels, h, w]; scale and bias [channels], or [batch, channels] to modulate by sample.
 */
export function groupNorm(x: Value, groups: number, scale: Value, bias: Value, epsilon = 1e-5): Value {
  const { builder } = x;
  const [batch, channels] = x.shape;
  const one = builder.literal(new Array<number>(groups).fill(1), x.dtype);
  const zero = builder.literal(new Array<number>(groups).fill(0), x.dtype);
  const normal = reshape(instanceNorm(reshape(x, [batch, groups, -1]), one, zero, epsilon), x.shape);
  const rows = scale.shape.length === 2 ? batch : 1;
  return add(mul(normal, reshape(scale, [rows, channels, 1, 1])), reshape(bias, [rows, channels, 1, 1]));
}
