/** How the learning rate changes over a training. Every kind can rise linearly over its first `warmUpSteps`. */
export type Schedule =
  | { readonly kind: "constant"; readonly warmUpSteps: number }
  /** After the warm-up, half a cosine from 1 down to `final` (a fraction of the learning rate) at the last step. */
  | { readonly kind: "cosine"; readonly warmUpSteps: number; readonly final: number }
  /** 1 / sqrt(max(step / referenceSteps, 1)): constant up to `referenceSteps`, then falling as one over the root. */
  | { readonly kind: "inverse-sqrt"; readonly warmUpSteps: number; readonly referenceSteps: number };

/**
 * The learning rate of `step` (from 0) in a training of `steps` steps.
 *
 *   learningRate min(1, (step + 1) / warmUpSteps) decay(step)
 *
 * Source of inverse-sqrt: Karras et al. 2024 (arXiv:2312.02696), Eq. 67.
 */
export function learningRateAt(
  schedule: Schedule,
  learningRate: number,
  step: number,
  steps: number,
): number {
  const rise = schedule.warmUpSteps > 0 ? Math.min(1, (step + 1) / schedule.warmUpSteps) : 1;
  return learningRate * rise * decay(schedule, step, steps);
}

function decay(schedule: Schedule, step: number, steps: number): number {
  switch (schedule.kind) {
    case "constant":
      return 1;
    case "cosine": {
      const span = Math.max(1, steps - schedule.warmUpSteps);
      const progress = Math.min(1, Math.max(0, step - schedule.warmUpSteps) / span);
      return schedule.final + ((1 - schedule.final) * (1 + Math.cos(Math.PI * progress))) / 2;
    }
    case "inverse-sqrt":
      return 1 / Math.sqrt(Math.max(step / schedule.referenceSteps, 1));
    default:
      return schedule satisfies never;
  }
}
