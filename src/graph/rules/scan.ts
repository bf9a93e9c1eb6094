import { int, intOf } from "../attributes.ts";
import type { CallSite, HostInput, RuleFamily } from "../rule.ts";
import { axisOf, generate } from "../shapes.ts";
import { linesOf } from "./argmax.ts";

const flag = (site: CallSite, name: string): boolean => intOf(site, name, 0) === 1;

function evaluateSum(site: CallSite, x: HostInput, axis: number): Float64Array {
  const [exclusive, reverse] = [flag(site, "exclusive"), flag(site, "reverse")];
  const out = generate(x.shape, () => 0);
  for (const line of linesOf(x.shape, axisOf(site, axis, x.shape.length))) {
    let sum = 0;
    for (const i of reverse ? line.reverse() : line) {
      out[i] = exclusive ? sum : sum + x.numbers[i];
      sum += x.numbers[i];
    }
  }
  return out;
}

export const scan: RuleFamily = {
  // y[i] = sum of x[j] over j <= i; exclusive: j < i; reverse: from the end. Its transpose runs the other way.
  CumSum: {
    infer: (site, [x, axis]) => {
      if (axis?.constant) axisOf(site, Number(axis.constant.data[0]), x!.shape.length);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: ({ site, inputs: [, axis], gradients: [g] }) => {
      const attributes = { ...site.attributes, reverse: int(flag(site, "reverse") ? 0 : 1) };
      return [g!.builder.apply("CumSum", [g, axis], { attributes })[0], null];
    },
    evaluate: (site, [x, axis]) => [evaluateSum(site, x!, axis!.numbers[0])],
  },
};
