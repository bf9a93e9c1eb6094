import { constantOf, hasNumbers, numbersOf } from "./constant.ts";
import type { Constant } from "./graph.ts";
import type { CallSite, Rule } from "./rule.ts";
import { sizeOf } from "../base/tensor.ts";

/** The outputs of a call on constants; null when the rule cannot evaluate them, or makes more than `limit` elements. */
export function evaluateCall(
  rule: Rule,
  site: CallSite,
  inputs: readonly (Constant | null)[],
  limit = Infinity,
): readonly Constant[] | null {
  if (!rule.evaluate || !rule.infer) return null;
  const types = rule.infer(
    site,
    inputs.map((constant) => constant && { dtype: constant.dtype, shape: constant.shape, constant }),
  );
  if (types.some(({ dtype, shape }) => !hasNumbers(dtype) || sizeOf(shape) > limit)) return null;
  if (inputs.some((constant) => constant && !hasNumbers(constant.dtype))) return null;
  const hosted = inputs.map(
    (constant) => constant && { dtype: constant.dtype, shape: constant.shape, numbers: numbersOf(constant) },
  );
  const numbers = rule.evaluate(site, hosted, types);
  return types.map(({ dtype, shape }, i) => constantOf(dtype, shape, numbers[i]));
}
