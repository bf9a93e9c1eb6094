import { floatOf, intOf } from "../attributes.ts";
import { mul } from "../ops/elementwise.ts";
import { matmul } from "../ops/linear.ts";
import { sumTo } from "../ops/reduce.ts";
import { reshape, swapLast } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, RuleFamily } from "../rule.ts";
import { broadcastIndex, broadcastShapes, check } from "../shapes.ts";
import type { Value } from "../value.ts";

/** A vector on the left is a row, on the right a column. */
const asLeft = (shape: readonly number[]): readonly number[] => (shape.length === 1 ? [1, ...shape] : shape);
const asRight = (shape: readonly number[]): readonly number[] => (shape.length === 1 ? [...shape, 1] : shape);

function matmulShape(site: { name: string }, a: readonly number[], b: readonly number[]): number[] {
  check(site, a.length >= 1 && b.length >= 1, () => "MatMul wants tensors of rank 1 or more");
  const [left, right] = [asLeft(a), asRight(b)];
  check(
    site,
    left[left.length - 1] === right[right.length - 2],
    () => `the inner dimensions of [${a.join(", ")}] and [${b.join(", ")}] differ`,
  );
  const out = broadcastShapes(site, left.slice(0, -2), right.slice(0, -2));
  if (a.length > 1) out.push(left[left.length - 2]);
  if (b.length > 1) out.push(right[right.length - 1]);
  return out;
}

function matmulGradient({ inputs, gradients, wanted, site }: GradientCall): (Value | null)[] {
  // Rank-1 operands become matrices, and their gradients are shaped back.
  const [a, b] = [inputs[0]!, inputs[1]!];
  const [left, right] = [reshape(a, asLeft(a.shape)), reshape(b, asRight(b.shape))];
  const g = reshape(gradients[0]!, matmulShape(site, left.shape, right.shape));
  const da = wanted[0] ? sumTo(matmul(g, swapLast(right)), left.shape) : null;
  const db = wanted[1] ? rightGradient(left, g, right) : null;
  return [da && reshape(da, a.shape), db && reshape(db, b.shape)];
}

/** a' g, with the batch axes folded into the contracted one where the right operand has none. */
function rightGradient(left: Value, g: Value, right: Value): Value {
  if (right.shape.length > 2) return sumTo(matmul(swapLast(left), g), right.shape);
  const [k, n] = right.shape;
  return matmul(swapLast(reshape(left, [-1, k])), reshape(g, [-1, n]));
}

function evaluateMatmul(site: CallSite, a: HostInput, b: HostInput): Float64Array {
  const [left, right] = [asLeft(a.shape), asRight(b.shape)];
  const [m, k, n] = [left[left.length - 2], left[left.length - 1], right[right.length - 1]];
  const batch = broadcastShapes(site, left.slice(0, -2), right.slice(0, -2));
  const [ia, ib] = [broadcastIndex(left.slice(0, -2), batch), broadcastIndex(right.slice(0, -2), batch)];
  const count = batch.reduce((x, y) => x * y, 1);
  const out = new Float64Array(count * m * n);
  for (let p = 0; p < count; p++) {
    const [fromA, fromB] = [ia(p) * m * k, ib(p) * k * n];
    for (let i = 0; i < m; i++) {
      for (let l = 0; l < k; l++) {
        const value = a.numbers[fromA + i * k + l];
        for (let j = 0; j < n; j++) out[(p * m + i) * n + j] += value * b.numbers[fromB + l * n + j];
      }
    }
  }
  return out;
}

const turns = (site: CallSite): [boolean, boolean] => [
  intOf(site, "transA", 0) === 1,
  intOf(site, "transB", 0) === 1,
];

/** [rows, inner, columns] of a Gemm. */
function gemmSizes(site: CallSite, a: readonly number[], b: readonly number[]): [number, number, number] {
  const [ta, tb] = turns(site);
  const [rows, inner] = ta ? [a[1], a[0]] : [a[0], a[1]];
  const [other, columns] = tb ? [b[1], b[0]] : [b[0], b[1]];
  check(
    site,
    a.length === 2 && b.length === 2 && inner === other,
    () => `the inner dimensions of [${a.join(", ")}] and [${b.join(", ")}] differ`,
  );
  return [rows, inner, columns];
}

function gemmGradient({ inputs: [a, b, c], gradients: [g], wanted, site }: GradientCall): (Value | null)[] {
  const [ta, tb] = turns(site);
  const turned = (x: Value, turn: boolean): Value => (turn ? swapLast(x) : x);
  const scaled = times(g!, floatOf(site, "alpha", 1));
  const da = wanted[0] ? matmul(scaled, swapLast(turned(b!, tb))) : null;
  const db = wanted[1] ? matmul(swapLast(turned(a!, ta)), scaled) : null;
  return [
    da && turned(da, ta),
    db && turned(db, tb),
    c && wanted[2] ? sumTo(times(g!, floatOf(site, "beta", 1)), c.shape) : null,
  ];
}

function times(x: Value, factor: number): Value {
  return factor === 1 ? x : mul(x, factor);
}

function evaluateGemm(
  site: CallSite,
  a: HostInput,
  b: HostInput,
  c: HostInput | null | undefined,
): Float64Array {
  const [ta, tb] = turns(site);
  const [rows, inner, columns] = gemmSizes(site, a.shape, b.shape);
  const [alpha, beta] = [floatOf(site, "alpha", 1), floatOf(site, "beta", 1)];
  const ic = c && broadcastIndex(c.shape, [rows, columns]);
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let l = 0; l < inner; l++) {
      sum += a.numbers[ta ? l * rows + i : i * inner + l] * b.numbers[tb ? j * inner + l : l * columns + j];
    }
    return alpha * sum + (ic ? beta * c.numbers[ic(at)] : 0);
  });
}

export const linear: RuleFamily = {
  MatMul: {
    infer: (site, [a, b]) => [{ dtype: a!.dtype, shape: matmulShape(site, a!.shape, b!.shape) }],
    gradient: matmulGradient,
    evaluate: (site, [a, b]) => [evaluateMatmul(site, a!, b!)],
  },
  // y = alpha * a b + beta * c, a and b turned where asked
  Gemm: {
    infer: (site, [a, b, c]) => {
      const [rows, , columns] = gemmSizes(site, a!.shape, b!.shape);
      if (c) broadcastShapes(site, [rows, columns], c.shape);
      return [{ dtype: a!.dtype, shape: [rows, columns] }];
    },
    gradient: gemmGradient,
    evaluate: (site, [a, b, c]) => [evaluateGemm(site, a!, b!, c)],
  },
};
