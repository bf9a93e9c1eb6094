import { UsageError } from "../../base/errors.ts";
import { sizeOf } from "../../base/tensor.ts";
import type { Node } from "../graph.ts";
import { add } from "../ops/elementwise.ts";
import { gather } from "../ops/indexing.ts";
import { concat, reshape } from "../ops/reshape.ts";
import type { Value } from "../value.ts";
import type { ShuffleTokens } from "./perturbation.ts";
import { randomInput } from "./randomInputs.ts";
import type { Site, Target } from "./site.ts";
import { imageBlock } from "./skip.ts";

/**
 * The tokens that enter the block of an attention in another order, drawn for each noise level: int64 [tokens], an input of the
 * graph. What the block adds to is in that order too, so its result is not put back (as in the method's own code). Of a joint
 * attention the image's tokens.
 */
export function shuffleTokens(target: Target, how: ShuffleTokens): readonly Site[] {
  const { found } = target;
  const { input, output } = imageBlock(target);
  const last = found.wiring.position(output);
  const inBlock = (node: Node): boolean =>
    found.wiring.positionOf(node) <= last &&
    node.outputs.some((name) => found.wiring.dependsOn(output, name));
  return found.wiring
    .readers(input)
    .filter(inBlock)
    .map((node) => ({
      node,
      edit: (at) =>
        at.compute(
          at.inputs.map((value, i) => (node.inputs[i] === input ? inOrder(target, how, value!) : value)),
        ),
    }));
}

/** Tokens in the order that an input tells: of [batch, tokens, channels], or the pixels of [batch, channels, height, width]. */
function inOrder(target: Target, how: ShuffleTokens, x: Value): Value {
  const { layer, builder } = target;
  const { queries, image } = target.sizes();
  const count = image ? image.end - image.start : queries!;
  const name = randomInput(layer, how);
  const order = builder.findInput(name) ?? builder.input(name, "int64", [count]);
  const [batch, channels, ...space] = x.shape;
  if (x.shape.length === 4 && sizeOf(space) === count) {
    return reshape(gather(reshape(x, [batch, channels, count]), order, 2), x.shape);
  }
  const axis = x.shape.findIndex((dim, i) => i > 0 && (dim === count || dim === queries));
  if (x.shape.length === 3 && axis > 0) {
    if (x.shape[axis] === count) return gather(x, order, axis);
    const others = (from: number, to: number): Value[] =>
      from === to
        ? []
        : [
            builder.literal(
              Array.from({ length: to - from }, (_, i) => from + i),
              "int64",
            ),
          ];
    const { start, end } = image!;
    const all = concat([...others(0, start), add(order, start), ...others(end, queries!)], 0);
    return gather(x, all, axis);
  }
  throw new UsageError(
    `the ${count} tokens of the attention "${layer.name}" cannot be found in the shape [${x.shape.join(", ")}] ` +
      `that enters its block`,
  );
}
