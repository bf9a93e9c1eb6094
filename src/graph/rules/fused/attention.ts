import { floatOf, intOf, intsOf } from "../../attributes.ts";
import { add, mul } from "../../ops/elementwise.ts";
import { slice } from "../../ops/indexing.ts";
import { matmul } from "../../ops/linear.ts";
import { softmax } from "../../ops/normalise.ts";
import { concat, reshape, split, swapLast, transpose } from "../../ops/reshape.ts";
import type { CallSite, RuleFamily } from "../../rule.ts";
import { check } from "../../shapes.ts";
import type { Value } from "../../value.ts";
import { causal, maskTerm } from "./mask.ts";

/** Queries, keys and values by heads: [batch, heads, tokens, size]. */
interface Heads {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

/** softmax(scale q k' + bias + mask) v: the result as [batch, queries, heads * size], and the logits. */
function attend(
  site: CallSite,
  { q, k, v }: Heads,
  bias: Value | null | undefined,
  mask: Value | null | undefined,
  past: Value | null | undefined,
): { output: Value; logits: Value } {
  let logits = mul(matmul(q, swapLast(k)), floatOf(site, "scale", 0) || 1 / Math.sqrt(q.shape[3]));
  if (bias) logits = add(logits, bias);
  if (mask) logits = add(logits, maskTerm(site, mask, logits.shape, logits));
  if (intOf(site, "unidirectional", 0) === 1) logits = causal(logits, past?.shape[2] ?? 0);
  return { output: mergeHeads(matmul(softmax(logits), v)), logits };
}

/** [batch, heads, tokens, size] to [batch, tokens, heads * size]. */
export function mergeHeads(x: Value): Value {
  const [batch, heads, tokens, size] = x.shape;
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, tokens, heads * size]);
}

/** [batch, tokens, heads * size] or [batch, tokens, heads, size], and a bias of heads * size, to [batch, heads, tokens, size]. */
export function splitHeads(x: Value, heads: number, bias?: Value | null): Value {
  const [batch, tokens] = x.shape;
  const apart = reshape(x, [batch, tokens, heads, -1]);
  const shifted = bias ? add(apart, reshape(bias, [heads, -1])) : apart;
  return transpose(shifted, [0, 2, 1, 3]);
}

/** Keys or values with those of earlier tokens in front. */
const after = (past: Value | null | undefined, x: Value): Value => (past ? concat([past, x], 2) : x);

export function refuse(site: CallSite, unless: boolean, what: string): void {
  check(site, unless, () => `${site.op} with ${what} cannot be written in standard operators`);
}

// --- MultiHeadAttention

/** Query, key and value of a MultiHeadAttention, projected by their biases, by heads. */
function headsOf(site: CallSite, [query, key, value, bias]: readonly (Value | null)[]): Heads {
  const heads = intOf(site, "num_heads", 1);
  const parts = packed(query!, key ?? null, value ?? null);
  // Keys and values that come by heads are those of earlier calls: their biases are in them already.
  const cached = key?.shape.length === 4;
  const widths = [parts.q, ...(cached ? [] : [parts.k, parts.v])].map((x) =>
    x.shape.slice(2).reduce((a, b) => a * b, 1),
  );
  const biases = bias ? biasParts(bias, widths) : [];
  return {
    q: splitHeads(parts.q, heads, biases[0]),
    k: cached ? parts.k : splitHeads(parts.k, heads, biases[1]),
    v: cached ? parts.v : splitHeads(parts.v, heads, biases[2]),
  };
}

/** The bias of each part; what is left over is for keys and values that have theirs. */
function biasParts(bias: Value, widths: readonly number[]): readonly Value[] {
  const rest = bias.shape[0] - widths.reduce((a, b) => a + b, 0);
  return split(bias, 0, rest > 0 ? [...widths, rest] : widths);
}

/** Query, key and value, out of [batch, tokens, heads, 3 or 2, size] where they are packed so. */
function packed(query: Value, key: Value | null, value: Value | null): Heads {
  const pick = (x: Value, index: number): Value => {
    const [batch, tokens, heads, , size] = x.shape;
    return reshape(slice(x, [{ axis: 3, start: index, end: index + 1 }]), [batch, tokens, heads, size]);
  };
  if (!key) return { q: pick(query, 0), k: pick(query, 1), v: pick(query, 2) };
  if (!value) return { q: query, k: pick(key, 0), v: pick(key, 1) };
  return { q: query, k: key, v: value };
}

function multiHead(site: CallSite, inputs: readonly (Value | null)[]): readonly Value[] {
  const [, , , , mask, bias, pastKey, pastValue, pastLength, beams] = inputs;
  refuse(site, !pastLength && !beams, "a shared buffer of earlier keys");
  const { q, k, v } = headsOf(site, inputs);
  const [keys, values] = [after(pastKey, k), after(pastValue, v)];
  const { output, logits } = attend(site, { q, k: keys, v: values }, bias, mask, pastKey);
  return [output, keys, values, logits].slice(0, site.outputCount);
}

// --- Attention: the projections inside

/** Sizes of queries, keys and values in the packed weights. */
function packedSizes(site: CallSite, weights: Value): readonly number[] {
  const third = weights.shape[1] / 3;
  return intsOf(site, "qkv_hidden_sizes", [third, third, third]);
}

function projected(
  site: CallSite,
  [x, weights, bias, mask, past, added, pastLength]: readonly (Value | null)[],
): readonly Value[] {
  const plain = intOf(site, "do_rotary", 0) === 0;
  refuse(site, plain, "rotary embeddings");
  refuse(site, !pastLength && intOf(site, "past_present_share_buffer", 0) === 0, "a shared buffer");
  const heads = intOf(site, "num_heads", 1);
  const product = matmul(x!, weights!);
  const [q, k, v] = split(bias ? add(product, bias) : product, 2, packedSizes(site, weights!)).map((part) =>
    splitHeads(part, heads),
  );
  const [pastKey, pastValue] = past
    ? split(past, 0, [1, 1]).map((part) => reshape(part, past.shape.slice(1)))
    : [];
  const [keys, values] = [after(pastKey, k), after(pastValue, v)];
  const { output } = attend(site, { q, k: keys, v: values }, added, mask, pastKey);
  const present = (): Value =>
    concat(
      [keys, values].map((part) => reshape(part, [1, ...part.shape])),
      0,
    );
  return site.outputCount > 1 ? [output, present()] : [output];
}

export const fusedAttention: RuleFamily = {
  "com.microsoft::MultiHeadAttention": { expand: multiHead },
  "com.microsoft::Attention": { expand: projected },
};
