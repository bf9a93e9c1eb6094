import { float, int, intOf } from "../attributes.ts";
import { reshape, swapLast } from "../ops/reshape.ts";
import { numbersOf } from "../constant.ts";
import type { Constant } from "../graph.ts";
import { permutationOf, resolveShape, sameShape } from "../shapes.ts";
import type { Value } from "../value.ts";
import { type Application, type Rewrite, madeBy, unscaled } from "./rewrite.ts";

/** Queries times keys from which on the operator that never holds the whole map is the faster one. */
const LARGE = 1024 * 1024;

/**
 * softmax(scale Q K') V with heads split and merged around it, as one operator on [batch, tokens, heads * size]:
 * `Attention` of opset 23, or from `large` queries times keys on `MultiHeadAttention` of com.microsoft, which works in blocks
 * that stay in the cache. Both do without the transpositions; scales on Q, K and their product become one.
 */
export const attentionBySize = (large: number): Rewrite => ({
  name: "attention",
  about:
    "attention as one operator: Attention (opset 23), or MultiHeadAttention (com.microsoft) for many tokens",
  apply(call) {
    const found = mergedHeads(call);
    if (!found) return null;
    const { query, key, value, scale, heads } = found;
    const { builder, name } = call;
    const inputs = [query, key, value];
    if (query.shape[1] * key.shape[1] >= large) {
      const attributes = { num_heads: int(heads), scale: float(scale) };
      return builder.apply("MultiHeadAttention", inputs, { domain: "com.microsoft", attributes, name });
    }
    const attributes = { q_num_heads: int(heads), kv_num_heads: int(heads), scale: float(scale) };
    return builder.apply("Attention", inputs, { attributes, name });
  },
});

export const attention = attentionBySize(LARGE);

interface Attention {
  /** [batch, tokens, heads * size] each. */
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
  readonly scale: number;
  readonly heads: number;
}

/** Reshape(Transpose(softmax(...) V)) to [batch, tokens, heads * size]. */
function mergedHeads(call: Application): Attention | null {
  if (call.op !== "Reshape" || call.domain !== "") return null;
  const turned = madeBy(call.inputs[0], "Transpose");
  if (!turned || !sameShape(permutationOf(turned, 4), [0, 2, 1, 3])) return null;
  const [batch, tokens, heads, size] = turned.outputs[0].shape;
  const wanted = call.inputs[1]?.constant;
  if (!wanted || !sameShape(targetOf(call, turned.outputs[0], wanted), [batch, tokens, heads * size]))
    return null;

  // context = map V
  const product = madeBy(unfolded(turned.inputs[0]!), "MatMul");
  const softmax = product && madeBy(product.inputs[0], "Softmax");
  if (!product || !softmax || !call.readOnce(softmax.outputs[0])) return null;
  const rank = softmax.outputs[0].shape.length;
  const axis = intOf(softmax, "axis", -1);
  if (axis !== -1 && axis !== rank - 1) return null;

  // logits = scale Q K'
  const logits = unscaled(softmax.inputs[0]!);
  const scores = madeBy(logits.core, "MatMul");
  if (!scores) return null;
  const [q, k] = [unscaled(scores.inputs[0]!), unscaled(scores.inputs[1]!)];
  const query = joined(q.core, batch, heads);
  const key = joined(turnedBack(k.core), batch, heads);
  const value = joined(product.inputs[1]!, batch, heads);
  const scale = logits.scale * q.scale * k.scale;
  if (!query || !key || !value || query.dtype !== "float32" || !(scale > 0)) return null;
  return { query, key, value, heads, scale };
}

function targetOf(call: Application, from: Value, wanted: Constant): readonly number[] {
  return resolveShape(call, from.shape, [...numbersOf(wanted)], intOf(call, "allowzero", 0) === 1);
}

/** Without a Reshape that only joins or splits axes in front of the last two, as batch and heads. */
function unfolded(value: Value): Value {
  const source = madeBy(value, "Reshape")?.inputs[0];
  return source && sameShape(source.shape.slice(-2), value.shape.slice(-2)) ? source : value;
}

/** Keys [..., tokens, size] from keys turned, which some exporters turn while batch and heads are one axis. */
function turnedBack(value: Value): Value {
  const inner = unfolded(value);
  const turned = madeBy(inner, "Transpose");
  return turned && sameShape(permutationOf(turned, inner.shape.length), [0, 2, 1])
    ? turned.inputs[0]!
    : swapLast(value);
}

/** The value [batch, tokens, heads * size] of which this is the heads: [batch, heads, tokens, size], or batch * heads. */
function joined(value: Value, batch: number, heads: number): Value | null {
  const inner = unfolded(value);
  const turned = madeBy(inner, "Transpose");
  const [rows, count, tokens, size] = inner.shape;
  if (!turned || inner.shape.length !== 4 || rows !== batch || count !== heads) return null;
  if (!sameShape(permutationOf(turned, 4), [0, 2, 1, 3])) return null;
  return reshape(turned.inputs[0]!, [batch, tokens, heads * size]);
}
