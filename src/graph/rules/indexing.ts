import { sizeOf } from "../../base/tensor.ts";
import { intOf } from "../attributes.ts";
import { constantOf } from "../constant.ts";
import { mul, sub } from "../ops/elementwise.ts";
import { reduceSum } from "../ops/reduce.ts";
import { concat, reshape } from "../ops/reshape.ts";
import type { CallSite, GradientCall, RuleFamily } from "../rule.ts";
import { axisOf, generate, knownNumbers } from "../shapes.ts";
import type { Value } from "../value.ts";

/** Where OneHot puts its axis. */
const hotAxis = (site: CallSite, rank: number): number => axisOf(site, intOf(site, "axis", -1), rank + 1);

/** The gradient of [off, on]: sums of g where the output is off, and where it is on. */
function oneHotGradient({ site, inputs, gradients: [g], wanted }: GradientCall): (Value | null)[] {
  const [indices, depth, values] = inputs;
  if (!wanted[2]) return [null, null, null];
  const { builder } = g!;
  const zeroOne = builder.literal([0, 1], values!.dtype);
  const [hot] = builder.apply("OneHot", [indices, depth, zeroOne], { attributes: site.attributes });
  const axes = g!.shape.map((_, i) => i);
  const on = reshape(reduceSum(mul(g!, hot), axes), [1]);
  const all = reshape(reduceSum(g!, axes), [1]);
  return [null, null, concat([sub(all, on), on], 0)];
}

const shapePart = (site: CallSite, shape: readonly number[]): readonly number[] =>
  shape.slice(intOf(site, "start", 0), intOf(site, "end", shape.length));

export const indexing: RuleFamily = {
  OneHot: {
    infer: (site, [indices, depth, values]) => {
      const axis = hotAxis(site, indices!.shape.length);
      const [size] = knownNumbers(site, depth, "depth")!;
      const shape = [...indices!.shape.slice(0, axis), size, ...indices!.shape.slice(axis)];
      return [{ dtype: values!.dtype, shape }];
    },
    gradient: oneHotGradient,
    evaluate: (site, [indices, depth, values], [{ shape }]) => {
      const [off, on] = values!.numbers;
      const size = depth!.numbers[0];
      const inner = sizeOf(shape.slice(hotAxis(site, indices!.shape.length) + 1));
      return [
        generate(shape, (i) => {
          const index = indices!.numbers[Math.floor(i / (inner * size)) * inner + (i % inner)];
          return Math.floor(i / inner) % size === (index < 0 ? index + size : index) ? on : off;
        }),
      ];
    },
  },
  Shape: {
    infer: (site, [x]) => [{ dtype: "int64", shape: [shapePart(site, x!.shape).length] }],
    gradient: () => [null],
    fromShapes: (site, [x]) => {
      const part = shapePart(site, x!.shape);
      return [constantOf("int64", [part.length], part)];
    },
    evaluate: (site, [x]) => [shapePart(site, x!.shape)],
  },
};
