import { floatOf } from "../../attributes.ts";
import { equal, less, where } from "../../ops/elementwise.ts";
import { slice } from "../../ops/indexing.ts";
import { reshape } from "../../ops/reshape.ts";
import type { CallSite } from "../../rule.ts";
import { check } from "../../shapes.ts";
import type { Value } from "../../value.ts";

/** What takes the place of a logit that causality forbids: the least number of the type, whose exponential is 0. */
export const forbidden = ({ builder, dtype }: Value): Value =>
  builder.literal(dtype === "float16" ? -65504 : -3.4028234663852886e38, dtype);

/** The numbers from, from + 1, ... as int32 of this shape. */
export function counting(x: Value, from: number, shape: readonly number[]): Value {
  const count = shape.reduce((a, b) => a * b, 1);
  return x.builder.literal(
    Array.from({ length: count }, (_, i) => from + i),
    "int32",
    shape,
  );
}

/** Logits [..., queries, keys] with those of keys behind their query forbidden; query i is at key `past` + i. */
export function causal(logits: Value, past: number): Value {
  const [queries, keys] = logits.shape.slice(-2);
  const behind = less(counting(logits, past, [queries, 1]), counting(logits, 0, [1, keys]));
  return where(behind, forbidden(logits), logits);
}

/**
 * A mask of keys as what is added to logits [batch, heads, queries, keys]: 0, and `mask_filter_value` (-10000) where a key
 * is masked. The mask is int32 and one of: 1 for a key that counts, [batch, keys] or [batch, queries, keys] or
 * [batch, 1, most, most]; the number of keys that count, [batch] (or the first of [3 batch + 2]); their end and then their
 * start, [2 batch].
 */
export function maskTerm(
  site: CallSite,
  mask: Value,
  [batch, , queries, keys]: readonly number[],
  like: Value,
): Value {
  const { builder } = like;
  const masked = builder.literal(floatOf(site, "mask_filter_value", -10000), like.dtype);
  const zero = builder.literal(0, like.dtype);
  const { shape } = mask;
  if (shape.length > 1) {
    const own = shape.length === 4 ? partOf(mask, queries, keys) : mask;
    const rows = own.shape.length === 2 ? 1 : own.shape[own.shape.length - 2];
    return where(equal(reshape(own, [-1, 1, rows, keys]), 0), masked, zero);
  }
  const known = [batch, 2 * batch, 3 * batch + 2].includes(shape[0]);
  check(site, known, () => `a mask of [${shape.join(", ")}] does not fit a batch of ${batch}`);
  const bound = (index: number): Value =>
    reshape(slice(mask, [{ axis: 0, start: index * batch, end: (index + 1) * batch }]), [batch, 1, 1, 1]);
  const places = counting(like, 0, [1, 1, 1, keys]);
  const ended = where(less(places, bound(0)), zero, masked);
  return shape[0] === 2 * batch && batch > 0 ? where(less(places, bound(1)), masked, ended) : ended;
}

/** The rows and columns of a [batch, 1, most, most] mask that stand for these queries and keys. */
const partOf = (mask: Value, queries: number, keys: number): Value =>
  slice(mask, [
    { axis: 2, start: keys - queries, end: keys },
    { axis: 3, start: 0, end: keys },
  ]);
