import type { Stream } from "../base/philox.ts";
import { sizeOf } from "../base/tensor.ts";

/** Where each named parameter lies in the one flat array that holds them all. */
export interface ParameterLayout {
  readonly entries: readonly ParameterEntry[];
  /** Number of elements of all parameters together. */
  readonly size: number;
}

export interface ParameterEntry {
  readonly name: string;
  readonly shape: readonly number[];
  /** Index of the first element in the flat array. */
  readonly offset: number;
  readonly size: number;
}

/** The layout that puts the parameters one after another, in the order given. */
export function layoutOf(
  parameters: readonly { readonly name: string; readonly shape: readonly number[] }[],
): ParameterLayout {
  let offset = 0;
  const entries = parameters.map(({ name, shape }) => {
    const entry = { name, shape: [...shape], offset, size: sizeOf(shape) };
    offset += entry.size;
    return entry;
  });
  return { entries, size: offset };
}

/** A file made during training to look at, such as a grid of samples. */
export interface Preview {
  /** File name with its extension, such as "grid.png"; the loop puts the image count before it. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * What is trained: parameters, a loss and its gradient. The loop knows nothing else about networks and data.
 *
 * Steps count from 0. Everything random in `evaluate` derives from the seed and the step alone, so that a resumed
 * training sees the batches that an uninterrupted one would have seen. Whoever makes an objective disposes of it.
 */
export interface Objective {
  readonly layout: ParameterLayout;
  /** Samples of one step. */
  readonly batchSize: number;
  /** The starting parameters, [layout.size]. */
  initialise(stream: Stream): Float32Array;
  /** The loss at `parameters` for the batch of `step`; its gradient is written into `gradient` (both [layout.size]). */
  evaluate(
    parameters: Float32Array,
    step: number,
    gradient: Float32Array,
  ): Promise<{ readonly loss: number; readonly metrics?: Readonly<Record<string, number>> }>;
  /** Projects the parameters in place after each update (magnitude-preserving weights). */
  project?(parameters: Float32Array): void;
  /** Samples from fixed seeds with the averaged `parameters` after `step` steps; null when there is nothing to show. */
  preview?(parameters: Float32Array, step: number): Promise<Preview | null>;
  dispose(): Promise<void>;
}
