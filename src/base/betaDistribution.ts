/** The Beta(a, b) distribution on (0, 1), with density proportional to x^(a-1) (1-x)^(b-1). */

/** ln Gamma(x) for x > 0: Stirling's series after shifting x above 10; 2e-15 absolute near 1 and 2, else relative. */
export function logGamma(x: number): number {
  let product = 1;
  while (x < 10) product *= x++;
  const r = 1 / (x * x);
  const series =
    (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - (r * 691) / 360360))))) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - Math.log(product);
}

/**
 * P(X <= x) for X of Beta(a, b), a and b > 0: the regularised incomplete beta function I_x(a, b). About 1e-14 relative for a and b
 * up to about 100. By its continued fraction (Lentz's method), on the side where that converges fast.
 * Source: Abramowitz & Stegun, 26.5.8.
 */
export function betaCdf(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  return x < (a + 1) / (a + b + 2) ? lowerTail(x, a, b) : 1 - lowerTail(1 - x, b, a);
}

/**
 * The x with P(X <= x) = p for X of Beta(a, b), the inverse of `betaCdf`; p is cut to [0, 1]. Relative error about 1e-13, also where x is
 * tiny: Newton's method in ln x, kept inside a bracket that shrinks.
 */
export function betaQuantile(p: number, a: number, b: number): number {
  if (!(p > 0)) return 0;
  if (p >= 1) return 1;
  // The smaller of x and 1 - x is looked for, so that it is exact to its own size.
  if (p > betaCdf(0.5, a, b)) return 1 - smallQuantile(1 - p, b, a);
  return smallQuantile(p, a, b);
}

/** ln of the quantile, at most ln(1/2), by Newton's method on ln P(X <= e^u). */
function smallQuantile(p: number, a: number, b: number): number {
  const logBeta = logGamma(a) + logGamma(b) - logGamma(a + b);
  let [low, high] = [-800, Math.log(0.5) + 1e-12];
  // P(X <= x) tends to x^a / (a B(a, b)).
  let u = Math.min((Math.log(p * a) + logBeta) / a, high);
  for (let i = 0; i < 200 && high - low > 1e-16 * Math.abs(low); i++) {
    if (!(u > low && u < high)) u = (low + high) / 2;
    const x = Math.exp(u);
    const cdf = betaCdf(x, a, b);
    if (cdf < p) low = u;
    else high = u;
    // d ln P / du = x density(x) / P
    const slope = Math.exp(a * u + (b - 1) * Math.log1p(-x) - logBeta) / cdf;
    const next = u - Math.log(cdf / p) / slope;
    if (Math.abs(next - u) <= 4e-16 * Math.abs(u)) break;
    u = next;
  }
  return Math.exp(u);
}

function lowerTail(x: number, a: number, b: number): number {
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b));
  return (front / a) * continuedFraction(x, a, b);
}

/** 1 / (1 + d_1 / (1 + d_2 / (1 + ...))), d as in 26.5.8. */
function continuedFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1) || tiny);
  let value = d;
  for (let m = 1; m < 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + even * d || tiny);
    c = 1 + even / c || tiny;
    value *= c * d;
    d = 1 / (1 + odd * d || tiny);
    c = 1 + odd / c || tiny;
    value *= c * d;
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return value;
}
