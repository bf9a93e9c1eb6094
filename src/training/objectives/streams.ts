import { type Stream, philox } from "../../base/philox.ts";

const purposes = ["noise", "levels", "condition", "shift", "data"] as const;

/** The random stream of one purpose at one training step: resumed trainings draw what uninterrupted ones would. */
export function stepStream(seed: number, step: number, purpose: (typeof purposes)[number]): Stream {
  return philox(seed, 2 ** 32 + step * purposes.length + purposes.indexOf(purpose));
}
