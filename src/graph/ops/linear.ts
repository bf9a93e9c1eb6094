import { sizeOf } from "../../base/tensor.ts";
import { floatOf, intOf } from "../attributes.ts";
import { dataOf, numbersOf } from "../constant.ts";
import type { Constant } from "../graph.ts";
import type { CallSite, GradientCall, RuleFamily } from "../rule.ts";
import { broadcastShapes, check } from "../shapes.ts";
import type { Value } from "../value.ts";
import { broadcastIndex, mul } from "./elementwise.ts";
import { sumTo } from "./reduce.ts";
import { reshape, swapLast } from "./reshape.ts";

/** Matrix product over the last two axes, leading axes broadcast. */
export function matmul(a: Value, b: Value): Value {
  return a.builder.apply("MatMul", [a, b])[0];
}

function matmulShape(site: { name: string }, a: readonly number[], b: readonly number[]): number[] {
  check(site, a.length >= 1 && b.length >= 1, () => "MatMul wants tensors of rank 1 or more");
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
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

function matmulGradient({ inputs, gradients, wanted, call }: GradientCall): (Value | null)[] {
  // Rank-1 operands become matrices, and their gradients are shaped back.
  const [a, b] = [inputs[0]!, inputs[1]!];
  const left = a.shape.length === 1 ? reshape(a, [1, a.shape[0]]) : a;
  const right = b.shape.length === 1 ? reshape(b, [b.shape[0], 1]) : b;
  const g = reshape(gradients[0]!, matmulShape(call, left.shape, right.shape));
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

function evaluateMatmul(site: CallSite, a: Constant, b: Constant): Constant {
  const shape = matmulShape(site, a.shape, b.shape);
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
  const [m, k, n] = [left[left.length - 2], left[left.length - 1], right[right.length - 1]];
  const batch = broadcastShapes(site, left.slice(0, -2), right.slice(0, -2));
  const [ia, ib] = [broadcastIndex(left.slice(0, -2), batch), broadcastIndex(right.slice(0, -2), batch)];
  const [x, y] = [numbersOf(a), numbersOf(b)];
  const out = new Float64Array(sizeOf(shape));
  for (let p = 0; p < sizeOf(batch); p++) {
    const [ox, oy] = [ia(p) * m * k, ib(p) * k * n];
    for (let i = 0; i < m; i++) {
      for (let l = 0; l < k; l++) {
        const value = x[ox + i * k + l];
        for (let j = 0; j < n; j++) out[(p * m + i) * n + j] += value * y[oy + l * n + j];
      }
    }
  }
  return { dtype: a.dtype, shape, data: dataOf(a.dtype, out) };
}

export const linear: RuleFamily = {
  MatMul: {
    infer: (site, [a, b]) => [{ dtype: a!.dtype, shape: matmulShape(site, a!.shape, b!.shape) }],
    gradient: matmulGradient,
    evaluate: (site, [a, b]) => [evaluateMatmul(site, a!, b!)],
  },
  // y = alpha * op(a) op(b) + beta * c
  Gemm: {
    infer: (site, [a, b]) => {
      const rows = a!.shape[intOf(site, "transA", 0) ? 1 : 0];
      const columns = b!.shape[intOf(site, "transB", 0) ? 0 : 1];
      const inner = [a!.shape[intOf(site, "transA", 0) ? 0 : 1], b!.shape[intOf(site, "transB", 0) ? 1 : 0]];
      check(site, inner[0] === inner[1], () => `inner dimensions ${inner[0]} and ${inner[1]} of Gemm differ`);
      return [{ dtype: a!.dtype, shape: [rows, columns] }];
    },
    gradient: ({ inputs: [a, b, c], gradients: [g], wanted, call }) => {
      const [ta, tb] = [intOf(call, "transA", 0) === 1, intOf(call, "transB", 0) === 1];
      const scaled = times(g!, floatOf(call, "alpha", 1));
      const left = ta ? swapLast(a!) : a!;
      const right = tb ? swapLast(b!) : b!;
      const da = wanted[0] ? matmul(scaled, swapLast(right)) : null;
      const db = wanted[1] ? matmul(swapLast(left), scaled) : null;
      return [
        da && ta ? swapLast(da) : da,
        db && tb ? swapLast(db) : db,
        c && wanted[2] ? sumTo(times(g!, floatOf(call, "beta", 1)), c.shape) : null,
      ];
    },
  },
};

function times(x: Value, factor: number): Value {
  return factor === 1 ? x : mul(x, factor);
}
