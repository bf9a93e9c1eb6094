import { UsageError } from "../../base/errors.ts";
import type { ContextProduct } from "../attention/contraction.ts";
import { add, greater, mul, sub, where } from "../ops/elementwise.ts";
import { expand, reshape, transpose } from "../ops/reshape.ts";
import { check, sameShape } from "../shapes.ts";
import type { Value } from "../value.ts";
import { type At, type Site, type Target, atLogits, hidden, imagePart, imageSquare } from "./site.ts";

/** A = I: the result is V. In a joint attention: no image token sees another image token. */
export function identity(target: Target): Site {
  if (target.layer.kind === "joint") return atLogits(target, (logits) => apart(target, logits));
  return { node: target.structure.context.node, edit: (at) => [valuesInPlace(target, at)] };
}

/** (1 - u) A + u I, as (1 - u) A V + u V where the identity is the values. u: one number, or one for each head. */
export function softIdentity(target: Target, u: number | readonly number[]): Site {
  const { context, softmax } = target.structure;
  if (target.layer.kind !== "joint") {
    const edit = (at: At): Value[] => {
      const [plain] = at.compute(at.inputs);
      const share = shareOf(target, u, plain, headAxis(context, at));
      return [mix(plain, valuesInPlace(target, at), share)];
    };
    return { node: context.node, edit };
  }
  if (softmax.op !== "Softmax") {
    throw new UsageError(
      `the joint attention "${target.layer.name}" writes its softmax out: use kind "identity"`,
    );
  }
  const edit = (at: At): Value[] => {
    const [plain] = at.compute(at.inputs);
    const [other] = at.compute([apart(target, at.inputs[0]!)]);
    return [mix(plain, other, shareOf(target, u, plain, plain.shape.length === 4 ? 1 : 0))];
  };
  return { node: softmax, edit };
}

const mix = (plain: Value, other: Value, share: number | Value): Value =>
  typeof share === "number"
    ? add(mul(plain, 1 - share), mul(other, share))
    : add(plain, mul(sub(other, plain), share));

/** The axis of heads in the result: its own where the map has rank 4, else the one it shares with the batch. */
function headAxis({ mapInput, contextHeads }: ContextProduct, at: At): number {
  return at.inputs[mapInput]!.shape.length >= 4 ? contextHeads : 0;
}

/** u as it multiplies `like`: a number, or one for each head along `axis`. */
function shareOf(
  { layer, builder }: Target,
  u: number | readonly number[],
  like: Value,
  axis: number,
): number | Value {
  if (typeof u === "number") return u;
  const rank = like.shape.length;
  const at = axis < 0 ? axis + rank : axis;
  // Scores of rank 2 have neither batch nor heads; in rank 3 heads share an axis with the batch.
  const size = rank < 3 ? 1 : like.shape[at];
  const fits = at === 0 ? size % u.length === 0 : size === u.length;
  if (!fits) {
    throw new UsageError(
      `the attention "${layer.name}" has ${size} heads (with its batch), got ${u.length} numbers u`,
    );
  }
  const numbers = Array.from({ length: size }, (_, i) => u[i % u.length]);
  return builder.literal(
    numbers,
    like.dtype,
    like.shape.map((_, i) => (i === at ? size : 1)),
  );
}

/** The values in the place of map times values. */
function valuesInPlace({ layer, structure }: Target, at: At): Value {
  const { mapInput, valueInput, order } = structure.context;
  const map = at.inputs[mapInput]!;
  const values = at.inputs[valueInput]!;
  const [queries, keys] =
    mapInput === 1 && order === null ? map.shape.slice(-2).reverse() : map.shape.slice(-2);
  check(
    { name: layer.name },
    queries === keys,
    () => `the identity cannot stand for a map of ${queries} x ${keys}`,
  );
  return inPlace(structure.context, map, values);
}

/** Values whose tokens are as many as the queries (or one), laid out as the result of their product with the map. */
export function inPlace({ order, valueTokens }: ContextProduct, map: Value, values: Value): Value {
  if (order) return transpose(values, order);
  // MatMul: leading axes broadcast, and a single token counts for all queries.
  const rank = Math.max(map.shape.length, values.shape.length);
  const lead = Array.from({ length: rank - 2 }, (_, i) =>
    Math.max(map.shape[i + map.shape.length - rank] ?? 1, values.shape[i + values.shape.length - rank] ?? 1),
  );
  const queries = valueTokens === -2 ? map.shape.at(-2)! : map.shape.at(-1)!;
  const last = valueTokens === -2 ? [queries, values.shape.at(-1)!] : [values.shape.at(-2)!, queries];
  const shape = [...lead, ...last];
  return sameShape(values.shape, shape) ? values : expand(values, shape);
}

/** Logits of a joint attention with those between different image tokens hidden. */
function apart(target: Target, logits: Value): Value {
  const { builder } = target;
  const image = imagePart(target)!;
  const tokens = logits.shape.at(-1)!;
  const places = Array.from({ length: tokens }, (_, i) => i);
  const distance = sub(
    builder.literal(places, "float32", [tokens, 1]),
    builder.literal(places, "float32", [1, tokens]),
  );
  const other = mul(imageSquare(builder, tokens, image, "float32"), mul(distance, distance));
  return where(greater(reshape(other, [tokens, tokens]), 0.5), hidden(logits.dtype), logits);
}
