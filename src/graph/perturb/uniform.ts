import { add, mul, sub } from "../ops/elementwise.ts";
import { reduceMean, reduceSum } from "../ops/reduce.ts";
import { expand } from "../ops/reshape.ts";
import type { Value } from "../value.ts";
import { inPlace } from "./identity.ts";
import { type At, type Site, type Target, imageFlags, imagePart, imageSquare } from "./site.ts";

/**
 * A = 1/N: every result is the mean of the values. In a joint attention an image token sees all image tokens alike, and as
 * much of them together as before.
 */
export function uniform(target: Target): Site {
  const { context, softmax } = target.structure;
  if (target.layer.kind === "joint") return { node: softmax, edit: (at) => [evenAmongImage(target, at)] };
  const edit = (at: At): Value[] => {
    const values = at.inputs[context.valueInput]!;
    const axis = context.valueTokens + values.shape.length;
    const mean = reduceMean(values, [axis], { keep: true });
    if (!context.order) return [inPlace(context, at.inputs[context.mapInput]!, mean)];
    const [plain] = at.compute(at.inputs);
    return [expand(inPlace(context, at.inputs[context.mapInput]!, mean), plain.shape)];
  };
  return { node: context.node, edit };
}

function evenAmongImage(target: Target, at: At): Value {
  const [map] = at.compute(at.inputs);
  const image = imagePart(target)!;
  const tokens = map.shape.at(-1)!;
  const flags = imageFlags(target.builder, tokens, image, map.dtype);
  const together = reduceSum(mul(map, flags), [map.shape.length - 1], { keep: true });
  const even = mul(together, 1 / (image.end - image.start));
  return add(map, mul(imageSquare(target.builder, tokens, image, map.dtype), sub(even, map)));
}
