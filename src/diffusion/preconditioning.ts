import { UsageError } from "../base/errors.ts";
import { betas, timestepOfSigma, timestepSigmas } from "./betas.ts";
import type { BetasSpec } from "./betas.ts";

/**
 * How a raw network F becomes a denoiser D of x = x0 + sigma * noise:
 *   D(x; sigma) = cSkip(sigma) * x + cOut(sigma) * F(cIn(sigma) * x, cNoise(sigma))
 * All five take sigma > 0. Source of the form: Karras et al. 2022 (arXiv:2206.00364), Eq. 7.
 */
export interface Preconditioning {
  readonly kind: PreconditioningSpec["kind"];
  cSkip(sigma: number): number;
  cOut(sigma: number): number;
  cIn(sigma: number): number;
  /** The number the network is told about the noise: ln(sigma) / 4, a timestep, or t. */
  cNoise(sigma: number): number;
  /** Loss weight 1 / cOut^2 of |D - x0|^2: the loss is then the plain squared error of F (for "eps", DDPM's simple loss). */
  weight(sigma: number): number;
}

/** A preconditioning as data, as it stands in a checkpoint's config. */
export type PreconditioningSpec =
  | {
      readonly kind: "edm";
      /** Standard deviation of the data, > 0. Default 0.5. */ readonly sigmaData?: number;
    }
  | {
      readonly kind: "eps" | "v" | "x0";
      /** The discrete schedule whose timesteps the network was trained on. */ readonly betas: BetasSpec;
    }
  | {
      readonly kind: "flow";
      /** The network is told timeScale * t. Default 1. */ readonly timeScale?: number;
    }
  | { readonly kind: "score" };

const KEYS = {
  edm: ["sigmaData"],
  eps: ["betas"],
  v: ["betas"],
  x0: ["betas"],
  flow: ["timeScale"],
  score: [],
} as const satisfies Record<PreconditioningSpec["kind"], readonly string[]>;

/**
 * The preconditioning that a config describes, for example { kind: "edm", sigmaData: 0.5 }.
 * Throws UsageError on an unknown kind, an unknown key or a value out of range, and lists what is known.
 */
export function preconditioning(spec: PreconditioningSpec): Preconditioning {
  if (!Object.hasOwn(KEYS, spec.kind)) {
    throw new UsageError(
      `no preconditioning is called "${spec.kind}"; there are: ${Object.keys(KEYS).join(", ")}`,
    );
  }
  const known: readonly string[] = KEYS[spec.kind];
  for (const key of Object.keys(spec)) {
    if (key !== "kind" && !known.includes(key)) {
      throw new UsageError(`preconditioning "${spec.kind}" has no "${key}"; it has: ${known.join(", ")}`);
    }
  }
  switch (spec.kind) {
    case "edm":
      return edm(spec);
    case "eps":
      return eps(spec);
    case "v":
      return v(spec);
    case "x0":
      return x0(spec);
    case "flow":
      return flow(spec);
    case "score":
      return score();
  }
}

/**
 * Unit variance in and out of the network at every noise level, for data of standard deviation sigmaData:
 *   cSkip = sd^2 / (s^2 + sd^2)   cOut = s sd / sqrt(s^2 + sd^2)   cIn = 1 / sqrt(s^2 + sd^2)   cNoise = ln(s) / 4
 * Source: Karras et al. 2022 (arXiv:2206.00364), Table 1.
 */
export function edm({ sigmaData = 0.5 }: { readonly sigmaData?: number } = {}): Preconditioning {
  if (!(sigmaData > 0 && Number.isFinite(sigmaData))) {
    throw new UsageError(
      `sigmaData is the standard deviation of the data, a number above 0, got ${sigmaData}`,
    );
  }
  const total = (sigma: number) => sigma * sigma + sigmaData * sigmaData;
  return weighted({
    kind: "edm",
    cSkip: (sigma) => (sigmaData * sigmaData) / total(sigma),
    cOut: (sigma) => (sigma * sigmaData) / Math.sqrt(total(sigma)),
    cIn: (sigma) => 1 / Math.sqrt(total(sigma)),
    cNoise: (sigma) => Math.log(sigma) / 4,
  });
}

