import { UsageError } from "../../base/errors.ts";
import { sizeOf } from "../../base/tensor.ts";
import { add, cast, greater, mul, sub, where } from "../ops/elementwise.ts";
import { pad } from "../ops/indexing.ts";
import { expand, reshape } from "../ops/reshape.ts";
import type { Value } from "../value.ts";
import { type AttentionDropout, DEFAULT_P, type FixedMask, type RandomMask } from "./perturbation.ts";
import { randomInput } from "./randomInputs.ts";
import { type At, type Site, type Target, atLogits, hidden, imagePart, imageSquare } from "./site.ts";

/** S = -inf where a mask that is drawn for each noise level is 1; the mask is an input of the graph. */
export function randomMask(target: Target, how: RandomMask): Site {
  return atLogits(target, (logits) => hide(logits, drawnMask(target, how, logits)));
}

/** S = -inf where a mask that is known now is 1. */
export function fixedMask(target: Target, masks: Readonly<Record<string, FixedMask>>): Site {
  const { layer, builder } = target;
  if (!Object.hasOwn(masks, layer.name)) {
    throw new UsageError(
      `there is no mask for the chosen attention "${layer.name}": give masks["${layer.name}"]`,
    );
  }
  const { data, shape } = masks[layer.name];
  return atLogits(target, (logits) => {
    const [queries, keys] = maskedTokens(target, logits);
    const [one, heads] = shape;
    const fits = shape.length === 4 && one === 1 && shape[2] === queries && shape[3] === keys;
    if (!fits || data.length !== sizeOf(shape)) {
      throw new UsageError(
        `the mask of "${layer.name}" is [1, heads or 1, ${queries}, ${keys}], got [${shape.join(", ")}]`,
      );
    }
    const given = builder.constant(
      { dtype: "float32", shape: [1, heads, queries, keys], data: Float32Array.from(data) },
      `mask/${layer.name}`,
    );
    return hide(logits, spread(target, given, logits));
  });
}

/** Entries of A to zero with probability p, the others times 1/(1 - p). */
export function attentionDropout(target: Target, how: AttentionDropout): Site {
  const edit = (at: At): Value[] => {
    const [map] = at.compute(at.inputs);
    const dropped = cast(drawnMask(target, how, map), map.dtype);
    const factor = mul(sub(1, dropped), 1 / (1 - (how.p ?? DEFAULT_P)));
    const image = imagePart(target);
    if (!image) return [mul(map, factor)];
    const among = imageSquare(target.builder, map.shape.at(-1)!, image, map.dtype);
    return [mul(map, add(mul(among, sub(factor, 1)), 1))];
  };
  return { node: target.structure.softmax, edit };
}

function hide(logits: Value, mask: Value): Value {
  return where(greater(mask, 0.5), hidden(logits.dtype), logits);
}

/** An input for what is drawn, in the form of the logits (or of the map). */
function drawnMask(target: Target, how: RandomMask | AttentionDropout, logits: Value): Value {
  const { builder, layer } = target;
  const name = randomInput(layer, how);
  const shape = [1, 1, ...maskedTokens(target, logits)];
  const mask = builder.findInput(name) ?? builder.input(name, "float32", shape);
  return spread(target, mask, logits);
}

/** Queries and keys that a mask is for: in a joint attention, the image's. */
function maskedTokens(target: Target, logits: Value): [number, number] {
  const image = imagePart(target);
  if (image) return [image.end - image.start, image.end - image.start];
  return [logits.shape.at(-2)!, logits.shape.at(-1)!];
}

/** A mask [1, heads or 1, queries, keys] as it broadcasts to logits, with zeros for what is not the image's. */
function spread(target: Target, mask: Value, logits: Value): Value {
  const image = imagePart(target);
  const [queries, keys] = [logits.shape.at(-2)!, logits.shape.at(-1)!];
  const before = image?.start ?? 0;
  const behind = image ? keys - image.end : 0;
  const whole = pad(mask, [0, 0, before, before, 0, 0, behind, behind]);
  const rank = logits.shape.length;
  const heads = mask.shape[1];
  if (rank >= 4) return whole;
  if (heads === 1) return reshape(whole, [1, queries, keys].slice(-rank));
  // Heads share an axis with the batch: [batch * heads, queries, keys].
  const rows = logits.shape[0];
  if (rank === 2 || rows % heads !== 0) {
    throw new UsageError(
      `the mask of "${target.layer.name}" is for ${heads} heads, its scores are [${logits.shape.join(", ")}]`,
    );
  }
  return reshape(expand(whole, [rows / heads, heads, queries, keys]), [rows, queries, keys]);
}
