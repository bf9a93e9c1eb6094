import { ANCESTRAL, CHURN, entry } from "./catalogue.ts";
import type { Sampler, SamplerOption } from "./catalogue.ts";
import { deis } from "./deis.ts";
import { dpm2 } from "./dpm2.ts";
import { dpm2Ancestral } from "./dpm2Ancestral.ts";
import { dpmAdaptive } from "./dpmAdaptive.ts";
import { dpmFast } from "./dpmFast.ts";
import { dpmMultistep } from "./dpmMultistep.ts";
import { dpmSinglestep } from "./dpmSinglestep.ts";
import type { DpmAlgorithm, DpmSolverType } from "./dpmUpdate.ts";
import { dpmpp2m } from "./dpmpp2m.ts";
import { dpmpp2mSde } from "./dpmpp2mSde.ts";
import { dpmpp2sAncestral } from "./dpmpp2sAncestral.ts";
import { dpmpp3mSde } from "./dpmpp3mSde.ts";
import { dpmppSde } from "./dpmppSde.ts";
import { resMultistep, resMultistepAncestral } from "./resMultistep.ts";
import { uniPc } from "./uniPc.ts";

const LOWER_ORDER_FINAL: SamplerOption = {
  default: true,
  description: "whether the run ends at lower order (several steps: where it has fewer than 15)",
};

/** Options of the DPM solvers. */
const DPM = {
  order: { default: 2, min: 1, max: 3, whole: true, description: "predictions that a step uses, 1 to 3" },
  algorithm: {
    default: "dpmsolver++",
    choices: ["dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++"] satisfies DpmAlgorithm[],
    description: "what is taken to be smooth, eps or (++) x0, on the ODE or (sde) the reverse SDE",
  },
  solver: {
    default: "midpoint",
    choices: ["midpoint", "heun"] satisfies DpmSolverType[],
    description: "slopes at the middle of the step (midpoint) or integrated (heun)",
  },
  lowerOrderFinal: LOWER_ORDER_FINAL,
  eta: { default: 1, min: 0, description: "share of noise of the sde algorithms: 0 none, 1 the reverse SDE" },
  noiseScale: { default: 1, min: 0, description: "standard deviation of the added noise" },
} satisfies Record<string, SamplerOption>;

