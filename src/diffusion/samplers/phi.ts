/** Below this size of z the series is summed: the recursion loses digits to cancellation there. */
const SMALL = 2;
const TERMS = 32;

/**
 * phi_k(z), the functions of exponential integrators:
 *   phi_0 = e^z,   phi_{k+1}(z) = (phi_k(z) - 1/k!)/z,   phi_k(0) = 1/k!
 * For k of at least 1, h phi_k(h) (k-1)! is the integral over t from 0 to h of e^(h-t) (t/h)^(k-1): what a step of length h makes of a
 * prediction that grows as that power. k is a whole number from 0, z finite. Full precision for any z.
 *
 * Source: Hochbruck & Ostermann 2010, Exponential integrators, Eq. 2.10.
 */
export function phi(k: number, z: number): number {
  if (Math.abs(z) < SMALL) return series(k, z);
  let value = Math.exp(z);
  let inverse = 1; // 1/j!
  for (let j = 0; j < k; j++) {
    value = j === 0 ? Math.expm1(z) / z : (value - inverse) / z;
    inverse /= j + 1;
  }
  return value;
}

/** The sum of z^j/(j + k)!. */
function series(k: number, z: number): number {
  let term = 1;
  for (let i = 2; i <= k; i++) term /= i;
  let sum = 0;
  for (let j = 1; j <= TERMS; j++) {
    sum += term;
    term *= z / (j + k);
  }
  return sum;
}
