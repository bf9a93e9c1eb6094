import type { Tensor } from "../../base/tensor.ts";
import { phi } from "./phi.ts";
import { slope } from "./sampler.ts";

/**
 * What is taken to be smooth along lambda = -ln sigma, and whether noise is added:
 *   dpmsolver      eps, on the probability-flow ODE       dpmsolver++      x0, on the ODE
 *   sde-dpmsolver  eps, on the reverse SDE                sde-dpmsolver++  x0, on the SDE
 */
export type DpmAlgorithm = "dpmsolver" | "dpmsolver++" | "sde-dpmsolver" | "sde-dpmsolver++";

/** How a slope enters a step: at the middle of the step, or integrated exactly. */
export type DpmSolverType = "midpoint" | "heun";

/** A prediction (x0 or eps) and where it was made, lambda = -ln sigma. */
export interface At {
  readonly lambda: number;
  readonly m: Tensor;
}

/** What a step from sigma to sigma' makes of the prediction m + a u + b u^2, u going from 0 to 1, and of a unit noise. */
export interface StepWeights {
  /** Length of the step, ln(sigma/sigma'). */
  readonly h: number;
  /** x' = keep x + constant m + linear a + quadratic b + deviation noise. */
  readonly keep: number;
  readonly constant: number;
  readonly linear: number;
  readonly quadratic: number;
  readonly deviation: number;
}

/**
 * The exact solution over a step for a prediction that is a polynomial. With h = ln(sigma/sigma') and H = (1 + eta) h, eta 0 on the ODE:
 *   x0:   keep = e^-H,  constant = H phi_1(-H),  linear = H phi_2(-H),  quadratic = 2 H phi_3(-H),  deviation = sigma' sqrt(1 - e^(-2 eta h))
 *   eps:  keep = 1, the others -(1 + eta) sigma' (h phi_1(h), h phi_2(h), 2 h phi_3(h)),            deviation = sigma' sqrt(eta (e^(2h) - 1))
 * For a constant prediction this is the exact law of the process.
 * Throws nothing; both noise levels are above 0.
 *
 * Source: Lu et al. 2022 (arXiv:2206.00927), Eq. 3.4; (arXiv:2211.01095), Eq. 8 and section 5.
 */
export function stepWeights(algorithm: DpmAlgorithm, sigma: number, next: number, eta: number): StepWeights {
  const h = Math.log(sigma / next);
  const share = algorithm.startsWith("sde") ? eta : 0;
  if (predictsX0(algorithm)) {
    const H = (1 + share) * h;
    return {
      h,
      keep: (next / sigma) * Math.exp(-share * h),
      constant: -Math.expm1(-H),
      linear: H * phi(2, -H),
      quadratic: 2 * H * phi(3, -H),
      deviation: next * Math.sqrt(-Math.expm1(-2 * share * h)),
    };
  }
  const scale = -(1 + share) * next * h;
  return {
    h,
    keep: 1,
    constant: -(1 + share) * (sigma - next),
    linear: scale * phi(2, h),
    quadratic: 2 * scale * phi(3, h),
    deviation: Math.sqrt(share * (sigma - next) * (sigma + next)),
  };
}

/** What the algorithm takes to be smooth: D, or eps = (x - D)/sigma. */
export function smoothPart(algorithm: DpmAlgorithm, x: Tensor, denoised: Tensor, sigma: number): At {
  return {
    lambda: -Math.log(sigma),
    m: predictsX0(algorithm) ? denoised : slope(x, denoised, sigma),
  };
}

function predictsX0(algorithm: DpmAlgorithm): boolean {
  return algorithm.endsWith("++");
}
