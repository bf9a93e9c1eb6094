import { UsageError } from "../../base/errors.ts";
import { philox } from "../../base/philox.ts";
import type { Branch } from "../../diffusion/denoiser.ts";
import { streamOf } from "../draws.ts";
import type { Moment, Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, numberOption, weakMethod, weightOption } from "../method.ts";
import { timeOf, weightOf } from "../schedules.ts";
import { choice } from "../values.ts";
import type { Weight } from "../weight.ts";

export interface TsgOptions {
  /** w in weak + w*(strong - weak): 1 is off. */
  readonly weight: Weight;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** What is perturbed: the network's embedding of the noise level (the paper), or the noise level that it is told. */
  readonly form: "embedding" | "level";
  /** s: the standard deviation of the noise at t = 1, in the embedding's numbers or in ln sigma. */
  readonly noise: number;
  /** How the noise falls with t. */
  readonly alpha: number;
}

/**
 * Time-step guidance: the weak prediction is the network's when it is wrong about the noise level.
 *
 *   D = D(x; t~) + w*(D(x; t) - D(x; t~))
 *   embedding:  emb(t~) = emb(t) + s*t^alpha*n         n normal, of the embedding's width (the paper)
 *   level:      ln(sigma~) = ln(sigma) + s*t^alpha*n   n one normal number
 *
 * with t = (2/pi) atan(sigma), 1 in pure noise and 0 without noise. Only what the network is told changes; its input is scaled
 * and its output used by the true sigma. n is drawn for each row and step, from the row's seed. The condition is the strong
 * prediction's. Cost: 1 more evaluation where it acts.
 * Source: Sadat et al. 2024 (arXiv:2407.02687), section 5 and Algorithm 2.
 */
export function tsg<C>({ weight, interval = everywhere, form, noise, alpha }: TsgOptions): Term<C> {
  const amountAt = (sigma: number): number => noise * timeOf(sigma) ** alpha;
  const change = form === "embedding" ? onEmbedding : onLevel;
  return {
    method: "tsg",
    weight,
    interval,
    weak: (strong, moment) => ({ ...strong, ...change(moment, amountAt(moment.sigma)) }),
  };
}

type Told = Pick<Branch<never>, "told" | "levelNoise">;

function onEmbedding({ seeds, step }: Moment, amount: number): Told {
  return { levelNoise: { keep: 1, amount, rescale: 0, seeds, stream: streamOf("tsg", step) } };
}

function onLevel({ sigma, seeds, step }: Moment, amount: number): Told {
  const stream = streamOf("tsg", step);
  return { told: seeds.map((seed) => sigma * Math.exp(amount * philox(seed, stream).normal())) };
}

export const tsgMethod = weakMethod({
  name: "tsg",
  role: "weak",
  summary: "Time-step guidance moves away from the same network told a wrong noise level.",
  formula:
    "D = D(x; t~) + weight*(D(x; t) - D(x; t~)), emb(t~) = emb(t) + noise*t^alpha*n, t = (2/pi) atan(sigma)",
  formulaWith: ({ form }) =>
    form === "level"
      ? "D = D(x; sigma~) + weight*(D(x; sigma) - D(x; sigma~)), sigma~ = sigma*exp(noise*t^alpha*n), t = (2/pi) atan(sigma)"
      : undefined,
  needs: "a network with an embedding of the noise level; with form=level any network. No label",
  cost: "1 evaluation",
  adds: { networks: 1, gradients: 0 },
  when: "No label, no attention and no worse network at hand; and beside icg or cfg.",
  published: "noise and alpha are chosen for each network",
  source: "Sadat et al. 2024, arXiv:2407.02687",
  space: "any",
  strength: "weight",
  off: 1,
  options: {
    weight: weightOption("0 is the misled network, above 1 guides"),
    interval: intervalOption,
    form: {
      meaning:
        "what is perturbed: the embedding of the noise level (the paper), or the noise level that the network is told",
      unit: "one of embedding, level",
      default: "embedding" as const,
      values: choice("embedding", "level"),
    },
    noise: numberOption(
      "the paper's s, the standard deviation of the noise at t = 1: of the embedding's numbers, or of ln sigma with form=level",
      1,
      "numbers of the embedding, or e-folds of sigma",
    ),
    alpha: numberOption("how the noise falls with t: t^alpha; 0 is the same at every noise level", 1),
  },
  make: (options, { levelEmbedding = false }) => {
    if (options.form === "embedding" && !levelEmbedding) {
      throw new UsageError(
        "tsg needs an embedding of the noise level to put noise on; this network makes none. Write form=level",
      );
    }
    return tsg({ ...options, weight: weightOf(options.weight) });
  },
});