/**
 * F predicts the noise at a timestep of a discrete schedule: D = x - sigma F. The network sees the variance-preserving
 * x / sqrt(1 + sigma^2) and the timestep, fractional between two of the table's noise levels (linear in ln sigma).
 * Source: Ho et al. 2020 (arXiv:2006.11239), Eq. 11.
 */
export function eps(spec: { readonly betas: BetasSpec }): Preconditioning {
  return weighted({ kind: "eps", cSkip: () => 1, cOut: (sigma) => -sigma, ...discrete(spec.betas) });
}

/**
 * F predicts v = alpha noise - sigma' x0 of the variance-preserving x' = alpha x: D = alpha x' - sigma' F, in VE terms
 * cSkip = 1 / (1 + sigma^2), cOut = -sigma / sqrt(1 + sigma^2). Source: Salimans & Ho 2022 (arXiv:2202.00512), appendix D.
 */
export function v(spec: { readonly betas: BetasSpec }): Preconditioning {
  return weighted({
    kind: "v",
    cSkip: (sigma) => 1 / (1 + sigma * sigma),
    cOut: (sigma) => -sigma / Math.sqrt(1 + sigma * sigma),
    ...discrete(spec.betas),
  });
}

/** F predicts x0 at a timestep of a discrete schedule: D = F. */
export function x0(spec: { readonly betas: BetasSpec }): Preconditioning {
  return weighted({ kind: "x0", cSkip: () => 0, cOut: () => 1, ...discrete(spec.betas) });
}

/**
 * F predicts the velocity u = noise - x0 of the straight path x' = (1 - t) x0 + t noise, t = sigma / (1 + sigma), x' = x / (1 + sigma):
 * D = x' - t F, in VE terms cSkip = cIn = 1 / (1 + sigma), cOut = -sigma / (1 + sigma), cNoise = timeScale t.
 * Source: Liu et al. 2022 (arXiv:2209.03003), Eq. 1, with time running from data to noise.
 */
export function flow({ timeScale = 1 }: { readonly timeScale?: number } = {}): Preconditioning {
  if (!(timeScale > 0 && Number.isFinite(timeScale)))
    throw new UsageError(`timeScale is a number above 0, got ${timeScale}`);
  return weighted({
    kind: "flow",
    cSkip: (sigma) => 1 / (1 + sigma),
    cOut: (sigma) => -sigma / (1 + sigma),
    cIn: (sigma) => 1 / (1 + sigma),
    cNoise: (sigma) => (timeScale * sigma) / (1 + sigma),
  });
}

/** F is the score of x, told sigma itself: D = x + sigma^2 F. */
export function score(): Preconditioning {
  return weighted({
    kind: "score",
    cSkip: () => 1,
    cOut: (sigma) => sigma * sigma,
    cIn: () => 1,
    cNoise: (sigma) => sigma,
  });
}

/** cIn and cNoise of every network that was trained on a variance-preserving discrete schedule. */
function discrete(spec: BetasSpec | undefined): Pick<Preconditioning, "cIn" | "cNoise"> {
  if (!spec)
    throw new UsageError(
      'a discrete-time preconditioning needs its schedule: betas: { kind: "linear", count: 1000 }',
    );
  const table = timestepSigmas(betas(spec));
  return {
    cIn: (sigma) => 1 / Math.sqrt(1 + sigma * sigma),
    cNoise: (sigma) => timestepOfSigma(table, sigma),
  };
}

function weighted(parts: Omit<Preconditioning, "weight">): Preconditioning {
  return { ...parts, weight: (sigma) => 1 / parts.cOut(sigma) ** 2 };
}
