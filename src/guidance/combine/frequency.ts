import { UsageError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { Combine } from "../guidance.ts";
import { combineMethod, spaceOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";
import { choice, numberList } from "../values.ts";
import { weightOfRow } from "../weight.ts";
import { build, pyramid } from "./laplacian.ts";
import { dot, shareOfSize, standardDeviation } from "../perRow.ts";

/**
 * What a level's difference is added to: "paper": strong_l + (w_l - 1)*g; "diffusers": weak_l + w_l*g. One where g is strong_l - weak_l,
 * that is where its parallel part is kept whole.
 */
export type FrequencyForm = "paper" | "diffusers";

export interface FrequencyOptions {
  /** What multiplies w - 1 at each level of detail, finest first; their number is the number of levels. */
  readonly factors: readonly number[];
  /** Share of the part along the strong prediction's level, one for all levels or one each. Default 1: all. */
  readonly parallel?: readonly number[];
  /** Share of each level that has the strong level's standard deviation, as `rescale`, one for all levels or one each. Default 0. */
  readonly rescale?: readonly number[];
  /** Default "paper". */
  readonly form?: FrequencyForm;
  readonly space?: Space;
}

/**
 * Frequency-decoupled guidance: another weight for each level of a Laplacian pyramid, for images [batch, channels, height, width].
 *
 *   w_l = 1 + factor_l (w - 1);     level l = strong_l + (w_l - 1) (parallel_l along + across),  along and across the strong level
 *
 *   level l <- rescale_l * (level l) * std(strong_l)/std(level l) + (1 - rescale_l) * (level l)
 *
 * Equal factors with the whole parallel part are extrapolation. Sides that cannot be halved often enough are mirrored at their ends to the next
 * size that can, and cut again. Source: Sadat et al. 2025 (arXiv:2506.19713), Algorithm 2.
 */
export function frequency({
  factors,
  parallel = [1],
  rescale = [0],
  form = "paper",
  space = "x0",
}: FrequencyOptions): Combine {
  return {
    method: "fdg",
    combine(pair, state) {
      if (pair.x.shape.length !== 4) {
        throw new UsageError(
          `fdg guides images of [batch, channels, height, width], got x of [${pair.x.shape.join(", ")}]`,
        );
      }
      const { to, from } = convertAt(space, pair.x, pair.sigma);
      const [strong, weak] = [to(pair.strong), to(pair.weak)].map((x) => pyramid(x, factors.length));
      const levels = strong.map((level, l) =>
        guidedLevel(
          level,
          weak[l],
          { share: atLevel(parallel, l), phi: atLevel(rescale, l), form },
          (row) => 1 + factors[l] * (weightOfRow(pair.weight, row) - 1),
        ),
      );
      return { denoised: from(build(levels, to(pair.strong))), state };
    },
  };
}

const atLevel = (values: readonly number[], level: number): number =>
  values[Math.min(level, values.length - 1)];

/** strong + (w - 1) (across + share * along), row by row; or weak + w (...). Then rescaled by phi. */
function guidedLevel(
  strong: Tensor,
  weak: Tensor,
  { share, phi, form }: { readonly share: number; readonly phi: number; readonly form: FrequencyForm },
  weight: (row: number) => number,
): Tensor {
  const size = strong.data.length / strong.shape[0];
  const data = new Float64Array(strong.data.length);
  for (let row = 0; row < strong.shape[0]; row++) {
    const [c, u] = [strong, weak].map((x) => x.data.subarray(row * size, (row + 1) * size));
    const g = Float64Array.from(c, (value, i) => value - u[i]);
    const squared = dot(c, c);
    const along = share === 1 || squared === 0 ? 0 : dot(g, c) / squared;
    const [base, w] = form === "paper" ? [c, weight(row) - 1] : [u, weight(row)];
    const guided = base.map((value, i) => value + w * (g[i] + (share - 1) * along * c[i]));
    const factor = phi === 0 ? 1 : shareOfSize(phi, standardDeviation(c), standardDeviation(guided));
    for (let i = 0; i < size; i++) data[row * size + i] = factor * guided[i];
  }
  return { data, shape: strong.shape };
}

export const frequencyMethod = combineMethod({
  name: "fdg",
  role: "combine",
  summary: "Frequency-decoupled guidance takes a larger weight for fine detail than for what is coarse.",
  formula:
    "a Laplacian pyramid of both; each level strong_l + factors_l*(weight - 1)*(parallel_l*along + across), along and across the strong level",
  formulaWith: ({ form }) =>
    form === "diffusers"
      ? "a Laplacian pyramid of both; each level weak_l + (1 + factors_l*(weight - 1))*(parallel_l*along + across)"
      : undefined,
  needs: "images, and what the weak method needs",
  cost: "nothing beside the weak method",
  adds: { networks: 0, gradients: 0 },
  when: "Sharp detail without the loss of diversity of a large weight.",
  published: "two levels: weight 10 for fine, 5 for coarse, which is weight 5 with factors 2.25|1",
  source: "Sadat et al. 2025, arXiv:2506.19713",
  space: "x0",
  strength: "weight",
  off: 1,
  example: { model: "fashion-mnist" },
  options: {
    factors: {
      meaning: "what multiplies weight - 1 at each level, finest first: all 1 is cfg",
      unit: "numbers joined by |",
      default: [2.25, 1] as readonly number[],
      values: numberList,
    },
    parallel: {
      meaning: "share of the part along the strong prediction, for all levels or each: 1 keeps all",
      unit: "numbers joined by |",
      default: [1] as readonly number[],
      values: numberList,
    },
    rescale: {
      meaning: "share of each level that takes the strong level's standard deviation: 0 is off",
      unit: "numbers joined by |",
      default: [0] as readonly number[],
      values: numberList,
    },
    form: {
      meaning: "what a level's difference is added to: the paper's strong level, or diffusers' weak one",
      unit: "one of paper, diffusers",
      default: "paper" as const,
      values: choice("paper", "diffusers"),
    },
    space: spaceOption("x0", "what the pyramids are of"),
  },
  make: frequency,
});
