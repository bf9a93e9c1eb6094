import type { Prediction } from "../diffusion/denoiser.ts";
import type { WithState } from "./guidance.ts";

/** A part of guidance that may have a memory. */
interface Remembering {
  init?(rows: number, step: number): unknown;
}

/** What the methods of one run remember from step to step. */
export interface Memory {
  /** An evaluation in a step of the sampler begins (absent: a step of its own). Returns the step's number. */
  enter(rows: number, step: number | undefined): number;
  /** Runs a method on what it remembers from the steps before. What it knows after a step's first evaluation is kept. */
  run(part: Remembering, method: (state: unknown) => WithState<unknown>): Prediction;
  /** Looks at what a method remembers. */
  peek<T>(part: Remembering, look: (state: unknown) => T): T;
}

/**
 * The memories of some methods, empty. A solver that evaluates several times a step (Heun) asks several times, but the
 * memory is that of the steps: every evaluation of a step sees the same one, and only the first one, at the step's own noise level,
 * adds to it. A step number that goes back begins a new run.
 */
export function memoryOf(parts: readonly (Remembering | undefined)[]): Memory {
  const methods = parts.filter((part) => part !== undefined);
  let states = new Map<Remembering, unknown>();
  let next = new Map<Remembering, unknown>();
  let current: number | null = null;
  let isFirst = true;
  return {
    enter(rows, step) {
      const entered = step ?? (current === null ? 0 : current + 1);
      isFirst = entered !== current;
      if (current === null || entered < current) {
        states = new Map(methods.map((part) => [part, part.init?.(rows, entered)]));
        next = new Map();
      } else if (isFirst) {
        for (const [part, state] of next) states.set(part, state);
        next = new Map();
      }
      current = entered;
      return entered;
    },
    run(part, method) {
      const { denoised, state } = method(states.get(part));
      if (isFirst) next.set(part, state);
      return denoised;
    },
    peek: (part, look) => look(states.get(part)),
  };
}
