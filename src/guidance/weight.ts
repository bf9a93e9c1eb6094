import { UsageError } from "../base/errors.ts";

/** How strong a method is at each noise level. */
export interface WeightSchedule {
  /** The weight at a noise level, in the sampler's step of that number (from 0): one for all rows, or one a row. */
  at(sigma: number, step: number): WeightNow;
}

/** w in weak + w*(strong - weak): one number, one for each row of the batch, or a function of the noise level. 1 is off. */
export type Weight = number | readonly number[] | WeightSchedule;

/** A weight at one noise level: one number, or one a row. */
export type WeightNow = number | readonly number[];

/** The weight of `rows` rows at a noise level. Throws UsageError for a list of another length. */
export function weightAt(weight: Weight, sigma: number, step: number, rows: number): WeightNow {
  if (typeof weight === "number") return weight;
  if ("at" in weight && typeof weight.at === "function" && !Array.isArray(weight))
    return weightAt((weight as WeightSchedule).at(sigma, step), sigma, step, rows);
  const list = weight as readonly number[];
  if (list.length !== rows) {
    throw new UsageError(`${rows} samples take ${rows} weights, or one for all, got ${list.length}`);
  }
  return list;
}

/** Whether the weight is 1 (or what else is off), for every row. */
export function isOff(weight: WeightNow, off = 1): boolean {
  return typeof weight === "number" ? weight === off : weight.every((w) => w === off);
}

export function weightOfRow(weight: WeightNow, row: number): number {
  return typeof weight === "number" ? weight : weight[row];
}
