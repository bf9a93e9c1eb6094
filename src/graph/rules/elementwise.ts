import { intOf } from "../attributes.ts";
import { isFloat } from "../dataTypes.ts";
import { numbersOf } from "../constant.ts";
import {
  cast,
  div,
  equal,
  exp,
  log,
  mul,
  neg,
  pow,
  round,
  sign,
  square,
  sub,
  where,
} from "../ops/elementwise.ts";
import type { RuleFamily } from "../rule.ts";
import type { Value } from "../value.ts";
import { erf } from "./erf.ts";
import { binary, unary } from "./pointwise.ts";

/** d/da a ** p = p a ** (p - 1), and 0 where p is 0. */
function baseGradient(g: Value, a: Value, b: Value): Value {
  const power = cast(b, a.dtype);
  const slope = mul(power, pow(a, sub(power, 1)));
  const never = power.constant && !numbersOf(power.constant).includes(0);
  return mul(g, never ? slope : where(equal(power, 0), 0, slope));
}

/** d/db a ** b = y log a, and 0 where a is 0 (its limit for b > 0). */
function exponentGradient(g: Value, a: Value, y: Value): Value {
  return mul(g, mul(y, log(where(equal(a, 0), 1, a))));
}

/** The remainder of a division rounded down: of the divisor's sign. */
const floorMod = (a: number, b: number): number => {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
};

/** To the nearest, ties to even. */
function roundEven(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
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
  // Integers are rounded towards zero.
  Div: binary(
    (a, b, _, dtype) => (isFloat(dtype) ? a / b : Math.trunc(a / b)),
    ({ g, b, y, wanted }) => [wanted[0] ? div(g, b) : null, wanted[1] ? neg(div(mul(g, y), b)) : null],
  ),
  Pow: binary(
    Math.pow,
    ({ g, a, b, y, wanted }) => [
      wanted[0] ? baseGradient(g, a, b) : null,
      wanted[1] ? exponentGradient(g, a, y) : null,
    ],
    { mixed: true },
  ),
  // fmod = 1: a - b * trunc(a / b).
  Mod: binary(
    (a, b, site) => (intOf(site, "fmod", 0) === 1 ? a % b : floorMod(a, b)),
    ({ g, a, b, y, wanted }) => [
      wanted[0] ? g : null,
      wanted[1] ? neg(mul(g, round(div(sub(a, y), b)))) : null,
    ],
  ),
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
  Erf: unary(erf, (g, x) => mul(g, mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI)))),
  Sign: unary(Math.sign),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Round: unary(roundEven),
  Identity: unary(
    (x) => x,
    (g) => g,
  ),
};
