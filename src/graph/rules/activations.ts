import { floatOf, stringOf } from "../attributes.ts";
import {
  abs,
  add,
  and,
  cast,
  div,
  erf,
  exp,
  greater,
  less,
  mul,
  sigmoid,
  softplus,
  square,
  sub,
  tanh,
  where,
} from "../ops/elementwise.ts";
import type { CallSite, Rule, RuleFamily } from "../rule.ts";
import type { Value } from "../value.ts";
import { sumTo } from "../ops/reduce.ts";
import { broadcastIndex, broadcastShapes, check, generate, sameShape } from "../shapes.ts";
import { erf as hostErf } from "./erf.ts";
import { unary } from "./pointwise.ts";

const logistic = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const softplusOf = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Where `condition` holds, g. */
const masked = (g: Value, condition: Value): Value => mul(g, cast(condition, g.dtype));

/** x * sigmoid(alpha x). d/dx = s + alpha * y * (1 - s). */
const sigmoidWeighted = (fallback: number): Rule =>
  unary(
    (x, site) => x * logistic(floatOf(site, "alpha", fallback) * x),
    (g, x, y, site) => {
      const alpha = floatOf(site, "alpha", fallback);
      const s = sigmoid(alpha === 1 ? x : mul(x, alpha));
      const tail = mul(y, sub(1, s));
      return mul(g, add(s, alpha === 1 ? tail : mul(tail, alpha)));
    },
  );

/** slope * x above 0, and below `f(x)`, whose derivative is taken from x and y. */
const fromZero = (
  f: (x: number, site: CallSite) => number,
  above: (site: CallSite) => number,
  below: (y: Value, site: CallSite) => Value | number,
): Rule =>
  unary(
    (x, site) => (x > 0 ? above(site) * x : f(x, site)),
    (g, x, y, site) => {
      const slope = below(y, site);
      const condition = greater(x, 0);
      const high = typeof slope === "number" ? g.builder.literal(above(site), g.dtype) : above(site);
      return mul(g, where(condition, high, slope));
    },
  );

const one = (): number => 1;
const eluAlpha = (site: CallSite): number => floatOf(site, "alpha", 1);
const seluAlpha = (site: CallSite): number => floatOf(site, "alpha", 1.67326319217681884765625);
const seluGamma = (site: CallSite): number => floatOf(site, "gamma", 1.05070102214813232421875);

const hardSigmoid = (x: number, alpha: number, beta: number): number =>
  Math.max(0, Math.min(1, alpha * x + beta));

const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBE = 0.044715;

const tanhForm = (site: CallSite): boolean => stringOf(site, "approximate", "none") === "tanh";

function geluOf(x: number, site: CallSite): number {
  if (tanhForm(site)) return 0.5 * x * (1 + Math.tanh(TANH_SCALE * (x + TANH_CUBE * x ** 3)));
  return 0.5 * x * (1 + hostErf(x / Math.SQRT2));
}

/** Phi(x) + x phi(x); or with t = tanh(u(x)): (1 + t) / 2 + x / 2 (1 - t^2) u'(x). */
function geluSlope(x: Value, site: CallSite): Value {
  if (!tanhForm(site)) {
    const phi = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return add(mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5), mul(x, phi));
  }
  const squared = square(x);
  const t = tanh(mul(mul(x, add(mul(squared, TANH_CUBE), 1)), TANH_SCALE));
  const inner = mul(add(mul(squared, 3 * TANH_CUBE), 1), TANH_SCALE);
  return mul(add(add(t, 1), mul(mul(x, sub(1, square(t))), inner)), 0.5);
}

