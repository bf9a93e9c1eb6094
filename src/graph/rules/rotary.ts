import { intOf } from "../attributes.ts";
import { add, mul, sub } from "../ops/elementwise.ts";
import { gather, slice } from "../ops/indexing.ts";
import { concat, reshape, transpose } from "../ops/reshape.ts";
import type { CallSite, RuleFamily } from "../rule.ts";
import { check } from "../shapes.ts";
import type { Value } from "../value.ts";

/** [batch, tokens, heads, size] from either of the forms that the operator takes. */
function byTokens(site: CallSite, x: Value): Value {
  if (x.shape.length === 4) return transpose(x, [0, 2, 1, 3]);
  const heads = intOf(site, "num_heads", 0);
  const fits = x.shape.length === 3 && heads > 0 && x.shape[2] % heads === 0;
  check(site, fits, () => `[${x.shape.join(", ")}] cannot be cut into ${heads} heads (num_heads)`);
  return reshape(x, [x.shape[0], x.shape[1], heads, -1]);
}

/**
 * Pairs (a, b) of each head turned by an angle that depends on the token: (a cos - b sin, a sin + b cos).
 *
 * Pairs are neighbours (interleaved) or an element of the first half with one of the second. Source: Su et al. 2021
 * (arXiv:2104.09864).
 */
function rotate(site: CallSite, [x, cosines, sines, positions]: readonly (Value | null)[]): readonly Value[] {
  const tokens = byTokens(site, x!);
  const size = tokens.shape[3];
  const turned = intOf(site, "rotary_embedding_dim", 0) || size;
  const part = (of: Value, start: number, end: number, step = 1): Value =>
    slice(of, [{ axis: 3, start, end, step }]);
  const angles = (table: Value): Value => {
    const rows = positions ? gather(table, positions) : table;
    return reshape(rows, [rows.shape[0], rows.shape[1], 1, -1]);
  };
  const [cos, sin] = [angles(cosines!), angles(sines!)];
  check(site, cos.shape[3] * 2 === turned, () => `${cos.shape[3]} angles for ${turned} elements`);

  const interleaved = intOf(site, "interleaved", 0) === 1;
  const half = turned / 2;
  const a = interleaved ? part(tokens, 0, turned, 2) : part(tokens, 0, half);
  const b = interleaved ? part(tokens, 1, turned, 2) : part(tokens, half, turned);
  const pair = [sub(mul(cos, a), mul(sin, b)), add(mul(sin, a), mul(cos, b))];
  const [batch, length, heads] = tokens.shape;
  const joined = interleaved
    ? reshape(
        concat(
          pair.map((p) => reshape(p, [...p.shape, 1])),
          4,
        ),
        [batch, length, heads, turned],
      )
    : concat(pair, 3);
  const whole = turned < size ? concat([joined, part(tokens, turned, size)], 3) : joined;
  return [x!.shape.length === 4 ? transpose(whole, [0, 2, 1, 3]) : reshape(whole, x!.shape)];
}

export const rotary: RuleFamily = {
  RotaryEmbedding: { expand: rotate },
};
