import { float, int } from "../attributes.ts";
import { numbersOf } from "../constant.ts";
import { onnxCodeOf } from "../dataTypes.ts";
import type { DataType } from "../graph.ts";
import type { Operand, Value } from "../value.ts";
import { operands } from "./operand.ts";

/** a + b, broadcast. */
export const add = (a: Operand, b: Operand): Value => binary("Add", a, b);
/** a - b, broadcast. */
export const sub = (a: Operand, b: Operand): Value => binary("Sub", a, b);
/** a * b, broadcast. */
export const mul = (a: Operand, b: Operand): Value => binary("Mul", a, b);
/** a / b, broadcast. */
export const div = (a: Operand, b: Operand): Value => binary("Div", a, b);
/** a ** b, broadcast; the gradient with respect to b needs a > 0. */
export function pow(a: Operand, b: Operand): Value {
  const [x, y] = operands(a, b);
  // x ** 1 is x, so that the derivatives of x ** 2 at 0 are numbers.
  if (y.constant && y.shape.length === 0 && numbersOf(y.constant)[0] === 1) return x;
  return binary("Pow", x, y);
}
export const greater = (a: Operand, b: Operand): Value => binary("Greater", a, b);
export const less = (a: Operand, b: Operand): Value => binary("Less", a, b);
export const equal = (a: Operand, b: Operand): Value => binary("Equal", a, b);

export const greaterOrEqual = (a: Operand, b: Operand): Value => binary("GreaterOrEqual", a, b);
export const lessOrEqual = (a: Operand, b: Operand): Value => binary("LessOrEqual", a, b);
export const and = (a: Value, b: Value): Value => binary("And", a, b);
export const or = (a: Value, b: Value): Value => binary("Or", a, b);
export const not = (x: Value): Value => unary("Not", x);

export const neg = (x: Value): Value => unary("Neg", x);
export const exp = (x: Value): Value => unary("Exp", x);
export const log = (x: Value): Value => unary("Log", x);
export const sqrt = (x: Value): Value => unary("Sqrt", x);
export const reciprocal = (x: Value): Value => unary("Reciprocal", x);
export const sign = (x: Value): Value => unary("Sign", x);
export const abs = (x: Value): Value => unary("Abs", x);
export const sin = (x: Value): Value => unary("Sin", x);
export const cos = (x: Value): Value => unary("Cos", x);
export const tanh = (x: Value): Value => unary("Tanh", x);
export const sigmoid = (x: Value): Value => unary("Sigmoid", x);
export const erf = (x: Value): Value => unary("Erf", x);
export const relu = (x: Value): Value => unary("Relu", x);
export const softplus = (x: Value): Value => unary("Softplus", x);
/** To the nearest whole number, ties to even. */
export const round = (x: Value): Value => unary("Round", x);
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

export function cast(x: Value, dtype: DataType): Value {
  if (x.dtype === dtype) return x;
  return x.builder.apply("Cast", [x], { attributes: { to: int(onnxCodeOf(dtype)) } })[0];
}

function unary(op: string, x: Value): Value {
  return x.builder.apply(op, [x])[0];
}

function binary(op: string, a: Operand, b: Operand): Value {
  const [x, y] = operands(a, b);
  return x.builder.apply(op, [x, y])[0];
}
