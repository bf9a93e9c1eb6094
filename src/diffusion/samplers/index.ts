import { UsageError } from "../../base/errors.ts";
import { ANCESTRAL, CHURN, entry } from "./catalogue.ts";
import type { Sampler } from "./catalogue.ts";
import { ddim } from "./ddim.ts";
import { ddpm } from "./ddpm.ts";
import { dpmSamplers } from "./dpmEntries.ts";
import { euler } from "./euler.ts";
import { eulerAncestral } from "./eulerAncestral.ts";
import { flowHeun } from "./flowHeun.ts";
import { heun } from "./heun.ts";
import { ipndm } from "./ipndm.ts";
import { lcm } from "./lcm.ts";
import { lms } from "./lms.ts";
import { pndm } from "./pndm.ts";
import { tcd } from "./tcd.ts";

export type { Sampler, SamplerOption } from "./catalogue.ts";

/** Every sampler, by name. */
export const samplers = {
  ddpm: entry(ddpm, {
    name: "ddpm",
    shiftsMean: true,
    description: "DDPM's reverse process (Ho et al. 2020, Algorithm 2), on any grid of noise levels",
    source:
      "Ho et al. 2020 (arXiv:2006.11239), Algorithm 2 and section 3.2; learned: Nichol & Dhariwal 2021 (arXiv:2102.09672), Eq. 15",
    order: 1,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => steps,
    options: {
      variance: {
        default: "small",
        choices: ["large", "small", "learned"],
        description:
          "noise of a step: beta_t (large), the posterior's (small) or between as the network says",
      },
      noiseAtEnd: {
        default: "none",
        choices: ["none", "as-before"],
        description: "noise on the step to 0: none, or by the same formula as before",
      },
    },
  }),
  ddim: entry(ddim, {
    name: "ddim",
    description: "DDIM (Song et al. 2021); with eta 0 the same as euler",
    source: "Song et al. 2021 (arXiv:2010.02502), Eq. 12 and 16",
    order: 1,
    stochastic: false,
    renoises: true,
    shiftsMean: true,
    evaluations: (steps) => steps,
    countsTimesteps: true,
    options: {
      eta: {
        default: 0,
        min: 0,
        description: "share of fresh noise: 0 none, 1 as much as ddpm's small variance",
      },
    },
  }),
  euler: entry(euler, {
    name: "euler",
    description:
      "Euler's method on the probability-flow ODE, also flow matching's (Karras et al. 2022), optional churn",
    source: "Karras et al. 2022 (arXiv:2206.00364), Algorithm 2 without its correction",
    order: 1,
    stochastic: false,
    renoises: true,
    evaluations: (steps) => steps,
    options: {
      ...CHURN,
      churnOutput: {
        default: "new",
        choices: ["new", "eps", "v", "x0", "edm"],
        description:
          "what the network says of a churned sample: asked again (new), or its output of before, of that kind",
      },
      sigmaData: {
        default: 0.5,
        min: 1e-6,
        description: "standard deviation of the data, for churnOutput edm",
      },
    },
  }),
  heun: entry(heun, {
    name: "heun",
    description:
      "Heun's method on the probability-flow ODE (Karras et al. 2022), optional churn; 2 evaluations a step",
    source: "Karras et al. 2022 (arXiv:2206.00364), Algorithm 1 with sigma(t) = t; with churn, Algorithm 2",
    order: 2,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => 2 * steps - 1,
    options: CHURN,
  }),
  "euler-ancestral": entry(eulerAncestral, {
    name: "euler-ancestral",
    shiftsMean: true,
    description: 'Euler below the next noise level, then fresh noise up to it ("Euler a")',
    source:
      'the reverse step of Ho et al. 2020 (arXiv:2006.11239) in sigma; known as "Euler a" from k-diffusion',
    order: 1,
    stochastic: true,
    renoises: true,
    evaluations: (steps) => steps,
    options: ANCESTRAL(1),
  }),
  ...dpmSamplers,
  lms: entry(lms, {
    name: "lms",
    description: "linear multistep of up to four slopes, integrated exactly over each step",
    source: 'the classical method, in sigma; known as "LMS" from k-diffusion',
    order: 4,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => steps,
    endsAtPrediction: false,
    options: {
      order: {
        default: 4,
        min: 1,
        max: 4,
        whole: true,
        description: "slopes that a step uses, 1 to 4: 1 is euler",
      },
    },
  }),
  pndm: entry(pndm, {
    name: "pndm",
    description:
      "PNDM (Liu et al. 2022): Adams-Bashforth on the predicted noise after a Runge-Kutta start; start heun: PLMS",
    source: "Liu et al. 2022 (arXiv:2202.09778), Eq. 11-13 and Algorithm 2",
    order: 2,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => steps + 3 * Math.min(3, steps - 1),
    endsAtPrediction: false,
    countsTimesteps: true,
    options: {
      start: {
        default: "runge-kutta",
        choices: ["runge-kutta", "heun"],
        description: "the first three steps in 4 evaluations each, or the first step in 2",
      },
      space: {
        default: "eps",
        choices: ["eps", "v"],
        description: "which prediction is extrapolated; v as in diffusers for networks of v (order 1)",
      },
    },
  }),
  ipndm: entry(ipndm, {
    name: "ipndm",
    description: "iPNDM (Zhang & Chen 2022): PNDM that starts with steps of lower order; 1 evaluation a step",
    source: "Zhang & Chen 2022 (arXiv:2204.13902), which names it; PNDM: Liu et al. 2022 (arXiv:2202.09778)",
    order: 2,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => steps,
    endsAtPrediction: false,
    options: {
      order: {
        default: 4,
        min: 1,
        max: 4,
        whole: true,
        description: "predictions that a step uses, 1 to 4: 1 is euler",
      },
    },
  }),
  "flow-heun": entry(flowHeun, {
    name: "flow-heun",
    description: "Heun's method in the time of flow matching (Lipman et al. 2023); 2 evaluations a step",
    source: "the classical method; as flow matching (Lipman et al. 2023, arXiv:2210.02747) is sampled",
    order: 2,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => 2 * steps - 1,
    options: {},
  }),
  lcm: entry(lcm, {
    name: "lcm",
    description:
      "multistep consistency sampling, for consistency models (Song et al. 2023); also flow matching's stochastic rule",
    source: "Song et al. 2023 (arXiv:2303.01469), Algorithm 1; Luo et al. 2023 (arXiv:2310.04378)",
    order: 0,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => steps,
    options: {
      renews: {
        default: "noise",
        choices: ["noise", "data"],
        description: "what a step draws anew; data: for flows whose times are inverted, as in diffusers",
      },
    },
  }),
  tcd: entry(tcd, {
    name: "tcd",
    description: "TCD's stochastic sampling, for networks distilled along the trajectory (Zheng et al. 2024)",
    source: "Zheng et al. 2024 (arXiv:2402.19159), strategic stochastic sampling",
    order: 0,
    stochastic: true,
    renoises: true,
    evaluations: (steps) => steps,
    countsTimesteps: true,
    options: {
      eta: {
        default: 0.3,
        min: 0,
        max: 1,
        description: "share of a step's end renewed (gamma): 0 is ddim, 1 lcm",
      },
    },
  }),
} as const satisfies Record<string, Sampler>;

export type SamplerName = keyof typeof samplers;

/** The sampler of that name. Throws UsageError that lists the names. */
export function samplerByName(name: string): Sampler {
  if (Object.hasOwn(samplers, name)) return samplers[name as SamplerName];
  throw new UsageError(`no sampler is called "${name}"; there are: ${Object.keys(samplers).join(", ")}`);
}
