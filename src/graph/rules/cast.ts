import { intOf } from "../attributes.ts";
import { dataTypeOf, isFloat } from "../dataTypes.ts";
import type { DataType } from "../graph.ts";
import { cast } from "../ops/elementwise.ts";
import type { CallSite, GradientCall, RuleFamily } from "../rule.ts";
import { check } from "../shapes.ts";
import type { Value } from "../value.ts";

function castTarget(site: CallSite): DataType {
  const dtype = dataTypeOf(intOf(site, "to", 1));
  check(site, dtype !== undefined, () => `Cast to an element type ${intOf(site, "to", 1)}`);
  return dtype!;
}

/** The gradient in x's type. One that was narrowed on its way is taken as it was before, so that no digits are lost. */
function castGradient({ gradients: [g], inputs: [x] }: GradientCall): (Value | null)[] {
  if (!isFloat(x!.dtype)) return [null];
  const before = g!.call?.op === "Cast" ? g!.call.inputs[0]! : null;
  return [cast(before && isFloat(before.dtype) ? before : g!, x!.dtype)];
}

export const casts: RuleFamily = {
  Cast: {
    infer: (site, [x]) => [{ dtype: castTarget(site), shape: x!.shape }],
    gradient: castGradient,
    evaluate: (_, [x]) => [x!.numbers],
  },
  CastLike: {
    infer: (_, [x, like]) => [{ dtype: like!.dtype, shape: x!.shape }],
    gradient: (call) => [...castGradient(call), null],
    evaluate: (_, [x]) => [x!.numbers],
  },
};
