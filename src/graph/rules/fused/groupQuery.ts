import { floatOf, intOf } from "../../attributes.ts";
import { add, div, less, mul, tanh, where } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linear.ts";
import { softmax } from "../../ops/normalise.ts";
import { expand, reshape, split, swapLast } from "../../ops/reshape.ts";
import type { CallSite, RuleFamily } from "../../rule.ts";
import type { Value } from "../../value.ts";
import { mergeHeads, refuse, splitHeads } from "./attention.ts";
import { causal, counting, forbidden } from "./mask.ts";
import { anglesAt, rotate } from "./rotary.ts";

/** What a graph without a cache of keys can use of GroupQueryAttention; the rest is refused by name. */
function checkForm(site: CallSite, inputs: readonly (Value | null)[]): void {
  const [, , , pastKey, pastValue, , , , , places, , sink, keyScale, valueScale, keyNorm, queryNorm] = inputs;
  const earlier = [pastKey, pastValue].some((past) => past && past.shape[2] !== 0);
  refuse(site, !earlier, "earlier keys");
  refuse(site, !places, "positions of its own");
  refuse(site, !sink && intOf(site, "smooth_softmax", 0) !== 1, "a smoothed softmax");
  refuse(site, !keyScale && !valueScale, "quantised keys");
  refuse(site, !keyNorm && !queryNorm, "normalised queries");
}

/** Query, key and value by heads, out of one tensor where there is no key. */
function partsOf(site: CallSite, [query, key, value]: readonly (Value | null)[]): readonly Value[] {
  const [heads, groups] = [intOf(site, "num_heads", 1), intOf(site, "kv_num_heads", 1)];
  const size = query!.shape[2] / (key ? heads : heads + 2 * groups);
  const parts = key ? [query!, key, value!] : split(query!, 2, [heads * size, groups * size, groups * size]);
  return parts.map((part, i) => splitHeads(part, i === 0 ? heads : groups));
}

/** Each head of keys repeated for the heads of queries that share it. */
function shared(x: Value, times: number): Value {
  const [batch, groups, tokens, size] = x.shape;
  if (times === 1) return x;
  const apart = reshape(x, [batch, groups, 1, tokens, size]);
  return reshape(expand(apart, [batch, groups, times, tokens, size]), [batch, groups * times, tokens, size]);
}

/** Keys behind the last one of their sequence forbidden. */
function filled(logits: Value, last: Value): Value {
  const padding = less(reshape(last, [-1, 1, 1, 1]), counting(logits, 0, [1, 1, 1, logits.shape[3]]));
  return where(padding, forbidden(logits), logits);
}

/** Keys more than `width` - 1 places in front of their query forbidden. */
function windowed(logits: Value, width: number): Value {
  const [queries, keys] = logits.shape.slice(-2);
  const far = less(counting(logits, 0, [1, keys]), counting(logits, 1 - width, [queries, 1]));
  return where(far, forbidden(logits), logits);
}

function groupQuery(site: CallSite, inputs: readonly (Value | null)[]): readonly Value[] {
  checkForm(site, inputs);
  const [, , , , , last, , cos, sin, , bias] = inputs;
  const heads = partsOf(site, inputs);
  const turn = (x: Value): Value =>
    intOf(site, "do_rotary", 0) === 1
      ? rotate(x, anglesAt([cos!, sin!], x.shape[2], null), intOf(site, "rotary_interleaved", 0) === 1)
      : x;
  const [q, k, v] = [turn(heads[0]), turn(heads[1]), heads[2]];
  const times = q.shape[1] / k.shape[1];

  let logits = mul(
    matmul(q, swapLast(shared(k, times))),
    floatOf(site, "scale", 0) || 1 / Math.sqrt(q.shape[3]),
  );
  const cap = floatOf(site, "softcap", 0);
  if (cap > 0) logits = mul(tanh(div(logits, cap)), cap);
  if (bias) logits = add(logits, bias);
  logits = filled(logits, last!);
  if (intOf(site, "causal", 1) === 1) logits = causal(logits, 0);
  const width = intOf(site, "local_window_size", -1);
  if (width > 0) logits = windowed(logits, width);
  return [mergeHeads(matmul(softmax(logits), shared(v, times))), k, v, logits].slice(0, site.outputCount);
}

export const fusedGroupQuery: RuleFamily = {
  "com.microsoft::GroupQueryAttention": { expand: groupQuery },
};
