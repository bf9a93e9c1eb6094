import {
  add,
  and,
  cast,
  div,
  equal,
  greaterOrEqual,
  less,
  lessOrEqual,
  mul,
  or,
  where,
} from "../ops/elementwise.ts";
import { sumTo } from "../ops/reduce.ts";
import type { GradientCall, Rule, RuleFamily } from "../rule.ts";
import { check } from "../shapes.ts";
import type { Value } from "../value.ts";
import { variadic } from "./pointwise.ts";

/** Each operand that is the extreme has an equal share of the gradient. */
function sharedGradient({ gradients: [g], inputs, outputs: [y] }: GradientCall): (Value | null)[] {
  if (inputs.length === 1) return [g];
  const ties = inputs.map((x) => cast(equal(x!, y), y.dtype));
  const share = div(
    g!,
    ties.reduce((a, b) => add(a, b)),
  );
  return ties.map((tie) => mul(tie, share));
}

/** min(max(x, low), high). The gradient at a bound is x's; what is cut off is the bound's. */
function clipGradient({ gradients: [g], inputs: [x, low, high], wanted }: GradientCall): (Value | null)[] {
  const notBelow = low ? greaterOrEqual(x!, low) : null;
  const notAbove = high ? lessOrEqual(x!, high) : null;
  const inside = notBelow && notAbove ? and(notBelow, notAbove) : (notBelow ?? notAbove);
  if (!inside) return [g];
  const below = low && (high ? and(less(x!, low), lessOrEqual(low, high)) : less(x!, low));
  return [
    wanted[0] ? mul(g!, cast(inside, g!.dtype)) : null,
    low && wanted[1] ? sumTo(where(below!, g!, 0), low.shape) : null,
    high && wanted[2] ? sumTo(where(below ? or(inside, below) : inside, 0, g!), high.shape) : null,
  ];
}

const clip: Rule = {
  infer: (site, [x, ...bounds]) => {
    for (const bound of bounds) {
      const shape = bound?.shape ?? [];
      check(
        site,
        shape.every((dim) => dim === 1),
        () => `a bound of shape [${shape.join(", ")}], wanted one number,`,
      );
    }
    return [{ dtype: x!.dtype, shape: x!.shape }];
  },
  gradient: clipGradient,
  evaluate: (_, [x, low, high]) => {
    const [least, most] = [low?.numbers[0] ?? -Infinity, high?.numbers[0] ?? Infinity];
    return [x!.numbers.map((v) => Math.min(Math.max(v, least), most))];
  },
};

export const extrema: RuleFamily = {
  Max: variadic(Math.max, sharedGradient),
  Min: variadic(Math.min, sharedGradient),
  Clip: clip,
  Sum: variadic(
    (a, b) => a + b,
    ({ gradients: [g], inputs }) => inputs.map(() => g),
  ),
  Mean: variadic(
    (a, b) => a + b,
    ({ gradients: [g], inputs }) => {
      const share = mul(g!, 1 / inputs.length);
      return inputs.map(() => share);
    },
    (total, count) => total / count,
  ),
};
