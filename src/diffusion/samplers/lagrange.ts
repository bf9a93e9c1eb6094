/** Nodes and weights of Gauss-Legendre quadrature of 4 points on [-1, 1]: exact for polynomials of degree 7. */
const NODES = [-0.8611363115940526, -0.3399810435848563, 0.3399810435848563, 0.8611363115940526];
const WEIGHTS = [0.34785484513745385, 0.6521451548625461, 0.6521451548625461, 0.34785484513745385];

/** For each of at most 8 points p_j, the integral from a to b of the Lagrange polynomial that is 1 at p_j and 0 at the others. */
export function lagrangeIntegrals(points: readonly number[], a: number, b: number): number[] {
  return points.map((_, j) => integrate((t) => lagrange(points, j, t), a, b));
}

/** The Lagrange polynomial of point j at t. */
export function lagrange(points: readonly number[], j: number, t: number): number {
  return points.reduce((product, p, k) => (k === j ? product : (product * (t - p)) / (points[j] - p)), 1);
}

/** The integral of a function from a to b, exact for polynomials up to degree 7. */
export function integrate(f: (t: number) => number, a: number, b: number): number {
  const half = (b - a) / 2;
  return NODES.reduce((sum, node, i) => sum + half * WEIGHTS[i] * f(a + half * (1 + node)), 0);
}

/** The coefficients of the Lagrange polynomial of point j, the constant first. */
export function lagrangeCoefficients(points: readonly number[], j: number): number[] {
  return points.reduce<number[]>(
    (polynomial, p, k) => {
      if (k === j) return polynomial;
      // Times (t - p)/(p_j - p).
      const scaled = polynomial.map((c) => c / (points[j] - p));
      return [...scaled, 0].map((c, i) => (i > 0 ? scaled[i - 1] : 0) - (i < scaled.length ? p * c : 0));
    },
    [1],
  );
}
