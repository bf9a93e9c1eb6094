import type { Tensor } from "../../base/tensor.ts";
import type { Component } from "./component.ts";
import { fromAxes, toAxes } from "./component.ts";
import type { PosteriorKernel } from "./kernel.ts";

/**
 * Writes J v to out, J the Jacobian of E[x0 | x] at one row of x, where Gaussians are mixed:
 *
 *   J v = sum_k p_k (C_k S_k^-1 v + sigma^2 (u_k - s) <u_k, v>),  S_k = C_k + sigma^2 I, u_k = S_k^-1 (m_k - x), s = sum_k p_k u_k
 *
 * with p_k the probability of component k given x. J is the covariance of x0 given x over sigma^2, so it is symmetric: J v is
 * J' v too. The form above has no large terms that cancel, for small noise or for large.
 */
export function pullBackRow(
  components: readonly Component[],
  kernel: PosteriorKernel,
  { data }: Tensor,
  offset: number,
  sigma: number,
  v: Float64Array,
  out: Float64Array,
): void {
  const d = v.length;
  const [delta, along, part, u] = [0, 1, 2, 3].map(() => new Float64Array(d));
  kernel.evaluate(data, offset, sigma);
  out.fill(0);
  components.forEach((component, k) => {
    const { mean, variances } = component;
    const p = kernel.posterior[k];
    if (p === 0) return;

    // C_k S_k^-1 v
    toAxes(component, v, along);
    for (let j = 0; j < d; j++) along[j] *= variances[j] / (variances[j] + sigma * sigma);
    fromAxes(component, along, part);

    // u_k = S_k^-1 (m_k - x)
    for (let i = 0; i < d; i++) delta[i] = mean[i] - data[offset + i];
    toAxes(component, delta, along);
    for (let j = 0; j < d; j++) along[j] /= variances[j] + sigma * sigma;
    fromAxes(component, along, u);

    let dot = 0;
    for (let i = 0; i < d; i++) dot += u[i] * v[i];
    for (let i = 0; i < d; i++) out[i] += p * (part[i] + sigma * sigma * (u[i] - kernel.score[i]) * dot);
  });
}
