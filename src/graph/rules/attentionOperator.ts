import { sizeOf } from "../../base/tensor.ts";
import { floatOf, intOf } from "../attributes.ts";
import { add, and, greaterOrEqual, less, mul, sub, tanh, where } from "../ops/elementwise.ts";
import { pad } from "../ops/indexing.ts";
import { matmul } from "../ops/linear.ts";
import { softmax } from "../ops/normalise.ts";
import { concat, expand, reshape, swapLast } from "../ops/reshape.ts";
import type { CallSite, RuleFamily } from "../rule.ts";
import { check } from "../shapes.ts";
import type { Value } from "../value.ts";
import { mergeHeads, splitHeads } from "./fused/attention.ts";

type Inputs = readonly (Value | null | undefined)[];

/** An input by heads: [batch, heads, tokens, size] as it is, or [batch, tokens, heads * size]. */
function byHeads(site: CallSite, x: Value, attribute: string): Value {
  if (x.shape.length === 4) return x;
  const heads = intOf(site, attribute, 0);
  const fits = x.shape.length === 3 && heads > 0 && x.shape[2] % heads === 0;
  check(site, fits, () => `[${x.shape.join(", ")}] cannot be cut into ${heads} heads (${attribute})`);
  return splitHeads(x, heads);
}

/** Each head of keys or values for the queries' heads that share it. */
function shared(site: CallSite, x: Value, heads: number): Value {
  const [batch, own, tokens, size] = x.shape;
  check(site, heads % own === 0, () => `${heads} heads of queries cannot share ${own} of keys`);
  if (own === heads) return x;
  const repeated = expand(reshape(x, [batch, own, 1, tokens, size]), [batch, own, heads / own, tokens, size]);
  return reshape(repeated, [batch, heads, tokens, size]);
}

const counting = (x: Value, shape: readonly number[]): Value =>
  x.builder.literal(
    Array.from({ length: sizeOf(shape) }, (_, i) => i),
    "int64",
    shape,
  );

/** Whether query i may see key j: j - i <= the number of keys before the first query. */
function causality(logits: Value, past: number, valid: Value | null): Value {
  const [queries, keys] = logits.shape.slice(-2);
  const ahead = sub(counting(logits, [1, keys]), counting(logits, [queries, 1]));
  return less(ahead, valid ? sub(valid, queries - 1) : logits.builder.literal(past + 1, "int64"));
}

/** What is added to the logits, and where they count at all; null where nothing is masked. */
function masksOf(site: CallSite, logits: Value, inputs: Inputs): { bias: Value | null; seen: Value | null } {
  const [mask, pastKey, nonpad] = [inputs[3], inputs[4], inputs[6]];
  const keys = logits.shape[3];
  const conditions: Value[] = [];
  const valid = nonpad ? reshape(nonpad, [-1, 1, 1, 1]) : null;
  if (valid) conditions.push(less(counting(logits, [1, keys]), valid));
  if (intOf(site, "is_causal", 0) === 1) conditions.push(causality(logits, pastKey?.shape[2] ?? 0, valid));

  let whole = mask ?? null;
  const length = mask ? mask.shape[mask.shape.length - 1] : keys;
  if (mask && length !== 1 && length < keys) {
    // A shorter mask forbids the keys that it does not reach.
    conditions.push(less(counting(logits, [1, keys]), logits.builder.literal(length, "int64")));
    const widths = mask.shape.map((_, i) => (i === mask.shape.length - 1 ? keys - length : 0));
    whole = lengthened(mask, widths);
  }
  if (whole?.dtype === "bool") conditions.push(whole);
  return {
    bias: whole && whole.dtype !== "bool" ? whole : null,
    seen: conditions.length > 0 ? conditions.reduce(and) : null,
  };
}

/** A mask with zeros (false) behind it. */
function lengthened(mask: Value, widths: readonly number[]): Value {
  const pads = [...widths.map(() => 0), ...widths];
  if (mask.dtype !== "bool") return pad(mask, pads);
  const numbers = where(mask, mask.builder.literal(1), 0);
  return greaterOrEqual(pad(numbers, pads), 1);
}

const lowest = (x: Value): number => (x.dtype === "float16" ? -65504 : -3.4028234663852886e38);

/**
 * ONNX's Attention: softmax(softcap(scale q k') + mask) v, by heads.
 *
 * A query that may see no key gives zeros. Outputs: the result, keys and values with the past ones in front, and the
 * logits: plain (mode 0), capped (1), with the mask (2), or the weights (3).
 */
function attention(site: CallSite, inputs: Inputs): readonly Value[] {
  const [query, key, value, , pastKey, pastValue] = inputs;
  const q = byHeads(site, query!, "q_num_heads");
  const own = [byHeads(site, key!, "kv_num_heads"), byHeads(site, value!, "kv_num_heads")];
  const presentKey = pastKey ? concat([pastKey, own[0]], 2) : own[0];
  const presentValue = pastValue ? concat([pastValue, own[1]], 2) : own[1];
  const heads = q.shape[1];

  const scale = floatOf(site, "scale", 0) || 1 / Math.sqrt(q.shape[3]);
  const logits = mul(matmul(q, swapLast(shared(site, presentKey, heads))), scale);
  const cap = floatOf(site, "softcap", 0);
  const capped = cap > 0 ? mul(tanh(mul(logits, 1 / cap)), cap) : logits;
  const { bias, seen } = masksOf(site, logits, inputs);
  const biased = bias ? add(capped, bias) : capped;
  const masked = seen ? where(seen, biased, lowest(biased)) : biased;
  const weights = seen ? where(seen, softmax(masked), 0) : softmax(masked);

  const result = matmul(weights, shared(site, presentValue, heads));
  const output = query!.shape.length === 3 ? mergeHeads(result) : result;
  const modes = [logits, capped, masked, weights];
  return [output, presentKey, presentValue, modes[intOf(site, "qk_matmul_output_mode", 0)]].slice(
    0,
    site.outputCount,
  );
}

export const attentionOperator: RuleFamily = {
  Attention: { expand: attention },
};
