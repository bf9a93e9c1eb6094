import { add, cos, div, mul, neg, sin, sqrt, square, sub } from "../ops/elementwise.ts";
import type { RuleFamily } from "../rule.ts";
import type { Value } from "../value.ts";
import { unary } from "./pointwise.ts";

const plain = (op: string, x: Value): Value => x.builder.apply(op, [x])[0];

export const trigonometry: RuleFamily = {
  Sin: unary(Math.sin, (g, x) => mul(g, cos(x))),
  Cos: unary(Math.cos, (g, x) => neg(mul(g, sin(x)))),
  Tan: unary(Math.tan, (g, _, y) => mul(g, add(square(y), 1))),
  Asin: unary(Math.asin, (g, x) => div(g, sqrt(sub(1, square(x))))),
  Acos: unary(Math.acos, (g, x) => neg(div(g, sqrt(sub(1, square(x)))))),
  Atan: unary(Math.atan, (g, x) => div(g, add(square(x), 1))),
  Sinh: unary(Math.sinh, (g, x) => mul(g, plain("Cosh", x))),
  Cosh: unary(Math.cosh, (g, x) => mul(g, plain("Sinh", x))),
  Tanh: unary(Math.tanh, (g, _, y) => mul(g, sub(1, square(y)))),
  Asinh: unary(Math.asinh, (g, x) => div(g, sqrt(add(square(x), 1)))),
  Acosh: unary(Math.acosh, (g, x) => div(g, sqrt(mul(sub(x, 1), add(x, 1))))),
  Atanh: unary(Math.atanh, (g, x) => div(g, sub(1, square(x)))),
};
