import { sizeOf } from "../../base/tensor.ts";
import { float, floatOf, int, intOf } from "../attributes.ts";
import { dataOf, numbersOf } from "../constant.ts";
import type { Constant, DataType } from "../graph.ts";
import type { GradientCall, Rule, RuleFamily } from "../rule.ts";
import { broadcastShapes, stridesOf } from "../shapes.ts";
import type { Operand, Value } from "../value.ts";
import { operands } from "./operand.ts";
import { sumTo } from "./reduce.ts";

// --- Traced functions.

/** a + b, broadcast. */
export const add = (a: Operand, b: Operand): Value => binary("Add", a, b);
/** a - b, broadcast. */
export const sub = (a: Operand, b: Operand): Value => binary("Sub", a, b);
/** a * b, broadcast. */
export const mul = (a: Operand, b: Operand): Value => binary("Mul", a, b);
/** a / b, broadcast. */
export const div = (a: Operand, b: Operand): Value => binary("Div", a, b);
/** a ** b, broadcast; the gradient with respect to b needs a > 0. */
export const pow = (a: Operand, b: Operand): Value => binary("Pow", a, b);
export const greater = (a: Operand, b: Operand): Value => binary("Greater", a, b);
export const less = (a: Operand, b: Operand): Value => binary("Less", a, b);
export const equal = (a: Operand, b: Operand): Value => binary("Equal", a, b);

export const neg = (x: Value): Value => unary("Neg", x);
export const exp = (x: Value): Value => unary("Exp", x);
export const log = (x: Value): Value => unary("Log", x);
export const sqrt = (x: Value): Value => unary("Sqrt", x);
export const reciprocal = (x: Value): Value => unary("Reciprocal", x);
export const abs = (x: Value): Value => unary("Abs", x);
export const sin = (x: Value): Value => unary("Sin", x);
export const cos = (x: Value): Value => unary("Cos", x);
export const tanh = (x: Value): Value => unary("Tanh", x);
export const sigmoid = (x: Value): Value => unary("Sigmoid", x);
export const erf = (x: Value): Value => unary("Erf", x);
export const relu = (x: Value): Value => unary("Relu", x);
export const softplus = (x: Value): Value => unary("Softplus", x);
export const square = (x: Value): Value => mul(x, x);

/** x * sigmoid(x), as one kernel where the runtime has one for the type. */
export function silu(x: Value): Value {
  if (x.dtype !== "float32") return mul(x, sigmoid(x));
  return x.builder.apply("QuickGelu", [x], { domain: "com.microsoft", attributes: { alpha: float(1) } })[0];
}

/** condition ? a : b, broadcast. */
export function where(condition: Value, a: Operand, b: Operand): Value {
  const [x, y] = operands(a, b);
  return condition.builder.apply("Where", [condition, x, y])[0];
}

const castCodes: Readonly<Partial<Record<DataType, number>>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

export function cast(x: Value, dtype: DataType): Value {
  if (x.dtype === dtype) return x;
  return x.builder.apply("Cast", [x], { attributes: { to: int(castCodes[dtype] ?? 1) } })[0];
}

function unary(op: string, x: Value): Value {
  return x.builder.apply(op, [x])[0];
}

function binary(op: string, a: Operand, b: Operand): Value {
  const [x, y] = operands(a, b);
  return x.builder.apply(op, [x, y])[0];
}

// --- Rules.

/** Gradient of an elementwise unary operator from (upstream gradient, x, y). */
type UnaryGradient = (g: Value, x: Value, y: Value) => Value | null;

function unaryRule(f: (x: number) => number, gradient?: UnaryGradient, dtype?: DataType): Rule {
  return {
    infer: (_, [x]) => [{ dtype: dtype ?? x!.dtype, shape: x!.shape }],
    ...(gradient && {
      gradient: ({ gradients: [g], inputs: [x], outputs: [y] }: GradientCall) => [gradient(g!, x!, y)],
    }),
    evaluate: (_, [x]) => [
      { dtype: dtype ?? x!.dtype, shape: x!.shape, data: dataOf(dtype ?? x!.dtype, numbersOf(x!).map(f)) },
    ],
  };
}

