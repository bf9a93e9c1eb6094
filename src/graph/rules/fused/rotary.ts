import { intOf } from "../../attributes.ts";
import { add, mul, sub } from "../../ops/elementwise.ts";
import { gather, slice } from "../../ops/indexing.ts";
import { concat, reshape } from "../../ops/reshape.ts";
import type { CallSite, RuleFamily } from "../../rule.ts";
import type { Value } from "../../value.ts";
import { mergeHeads, splitHeads } from "./attention.ts";

interface Angles {
  /** [batch or 1, 1, tokens, pairs] */
  readonly cos: Value;
  readonly sin: Value;
}

/** Rows of the tables for each token: `places` [batch, tokens], or counted from 0 or from the one place given. */
export function anglesAt(
  [cos, sin]: readonly [Value, Value],
  tokens: number,
  places: Value | null | undefined,
): Angles {
  const { builder } = cos;
  const count = builder.literal(
    Array.from({ length: tokens }, (_, i) => i),
    "int64",
  );
  const rows = !places ? count : places.shape.length === 1 ? add(places, count) : places;
  const at = (table: Value): Value => {
    const picked = gather(table, rows);
    return reshape(picked, [rows.shape.length === 2 ? rows.shape[0] : 1, 1, tokens, -1]);
  };
  return { cos: at(cos), sin: at(sin) };
}

/**
 * Pairs of channels turned by their angles, (a, b) to (a cos - b sin, a sin + b cos); channels beyond the pairs are kept.
 * x [batch, heads, tokens, size]. Pairs are neighbours where `interleaved`, else of the first and the second half.
 */
export function rotate(x: Value, { cos, sin }: Angles, interleaved: boolean): Value {
  const [batch, heads, tokens, size] = x.shape;
  const pairs = cos.shape[3];
  const turned = slice(x, [{ axis: 3, start: 0, end: 2 * pairs }]);
  const rest = size > 2 * pairs ? [slice(x, [{ axis: 3, start: 2 * pairs, end: size }])] : [];
  const part = (index: number): Value =>
    interleaved
      ? slice(turned, [{ axis: 3, start: index, end: 2 * pairs, step: 2 }])
      : slice(turned, [{ axis: 3, start: index * pairs, end: (index + 1) * pairs }]);
  const [a, b] = [part(0), part(1)];
  const both = [sub(mul(a, cos), mul(b, sin)), add(mul(a, sin), mul(b, cos))];
  if (!interleaved) return concat([...both, ...rest], 3);
  const columns = both.map((y) => reshape(y, [batch, heads, tokens, pairs, 1]));
  return concat([reshape(concat(columns, 4), turned.shape), ...rest], 3);
}

function embedded(site: CallSite, [x, places, cos, sin]: readonly (Value | null)[]): Value {
  const byHeads = x!.shape.length === 4;
  const size = 2 * cos!.shape[1];
  const heads = intOf(site, "num_heads", 0) || x!.shape[2] / size;
  const input = byHeads ? x! : splitHeads(x!, heads);
  const angles = anglesAt([cos!, sin!], input.shape[2], places);
  const y = rotate(input, angles, intOf(site, "interleaved", 0) === 1);
  return byHeads ? y : mergeHeads(y);
}

export const fusedRotary: RuleFamily = {
  "com.microsoft::RotaryEmbedding": { expand: (site, inputs) => [embedded(site, inputs)] },
};
