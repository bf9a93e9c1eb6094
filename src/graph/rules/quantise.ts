import { intOf } from "../attributes.ts";
import { dataTypeOf } from "../dataTypes.ts";
import { cast, mul, sub } from "../ops/elementwise.ts";
import { expand, reshape } from "../ops/reshape.ts";
import type { CallSite, RuleFamily } from "../rule.ts";
import { axisOf, check } from "../shapes.ts";
import type { Value } from "../value.ts";

/** A scale or zero point beside x: one for all, one for each entry of the axis, or one for each block along it. */
function beside(site: CallSite, x: Value, of: Value): Value {
  if (of.shape.length === 0 || (of.shape.length === 1 && of.shape[0] === 1)) return reshape(of, []);
  const axis = axisOf(site, intOf(site, "axis", 1), x.shape.length);
  const block = intOf(site, "block_size", 0);
  if (block > 0) {
    const after = [...of.shape.slice(0, axis + 1), 1, ...of.shape.slice(axis + 1)];
    const repeated = after.map((dim, i) => (i === axis + 1 ? block : dim));
    const joined = of.shape.map((dim, i) => (i === axis ? dim * block : dim));
    return reshape(expand(reshape(of, after), repeated), joined);
  }
  const fits = of.shape.length === 1 && of.shape[0] === x.shape[axis];
  check(site, fits, () => `scales of [${of.shape.join(", ")}] along axis ${axis} of [${x.shape.join(", ")}]`);
  return reshape(
    of,
    x.shape.map((dim, i) => (i === axis ? dim : 1)),
  );
}

/** (x - zero point) * scale. */
function dequantise(site: CallSite, [x, scale, zero]: readonly (Value | null)[]): readonly Value[] {
  const numbers = cast(x!, scale!.dtype);
  const shifted = zero ? sub(numbers, beside(site, x!, cast(zero, scale!.dtype))) : numbers;
  const result = mul(shifted, beside(site, x!, scale!));
  const wanted = dataTypeOf(intOf(site, "output_dtype", 0));
  return [wanted ? cast(result, wanted) : result];
}

export const quantise: RuleFamily = {
  DequantizeLinear: { expand: dequantise },
};