type BinaryGradient = (site: {
  g: Value;
  a: Value;
  b: Value;
  y: Value;
  wanted: readonly boolean[];
}) => readonly [Value | null, Value | null];

function binaryRule(f: (a: number, b: number) => number, gradient?: BinaryGradient, dtype?: DataType): Rule {
  return {
    infer: (site, [a, b]) => [{ dtype: dtype ?? a!.dtype, shape: broadcastShapes(site, a!.shape, b!.shape) }],
    ...(gradient && {
      gradient: ({ gradients: [g], inputs: [a, b], outputs: [y], wanted }: GradientCall) => {
        const [da, db] = gradient({ g: g!, a: a!, b: b!, y, wanted });
        return [da && sumTo(da, a!.shape), db && sumTo(db, b!.shape)];
      },
    }),
    evaluate: (site, [a, b]) => [evaluateBinary(site, f, a!, b!, dtype)],
  };
}

/** Applies f with broadcasting, in float64. */
function evaluateBinary(
  site: { name: string },
  f: (a: number, b: number) => number,
  a: Constant,
  b: Constant,
  dtype: DataType = a.dtype,
): Constant {
  const shape = broadcastShapes(site, a.shape, b.shape);
  const [x, y] = [numbersOf(a), numbersOf(b)];
  const [ia, ib] = [broadcastIndex(a.shape, shape), broadcastIndex(b.shape, shape)];
  const out = new Float64Array(sizeOf(shape));
  for (let i = 0; i < out.length; i++) out[i] = f(x[ia(i)], y[ib(i)]);
  return { dtype, shape, data: dataOf(dtype, out) };
}

/** From a flat index in `to` to the flat index of the element of `from` that is broadcast there. */
export function broadcastIndex(from: readonly number[], to: readonly number[]): (i: number) => number {
  const source = stridesOf(from);
  const target = stridesOf(to);
  const lead = to.length - from.length;
  const pairs = from.map((dim, k) => [target[k + lead], dim, dim === 1 ? 0 : source[k]]);
  return (i) => {
    let index = 0;
    for (const [stride, dim, step] of pairs) if (step !== 0) index += (Math.floor(i / stride) % dim) * step;
    return index;
  };
}

const half = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** d/dx [x * sigmoid(alpha x)] = s + alpha * y * (1 - s). */
function quickGeluGradient({ gradients: [g], inputs: [x], outputs: [y], call }: GradientCall): (Value | null)[] {
  const alpha = floatOf(call, "alpha", 1.702);
  const s = sigmoid(alpha === 1 ? x! : mul(x!, alpha));
  const tail = mul(y, sub(1, s));
  return [mul(g!, add(s, alpha === 1 ? tail : mul(tail, alpha)))];
}

