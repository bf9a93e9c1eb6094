import type { Sampler, SamplerOption } from "./catalogue.ts";
import { wanted } from "./catalogue.ts";

/** What there is to say of a sampler. Made of its entry in the catalogue. */
export interface SamplerPage {
  readonly name: string;
  readonly description: string;
  readonly source: string;
  readonly order: number;
  /** Of the denoiser, for N steps: "N", "2N - 1". */
  readonly evaluations: string;
  /** Whether it draws noise, with which options. */
  readonly noise: "always" | "with options" | "no";
  readonly remarks: readonly string[];
  readonly options: readonly {
    readonly name: string;
    readonly meaning: string;
    readonly wanted: string;
    readonly default: string;
  }[];
}

/** Options above whose 0 a sampler draws noise that draws none by default. */
const NOISY = ["eta", "churn"];

/** The page of a sampler. */
export function samplerPage(sampler: Sampler): SamplerPage {
  const { name, description, source, order, stochastic, options } = sampler;
  const canBeNoisy = NOISY.some((key) => Object.hasOwn(options, key));
  return {
    ...{ name, description, source, order },
    evaluations: evaluationsText(sampler),
    noise: stochastic ? "always" : canBeNoisy ? "with options" : "no",
    remarks: remarksOf(sampler),
    options: Object.entries(options).map(([key, option]) => ({
      name: key,
      meaning: option.description,
      wanted: wanted(option),
      default: defaultText(option),
    })),
  };
}

/** The line a*N + b through the counts of 20 and 40 steps; where 37 steps lie beside it, the counts themselves. */
function evaluationsText({ evaluations }: Sampler): string {
  const [at20, at37, at40] = [20, 37, 40].map(evaluations);
  if (at20 === null || at37 === null || at40 === null) return "as it decides";
  const slope = (at40 - at20) / 20;
  const rest = at20 - 20 * slope;
  if (slope * 37 + rest !== at37) return `${at20} for 20, ${at40} for 40`;
  const times = slope === 1 ? "N" : `${slope}N`;
  return rest === 0 ? times : `${times} ${rest < 0 ? "-" : "+"} ${Math.abs(rest)}`;
}

function remarksOf({
  order,
  renoises,
  shiftsMean,
  visitsGrid,
  endsAtPrediction,
  noises,
  stochastic,
}: Sampler): string[] {
  return [
    ...(order === 0
      ? ["for networks that predict the end of the path: converges to no denoiser's data"]
      : []),
    ...(renoises ? ["takes CFG++"] : []),
    ...(shiftsMean
      ? [`takes classifier guidance with form=mean-shift${stochastic ? "" : ", if its eta is above 0"}`]
      : []),
    ...(visitsGrid === false ? ["steps of its own between the grid's ends"] : []),
    ...(endsAtPrediction === false ? ["does not end at its last prediction"] : []),
    ...(stochastic && noises !== undefined && noises > 1 ? [`${noises} noises a step`] : []),
  ];
}

function defaultText({ default: value }: SamplerOption): string {
  if (Array.isArray(value)) return value.length > 0 ? value.join(",") : "none";
  return value === Infinity ? "inf" : String(value);
}
