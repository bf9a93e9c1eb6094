import type { Combine } from "../guidance.ts";
import { combineMethod, numberOption, spaceOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";
import { choice, probability } from "../values.ts";
import { perRow, standardDeviation } from "../perRow.ts";
import { quantile } from "../../base/quantile.ts";

export interface MimicOptions {
  /** The smaller weight whose spread is imitated. */
  readonly mimic: number;
  /** "max": largest distance from a channel's mean; "std": standard deviation. */
  readonly spread: "max" | "std";
  /** For "max": the quantile of the distances of the guided prediction that counts as its largest. */
  readonly percentile: number;
  /** Share of the corrected prediction: 0 is cfg. */
  readonly amount: number;
  readonly space?: Space;
}

/**
 * "Mimic" dynamic thresholding: guidance of a large weight with the spread of a smaller one, channel by channel.
 *
 *   g = weak + w*(strong - weak), m = weak + mimic*(strong - weak), each less its mean over a channel
 *   max:  t = max(max|m|, quantile(|g|, percentile));  g' = clip(g, -t, t)/t * max|m|
 *   std:  g' = g * std(m)/std(g)
 *   D = mean of g + g', and `amount` of it
 *
 * A channel is the first axis of a sample. No paper; mcmonkey's "dynamic thresholding" extension.
 */
export function mimic({ mimic: small, spread, percentile, amount, space = "eps" }: MimicOptions): Combine {
  return {
    method: "mimic",
    combine(pair, state) {
      const { to, from } = convertAt(space, pair.x, pair.sigma);
      const inSpace = { ...pair, strong: to(pair.strong), weak: to(pair.weak) };
      const channels = pair.x.shape.length > 2 ? pair.x.shape[1] : 1;
      const guided = perRow(inSpace, ({ strong, weak, weight }) => {
        const at = (w: number): Float64Array => strong.map((s, i) => weak[i] + w * (s - weak[i]));
        const [large, imitated] = [at(weight), at(small)];
        const size = large.length / channels;
        const out = new Float64Array(large.length);
        for (let c = 0; c < channels; c++) {
          const [from_, to_] = [c * size, (c + 1) * size];
          const [mean, g] = centred(large.subarray(from_, to_));
          const [, m] = centred(imitated.subarray(from_, to_));
          const corrected = spread === "std" ? toSpread(g, m) : clipped(g, m, percentile);
          for (let i = 0; i < size; i++) {
            out[from_ + i] = amount * (mean + corrected[i]) + (1 - amount) * large[from_ + i];
          }
        }
        return out;
      });
      return { denoised: from(guided), state };
    },
  };
}

function centred(values: Float64Array): [number, Float64Array] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, values.map((value) => value - mean)];
}

function toSpread(g: Float64Array, m: Float64Array): Float64Array {
  const ratio = standardDeviation(m) / standardDeviation(g);
  return Number.isFinite(ratio) ? g.map((value) => value * ratio) : g;
}

function clipped(g: Float64Array, m: Float64Array, percentile: number): Float64Array {
  const reach = m.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const limit = Math.max(reach, quantile(g.map(Math.abs), percentile));
  if (limit === 0) return g;
  return g.map((value) => (Math.min(Math.max(value, -limit), limit) / limit) * reach);
}

export const mimicMethod = combineMethod({
  name: "mimic",
  role: "combine",
  summary: "Mimic thresholding guides with a large weight and keeps the spread of a smaller one.",
  formula:
    "weak + weight*(strong - weak), each channel brought to the spread of weak + mimic*(strong - weak)",
  needs: "what the weak method needs",
  cost: "nothing beside the weak method",
  adds: { networks: 0, gradients: 0 },
  when: "Latent networks at large weights.",
  published: "mimic 7, percentile 1",
  source: "mcmonkey, sd-dynamic-thresholding (no paper)",
  space: "eps",
  strength: "weight",
  off: 1,
  example: { spec: "mimic:8,mimic=2", model: "fashion-mnist" },
  options: {
    mimic: numberOption("the smaller weight whose spread is imitated", 7),
    spread: {
      meaning: "what is imitated: the largest distance from the mean, or the standard deviation",
      unit: "one of max, std",
      default: "max" as const,
      values: choice("max", "std"),
    },
    percentile: {
      meaning: "for max: the quantile that counts as largest; 1 is the largest itself",
      unit: "share, 0 to 1",
      default: 1,
      values: probability,
    },
    amount: {
      meaning: "share of the correction: 0 is cfg",
      unit: "share, 0 to 1",
      default: 1,
      values: probability,
    },
    space: spaceOption("eps", "what is corrected"),
  },
  make: mimic,
});