export const elementwise: RuleFamily = {
  Add: binaryRule(
    (a, b) => a + b,
    ({ g, wanted }) => [wanted[0] ? g : null, wanted[1] ? g : null],
  ),
  Sub: binaryRule(
    (a, b) => a - b,
    ({ g, wanted }) => [wanted[0] ? g : null, wanted[1] ? neg(g) : null],
  ),
  Mul: binaryRule(
    (a, b) => a * b,
    ({ g, a, b, wanted }) => [wanted[0] ? mul(g, b) : null, wanted[1] ? mul(g, a) : null],
  ),
  Div: binaryRule(
    (a, b) => a / b,
    ({ g, b, y, wanted }) => [wanted[0] ? div(g, b) : null, wanted[1] ? neg(div(mul(g, y), b)) : null],
  ),
  Pow: binaryRule(Math.pow, ({ g, a, b, y, wanted }) => [
    wanted[0] ? mul(g, mul(b, pow(a, sub(b, 1)))) : null,
    wanted[1] ? mul(g, mul(y, log(a))) : null,
  ]),
  Greater: binaryRule((a, b) => Number(a > b), undefined, "bool"),
  Less: binaryRule((a, b) => Number(a < b), undefined, "bool"),
  Equal: binaryRule((a, b) => Number(a === b), undefined, "bool"),
  Neg: unaryRule(
    (x) => -x,
    (g) => neg(g),
  ),
  Exp: unaryRule(Math.exp, (g, _, y) => mul(g, y)),
  Log: unaryRule(Math.log, (g, x) => div(g, x)),
  Sqrt: unaryRule(Math.sqrt, (g, _, y) => div(mul(g, 0.5), y)),
  Reciprocal: unaryRule(
    (x) => 1 / x,
    (g, _, y) => neg(mul(g, square(y))),
  ),
  Abs: unaryRule(Math.abs, (g, x) => mul(g, unary("Sign", x))),
  Sign: unaryRule(Math.sign, () => null),
  Sin: unaryRule(Math.sin, (g, x) => mul(g, cos(x))),
  Cos: unaryRule(Math.cos, (g, x) => neg(mul(g, sin(x)))),
  Tanh: unaryRule(Math.tanh, (g, _, y) => mul(g, sub(1, square(y)))),
  Sigmoid: unaryRule(half, (g, _, y) => mul(g, mul(y, sub(1, y)))),
  Softplus: unaryRule(
    (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    (g, x) => mul(g, sigmoid(x)),
  ),
  Relu: unaryRule(
    (x) => Math.max(x, 0),
    (g, x) => mul(g, cast(greater(x, 0), x.dtype)),
  ),
  Erf: {
    infer: (_, [x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    gradient: ({ gradients: [g], inputs: [x] }) => [mul(g!, mul(exp(neg(square(x!))), 2 / Math.sqrt(Math.PI)))],
  },
  Identity: {
    infer: (_, [x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    gradient: ({ gradients: [g] }) => [g],
    evaluate: (_, [x]) => [x!],
  },
  Cast: {
    infer: (site, [x]) => [{ dtype: castTarget(site), shape: x!.shape }],
    gradient: ({ gradients: [g], inputs: [x] }) => [isFloat(x!.dtype) ? cast(g!, x!.dtype) : null],
    evaluate: (site, [x]) => [
      { dtype: castTarget(site), shape: x!.shape, data: dataOf(castTarget(site), numbersOf(x!)) },
    ],
  },
  Where: {
    infer: (site, [condition, a, b]) => [
      { dtype: a!.dtype, shape: broadcastShapes(site, broadcastShapes(site, condition!.shape, a!.shape), b!.shape) },
    ],
    gradient: ({ gradients: [g], inputs: [condition, a, b], wanted }) => [
      null,
      wanted[1] ? sumTo(where(condition!, g!, 0), a!.shape) : null,
      wanted[2] ? sumTo(where(condition!, 0, g!), b!.shape) : null,
    ],
  },
  "com.microsoft::QuickGelu": {
    infer: (_, [x]) => [{ dtype: x!.dtype, shape: x!.shape }],
    gradient: quickGeluGradient,
    evaluate: (site, [x]) => {
      const alpha = floatOf(site, "alpha", 1.702);
      return [{ dtype: x!.dtype, shape: x!.shape, data: dataOf(x!.dtype, numbersOf(x!).map((v) => v * half(alpha * v))) }];
    },
  },
};

function castTarget(site: Parameters<Rule["infer"]>[0]): DataType {
  const code = intOf(site, "to", 1);
  const found = Object.entries(castCodes).find(([, value]) => value === code);
  return (found?.[0] ?? "float32") as DataType;
}

export function isFloat(dtype: DataType): boolean {
  return dtype === "float32" || dtype === "float64" || dtype === "float16" || dtype === "bfloat16";
}