/** Entries of the DPM family: solvers in ln sigma with the linear part solved exactly. */
export const dpmSamplers = {
  "dpmpp-2m": entry(dpmpp2m, {
    name: "dpmpp-2m",
    description: "DPM-Solver++(2M) (Lu et al. 2022): order 2 at 1 evaluation a step",
    source: "Lu et al. 2022 (arXiv:2211.01095), Algorithm 2",
    order: 2,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => steps,
    options: {},
  }),
  dpm2: entry(dpm2, {
    name: "dpm2",
    description:
      "DPM-Solver-2, the midpoint in ln sigma (Lu et al. 2022), optional churn; 2 evaluations a step",
    source:
      "Lu et al. 2022 (arXiv:2206.00927), Algorithm 1 with r = 1/2; in sigma as in Karras et al. 2022, with churn",
    order: 2,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => 2 * steps - 1,
    options: CHURN,
  }),
  "dpm2-ancestral": entry(dpm2Ancestral, {
    name: "dpm2-ancestral",
    description:
      'DPM-Solver-2 below the next noise level, then fresh noise up to it ("DPM2 a"); 2 evaluations a step',
    source: 'Lu et al. 2022 (arXiv:2206.00927) for the step; known as "DPM2 a" from k-diffusion',
    order: 2,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => 2 * steps - 1,
    options: ANCESTRAL(1),
  }),
  "dpmpp-2s-ancestral": entry(dpmpp2sAncestral, {
    name: "dpmpp-2s-ancestral",
    description: "DPM-Solver++(2S) with fresh noise (Lu et al. 2022); 2 evaluations a step",
    source: "Lu et al. 2022 (arXiv:2211.01095), Algorithm 1 with r = 1/2; ancestral as in k-diffusion",
    order: 2,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => 2 * steps - 1,
    options: ANCESTRAL(1),
  }),
  "dpmpp-sde": entry(dpmppSde, {
    name: "dpmpp-sde",
    description: "DPM-Solver++ on the reverse SDE in two stages; 2 evaluations and 2 noises a step",
    source:
      "Lu et al. 2022 (arXiv:2211.01095), section 5; as in k-diffusion, and with the defaults diffusers' DPMSolverSDEScheduler",
    order: 1,
    stochastic: true,
    renoises: false,
    noises: 2,
    evaluations: (steps) => 2 * steps - 1,
    options: {
      ...ANCESTRAL(1),
      r: { default: 0.5, min: 0.01, description: "where in a step, in ln sigma, the second evaluation lies" },
    },
  }),
  "dpmpp-2m-sde": entry(dpmpp2mSde, {
    name: "dpmpp-2m-sde",
    description: "SDE-DPM-Solver++(2M) (Lu et al. 2022): two-step method on the reverse SDE",
    source: "Lu et al. 2022 (arXiv:2211.01095), section 5; as in k-diffusion",
    order: 2,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => steps,
    options: {
      ...ANCESTRAL(1),
      solver: {
        default: "midpoint",
        choices: ["midpoint", "heun"],
        description: "how the prediction is extrapolated over a step",
      },
    },
  }),
  "dpmpp-3m-sde": entry(dpmpp3mSde, {
    name: "dpmpp-3m-sde",
    description: "SDE-DPM-Solver++(3M): three-step method on the reverse SDE",
    source: "the third order of Lu et al. 2022 (arXiv:2211.01095) on the SDE, as in k-diffusion",
    order: 2,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => steps,
    options: ANCESTRAL(1),
  }),
  "dpm-multistep": entry(dpmMultistep, {
    name: "dpm-multistep",
    description:
      "DPM-Solver and DPM-Solver++ in several steps (Lu et al. 2022): all algorithms, orders 1 to 3",
    source:
      "Lu et al. 2022 (arXiv:2206.00927, arXiv:2211.01095); third order and the rules for the last steps as in the authors' code",
    order: 2,
    stochastic: false,
    renoises: false,
    looksAhead: true,
    evaluations: (steps) => steps,
    options: {
      ...DPM,
      eulerAtFinal: { default: false, description: "whether the last step uses one prediction" },
      bend: {
        default: "exact",
        choices: ["exact", "published", "diffusers"],
        description: "the bend's weight at order 3: exact, or as the authors' code or diffusers have it",
      },
    },
  }),
  "dpm-singlestep": entry(dpmSinglestep, {
    name: "dpm-singlestep",
    description: "DPM-Solver and DPM-Solver++ in blocks of 1 to 3 steps of the grid (Lu et al. 2022)",
    source:
      "Lu et al. 2022 (arXiv:2206.00927), Algorithms 1 and 2; (arXiv:2211.01095), Algorithm 1; blocks on a given grid as in diffusers",
    order: 2,
    stochastic: false,
    renoises: false,
    looksAhead: true,
    evaluations: (steps) => steps,
    options: {
      ...DPM,
      bend: {
        default: "exact",
        choices: ["exact", "diffusers"],
        description:
          "the bend's weight at order 3 with heun and sde-dpmsolver++: exact, or as diffusers has it",
      },
    },
  }),
  unipc: entry(uniPc, {
    name: "unipc",
    description: "UniPC (Zhao et al. 2023): predicts a step, then corrects it without another evaluation",
    source:
      "Zhao et al. 2023 (arXiv:2302.04867), UniP and UniC in several steps; the order at the ends of a run as in the authors' code",
    order: 3,
    stochastic: false,
    renoises: false,
    looksAhead: true,
    evaluations: (steps) => steps,
    options: {
      order: {
        default: 2,
        min: 1,
        max: 8,
        whole: true,
        description: "predictions that the predictor uses; the corrector uses one more",
      },
      variant: {
        default: "bh2",
        choices: ["bh1", "bh2"],
        description: "B(h), where a step has one slope: h or e^h - 1",
      },
      predictX0: { default: true, description: "whether x0 is taken to be smooth, or else eps" },
      lowerOrderFinal: { default: true, description: "whether the order falls to 1 over the last steps" },
      disableCorrector: { default: [], description: "steps that are not corrected, from 0, as in 0,1" },
    },
  }),
  deis: entry(deis, {
    name: "deis",
    description: "DEIS (Zhang & Chen 2023): eps as a polynomial in ln sigma, integrated exactly",
    source:
      "Zhang & Chen 2023 (arXiv:2204.13902), its Adams-Bashforth kind, the polynomial in ln rho as in diffusers",
    order: 2,
    stochastic: false,
    renoises: false,
    looksAhead: true,
    evaluations: (steps) => steps,
    options: { order: DPM.order, lowerOrderFinal: LOWER_ORDER_FINAL },
  }),
  "res-multistep": entry(resMultistep, {
    name: "res-multistep",
    description: "RES (Zhang et al. 2023): exponential integrator on x0 in two steps",
    source:
      "Zhang et al. 2023 (arXiv:2308.02157), second order, with the last prediction for the second stage; as in ComfyUI's res_multistep",
    order: 2,
    stochastic: false,
    renoises: false,
    evaluations: (steps) => steps,
    options: {},
  }),
  "res-multistep-ancestral": entry(resMultistepAncestral, {
    name: "res-multistep-ancestral",
    description: "RES in two steps to below the next noise level, then fresh noise up to it",
    source:
      "Zhang et al. 2023 (arXiv:2308.02157), second order, with the last prediction for the second stage; as in ComfyUI's res_multistep",
    order: 2,
    stochastic: true,
    renoises: false,
    evaluations: (steps) => steps,
    options: ANCESTRAL(1),
  }),
  "dpm-fast": entry(dpmFast, {
    name: "dpm-fast",
    description: "DPM-Solver-fast: third order in few evaluations, on steps of its own",
    source: "Lu et al. 2022 (arXiv:2206.00927), appendix D.3; ancestral as in k-diffusion",
    order: 3,
    stochastic: false,
    renoises: false,
    visitsGrid: false,
    endsAtPrediction: false,
    evaluations: (steps) => steps,
    options: ANCESTRAL(0),
  }),
  "dpm-adaptive": entry(dpmAdaptive, {
    name: "dpm-adaptive",
    description: "DPM-Solver-23 with steps as long as two orders agree; a sample depends on its batch",
    source: "Lu et al. 2022 (arXiv:2206.00927), appendix C; the controller is k-diffusion's",
    order: 3,
    stochastic: false,
    renoises: false,
    visitsGrid: false,
    endsAtPrediction: false,
    evaluations: () => null,
    options: {
      order: {
        default: 3,
        min: 2,
        max: 3,
        whole: true,
        description: "order of the step that is taken, 2 or 3",
      },
      rtol: { default: 0.05, min: 0, description: "relative tolerance" },
      atol: { default: 0.0078, min: 0, description: "absolute tolerance" },
      firstStep: { default: 0.05, min: 1e-6, description: "length of the first step in ln sigma" },
    },
  }),
} as const satisfies Record<string, Sampler>;
