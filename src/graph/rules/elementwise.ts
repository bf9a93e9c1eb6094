import { floatOf, intOf } from "../attributes.ts";
import { dataTypeOf, isFloat } from "../dataTypes.ts";
import type { DataType } from "../graph.ts";
import {
  add,
  cast,
  cos,
  div,
  equal,
  exp,
  greater,
  log,
  mul,
  neg,
  pow,
  sigmoid,
  sign,
  sin,
  square,
  sub,
  where,
} from "../ops/elementwise.ts";
import { sumTo } from "../ops/reduce.ts";
import type { CallSite, GradientCall, Rule, RuleFamily } from "../rule.ts";
import { broadcastIndex, broadcastShapes, check, generate } from "../shapes.ts";
import type { Value } from "../value.ts";
import { erf } from "./erf.ts";

/** Gradient of an elementwise unary operator from (upstream gradient, x, y). */
type UnaryGradient = (g: Value, x: Value, y: Value) => Value | null;

function unary(f: (x: number) => number, gradient: UnaryGradient): Rule {
  return {
    infer: (_, [x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    gradient: ({ gradients: [g], inputs: [x], outputs: [y] }) => [gradient(g!, x!, y)],
    evaluate: (_, [x]) => [x!.numbers.map((v) => f(v))],
  };
}

/** Gradients of an elementwise binary operator, before they are summed back to the operands' shapes. */
type BinaryGradient = (site: {
  g: Value;
  a: Value;
  b: Value;
  y: Value;
  wanted: readonly boolean[];
}) => readonly [Value | null, Value | null];

interface BinaryOptions {
  /** Type of the result; default: that of the operands. */
  readonly dtype?: DataType;
  /** Whether b may be of another type than a. */
  readonly mixed?: boolean;
}

function binary(
  f: (a: number, b: number) => number,
  gradient?: BinaryGradient,
  { dtype, mixed = false }: BinaryOptions = {},
): Rule {
  return {
    infer: (site, [a, b]) => {
      check(site, mixed || a!.dtype === b!.dtype, () => `operands of types ${a!.dtype} and ${b!.dtype}`);
      return [{ dtype: dtype ?? a!.dtype, shape: broadcastShapes(site, a!.shape, b!.shape) }];
    },
    ...(gradient && {
      gradient: ({ gradients: [g], inputs: [a, b], outputs: [y], wanted }: GradientCall) => {
        const [da, db] = gradient({ g: g!, a: a!, b: b!, y, wanted });
        return [da && sumTo(da, a!.shape), db && sumTo(db, b!.shape)];
      },
    }),
    evaluate: (_, [a, b], [{ shape }]) => {
      const [ia, ib] = [broadcastIndex(a!.shape, shape), broadcastIndex(b!.shape, shape)];
      return [generate(shape, (i) => f(a!.numbers[ia(i)], b!.numbers[ib(i)]))];
    },
  };
}

const comparison = (f: (a: number, b: number) => boolean): Rule =>
  binary((a, b) => Number(f(a, b)), undefined, { dtype: "bool" });

const logistic = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** d/db a ** b = y log a, and 0 where a is 0 (its limit for b > 0). */
function exponentGradient(g: Value, a: Value, y: Value): Value {
  return mul(g, mul(y, log(where(equal(a, 0), 1, a))));
}

/** d/dx [x * sigmoid(alpha x)] = s + alpha * y * (1 - s). */
function quickGeluGradient({
  gradients: [g],
  inputs: [x],
  outputs: [y],
  site,
}: GradientCall): (Value | null)[] {
  const alpha = floatOf(site, "alpha", 1.702);
  const s = sigmoid(alpha === 1 ? x! : mul(x!, alpha));
  const tail = mul(y, sub(1, s));
  return [mul(g!, add(s, alpha === 1 ? tail : mul(tail, alpha)))];
}

function castTarget(site: CallSite): DataType {
  const dtype = dataTypeOf(intOf(site, "to", 1));
  check(site, dtype !== undefined, () => `Cast to an element type ${intOf(site, "to", 1)}`);
  return dtype!;
}

export const elementwise: RuleFamily = {
  Add: binary(
    (a, b) => a + b,
    ({ g, wanted }) => [wanted[0] ? g : null, wanted[1] ? g : null],
  ),
  Sub: binary(
    (a, b) => a - b,
    ({ g, wanted }) => [wanted[0] ? g : null, wanted[1] ? neg(g) : null],
  ),
  Mul: binary(
    (a, b) => a * b,
    ({ g, a, b, wanted }) => [wanted[0] ? mul(g, b) : null, wanted[1] ? mul(g, a) : null],
  ),
  Div: binary(
    (a, b) => a / b,
    ({ g, b, y, wanted }) => [wanted[0] ? div(g, b) : null, wanted[1] ? neg(div(mul(g, y), b)) : null],
  ),
  Pow: binary(
    Math.pow,
    ({ g, a, b, y, wanted }) => {
      const power = cast(b, a.dtype);
      return [
        wanted[0] ? mul(g, mul(power, pow(a, sub(power, 1)))) : null,
        wanted[1] ? exponentGradient(g, a, y) : null,
      ];
    },
    { mixed: true },
  ),
  Greater: comparison((a, b) => a > b),
  Less: comparison((a, b) => a < b),
  Equal: comparison((a, b) => a === b),
  Neg: unary(
    (x) => -x,
    (g) => neg(g),
  ),
  Exp: unary(Math.exp, (g, _, y) => mul(g, y)),
  Log: unary(Math.log, (g, x) => div(g, x)),
  Sqrt: unary(Math.sqrt, (g, _, y) => div(mul(g, 0.5), y)),
  Reciprocal: unary(
    (x) => 1 / x,
    (g, _, y) => neg(mul(g, square(y))),
  ),
  Abs: unary(Math.abs, (g, x) => mul(g, sign(x))),
  Sign: unary(Math.sign, () => null),
  Sin: unary(Math.sin, (g, x) => mul(g, cos(x))),
  Cos: unary(Math.cos, (g, x) => neg(mul(g, sin(x)))),
  Tanh: unary(Math.tanh, (g, _, y) => mul(g, sub(1, square(y)))),
  Sigmoid: unary(logistic, (g, _, y) => mul(g, mul(y, sub(1, y)))),
  Softplus: unary(
    (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    (g, x) => mul(g, sigmoid(x)),
  ),
  Relu: unary(
    (x) => Math.max(x, 0),
    (g, x) => mul(g, cast(greater(x, 0), x.dtype)),
  ),
  Erf: unary(erf, (g, x) => mul(g, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI)))),
  "com.microsoft::QuickGelu": {
    infer: (_, [x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    gradient: quickGeluGradient,
    evaluate: (site, [x]) => {
      const alpha = floatOf(site, "alpha", 1.702);
      return [x!.numbers.map((v) => v * logistic(alpha * v))];
    },
  },
  Identity: unary(
    (x) => x,
    (g) => g,
  ),
  Cast: {
    infer: (site, [x]) => [{ dtype: castTarget(site), shape: x!.shape }],
    gradient: ({ gradients: [g], inputs: [x] }) => [isFloat(x!.dtype) ? cast(g!, x!.dtype) : null],
    evaluate: (_, [x]) => [x!.numbers],
  },
  Where: {
    infer: (site, [condition, a, b]) => {
      check(site, a!.dtype === b!.dtype, () => `branches of types ${a!.dtype} and ${b!.dtype}`);
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
  },
};