/** y = x above 0 and slope * x below; slope broadcasts to x. */
const prelu: Rule = {
  infer: (site, [x, slope]) => {
    const fits = sameShape(broadcastShapes(site, x!.shape, slope!.shape), x!.shape);
    check(
      site,
      fits,
      () => `a slope of [${slope!.shape.join(", ")}] does not broadcast to [${x!.shape.join(", ")}]`,
    );
    return [{ dtype: x!.dtype, shape: x!.shape }];
  },
  gradient: ({ gradients: [g], inputs: [x, slope], wanted }) => {
    const above = greater(x!, 0);
    return [
      wanted[0] ? where(above, g!, mul(g!, slope!)) : null,
      wanted[1] ? sumTo(where(above, 0, mul(g!, x!)), slope!.shape) : null,
    ];
  },
  evaluate: (_, [x, slope], [{ shape }]) => {
    const index = broadcastIndex(slope!.shape, shape);
    return [generate(shape, (i) => (x!.numbers[i] > 0 ? 1 : slope!.numbers[index(i)]) * x!.numbers[i])];
  },
};

export const activations: RuleFamily = {
  Sigmoid: unary(logistic, (g, _, y) => mul(g, mul(y, sub(1, y)))),
  Softplus: unary(softplusOf, (g, x) => mul(g, sigmoid(x))),
  Softsign: unary(
    (x) => x / (1 + Math.abs(x)),
    (g, x) => div(g, square(add(abs(x), 1))),
  ),
  Relu: unary(
    (x) => Math.max(x, 0),
    (g, x) => masked(g, greater(x, 0)),
  ),
  LeakyRelu: fromZero(
    (x, site) => floatOf(site, "alpha", 0.01) * x,
    one,
    (_, site) => floatOf(site, "alpha", 0.01),
  ),
  PRelu: prelu,
  // alpha (exp(x) - 1) below 0: its derivative is y + alpha.
  Elu: fromZero(
    (x, site) => eluAlpha(site) * Math.expm1(x),
    one,
    (y, site) => add(y, eluAlpha(site)),
  ),
  Selu: fromZero(
    (x, site) => seluGamma(site) * seluAlpha(site) * Math.expm1(x),
    seluGamma,
    (y, site) => add(y, seluGamma(site) * seluAlpha(site)),
  ),
  // alpha (exp(x / alpha) - 1) below 0: y / alpha + 1.
  Celu: fromZero(
    (x, site) => eluAlpha(site) * Math.expm1(x / eluAlpha(site)),
    one,
    (y, site) => add(mul(y, 1 / eluAlpha(site)), 1),
  ),
  ThresholdedRelu: unary(
    (x, site) => (x > floatOf(site, "alpha", 1) ? x : 0),
    (g, x, _, site) => masked(g, greater(x, floatOf(site, "alpha", 1))),
  ),
  // x + bias below -lambd, x - bias above lambd, 0 between.
  Shrink: unary(
    (x, site) =>
      Math.abs(x) > floatOf(site, "lambd", 0.5) ? x - Math.sign(x) * floatOf(site, "bias", 0) : 0,
    (g, x, _, site) => masked(g, greater(abs(x), floatOf(site, "lambd", 0.5))),
  ),
  HardSigmoid: unary(
    (x, site) => hardSigmoid(x, floatOf(site, "alpha", 0.2), floatOf(site, "beta", 0.5)),
    (g, _, y, site) => mul(masked(g, and(greater(y, 0), less(y, 1))), floatOf(site, "alpha", 0.2)),
  ),
  // x * max(0, min(1, x / 6 + 1 / 2)): between -3 and 3, x / 3 + 1 / 2.
  HardSwish: unary(
    (x) => x * hardSigmoid(x, 1 / 6, 0.5),
    (g, x) => mul(g, where(less(abs(x), 3), add(mul(x, 1 / 3), 0.5), cast(greater(x, 0), x.dtype))),
  ),
  // x tanh(softplus(x)): with t the tanh, t + x (1 - t^2) sigmoid(x).
  Mish: unary(
    (x) => x * Math.tanh(softplusOf(x)),
    (g, x) => {
      const t = tanh(softplus(x));
      return mul(g, add(t, mul(mul(x, sigmoid(x)), sub(1, square(t)))));
    },
  ),
  Gelu: unary(geluOf, (g, x, _, site) => mul(g, geluSlope(x, site))),
  Swish: sigmoidWeighted(1),
  "com.microsoft::QuickGelu": sigmoidWeighted(1.702),
};
