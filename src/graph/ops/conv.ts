import { ints } from "../attributes.ts";
import type { Value } from "../value.ts";

interface ConvOptions {
  /** Default 1. */
  readonly stride?: number;
  /** Zeros on every side. Default 0. */
  readonly padding?: number;
  readonly bias?: Value;
}

/** 2-D convolution (cross-correlation). x [batch, in, h, w], weight [out, in, kh, kw], bias [out]. */
export function conv2d(x: Value, weight: Value, { stride = 1, padding = 0, bias }: ConvOptions = {}): Value {
  return convolve(x, weight, bias ?? null, [stride, stride], [padding, padding, padding, padding]);
}

/** conv2d with a stride for each spatial axis, and pads before each and then after each. */
export function convolve(
  x: Value,
  weight: Value,
  bias: Value | null,
  strides: readonly number[],
  pads: readonly number[],
): Value {
  const inputs = bias ? [x, weight, bias] : [x, weight];
  return x.builder.apply("Conv", inputs, {
    attributes: { kernel_shape: ints(weight.shape.slice(2)), strides: ints(strides), pads: ints(pads) },
  })[0];
}
