import { UsageError } from "../base/errors.ts";
import { philox } from "../base/philox.ts";

/** Epoch e of a seed is shuffled by the stream FIRST_STREAM + e, far from the streams that draw noise. */
const FIRST_STREAM = 2 ** 40;

/**
 * The samples of training step `step` (from 0): every epoch goes through all `count` samples once, in an order that
 * depends on (seed, epoch) only. A batch may reach from one epoch into the next, so no sample is left out.
 *
 * A pure function of its arguments: a run that resumes at any step sees the batches of an uninterrupted one.
 * Cost: one permutation of `count` an epoch; the last ones are kept.
 */
export function batchIndices(seed: number, step: number, batchSize: number, count: number): Int32Array {
  for (const [name, value, least] of [
    ["step", step, 0],
    ["batch size", batchSize, 1],
    ["count of samples", count, 1],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new UsageError(`the ${name} is an integer of at least ${least}, got ${value}`);
    }
  }
  const first = step * batchSize;
  return Int32Array.from({ length: batchSize }, (_, i) => {
    const epoch = Math.floor((first + i) / count);
    return permutation(seed, epoch, count)[(first + i) % count];
  });
}

const KEPT = 4;
const kept = new Map<string, Int32Array>();

function permutation(seed: number, epoch: number, count: number): Int32Array {
  const key = `${seed} ${epoch} ${count}`;
  let order = kept.get(key);
  if (!order) {
    order = philox(seed, FIRST_STREAM + epoch).permutation(count);
    if (kept.size >= KEPT) kept.delete(kept.keys().next().value!);
    kept.set(key, order);
  }
  return order;
}
