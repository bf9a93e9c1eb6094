import { intOf, stringOf } from "../attributes.ts";
import type { DataType } from "../graph.ts";
import { where } from "../ops/elementwise.ts";
import { sumTo } from "../ops/reduce.ts";
import type { Rule, RuleFamily } from "../rule.ts";
import { broadcastIndex, broadcastShapes, check, generate } from "../shapes.ts";
import { binary, unary } from "./pointwise.ts";

const comparison = (f: (a: number, b: number) => boolean): Rule =>
  binary((a, b) => Number(f(a, b)), undefined, { dtype: "bool" });

/** An operator on the bits of integers. */
const bitwise = (f: (a: bigint, b: bigint) => bigint): Rule =>
  binary((a, b, _, dtype) => narrow(f(BigInt(a), BigInt(b)), dtype));

/** The number that the low bits of `bits` stand for in an integer type. */
function narrow(bits: bigint, dtype: DataType): number {
  const width = Number(/\d+$/.exec(dtype)?.[0] ?? 64);
  return Number(dtype.startsWith("u") ? BigInt.asUintN(width, bits) : BigInt.asIntN(width, bits));
}

/** condition ? a : b, all broadcast. */
const choice: Rule = {
  infer: (site, [condition, a, b]) => {
    check(site, a!.dtype === b!.dtype, () => `branches of types ${a!.dtype} and ${b!.dtype}`);
    check(site, condition!.dtype === "bool", () => `a condition of type ${condition!.dtype}, wanted bool,`);
    const branches = broadcastShapes(site, a!.shape, b!.shape);
    return [{ dtype: a!.dtype, shape: broadcastShapes(site, condition!.shape, branches) }];
  },
  gradient: ({ gradients: [g], inputs: [condition, a, b], wanted }) => [
    null,
    wanted[1] ? sumTo(where(condition!, g!, 0), a!.shape) : null,
    wanted[2] ? sumTo(where(condition!, 0, g!), b!.shape) : null,
  ],
  evaluate: (_, [condition, a, b], [{ shape }]) => {
    const [ic, ia, ib] = [condition!, a!, b!].map((x) => broadcastIndex(x.shape, shape));
    return [generate(shape, (i) => (condition!.numbers[ic(i)] ? a!.numbers[ia(i)] : b!.numbers[ib(i)]))];
  },
};

/** Comparisons, truth values and bits: no gradient passes, but through Where's branches. */
export const logic: RuleFamily = {
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  Equal: comparison((a, b) => a === b),
  And: comparison((a, b) => a !== 0 && b !== 0),
  Or: comparison((a, b) => a !== 0 || b !== 0),
  Xor: comparison((a, b) => (a !== 0) !== (b !== 0)),
  Not: unary((x) => Number(x === 0)),
  IsNaN: unary((x) => Number(Number.isNaN(x)), undefined, { dtype: "bool" }),
  IsInf: unary(
    (x, site) =>
      Number(
        (x === Infinity && intOf(site, "detect_positive", 1) === 1) ||
          (x === -Infinity && intOf(site, "detect_negative", 1) === 1),
      ),
    undefined,
    { dtype: "bool" },
  ),
  BitwiseAnd: bitwise((a, b) => a & b),
  BitwiseOr: bitwise((a, b) => a | b),
  BitwiseXor: bitwise((a, b) => a ^ b),
  BitwiseNot: {
    infer: (_, [x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    evaluate: (_, [x]) => [x!.numbers.map((v) => narrow(~BigInt(v), x!.dtype))],
  },
  BitShift: binary((a, b, site, dtype) => {
    const [bits, by] = [BigInt(a), BigInt(b)];
    return narrow(stringOf(site, "direction", "") === "LEFT" ? bits << by : bits >> by, dtype);
  }),
  Where: choice,
};
