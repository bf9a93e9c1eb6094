import { rowSize, sameKind } from "../../base/tensor.ts";
import type { Adjust } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { adjustMethod, intervalOption } from "../method.ts";
import { shareOfSize } from "../perRow.ts";
import { type Space, convertAt } from "../spaces.ts";
import { choice, probability } from "../values.ts";

/** "comfyui": norms that are larger than the strong prediction's are brought down to it; "qwen-image": smaller ones up to it as well. */
export type ChannelNormForm = "comfyui" | "qwen-image";

export interface ChannelNormOptions {
  /** 0 is off, 1 caps wholly. */
  readonly amount: number;
  readonly space: Space;
  readonly interval?: Interval;
  /** Default "comfyui". */
  readonly form?: ChannelNormForm;
}

/**
 * CFG-norm: at each position, the norm over the channels (a sample's first axis) does not exceed the strong prediction's.
 *
 *   D' = amount * D * min(1, |strong|/|D|) + (1 - amount) * D
 *
 * In the form "qwen-image" it equals the strong prediction's: without min(1, .). A position without a norm is left alone.
 *
 * Source: ComfyUI's CFGNorm, and Qwen-Image's pipeline in diffusers; CFG-Renorm (arXiv:2503.21758) caps the norm of a whole sample.
 */
export function channelNorm(options: ChannelNormOptions): Adjust {
  const { amount, space, interval = everywhere, form = "comfyui" } = options;
  return {
    method: "cfg-norm",
    interval,
    relative: true,
    adjust({ x, sigma, strong, denoised }, state) {
      if (amount === 0) return { denoised, state };
      const { to, from } = convertAt(space, x, sigma);
      const [guided, reference] = [to(denoised), to(strong)];
      const size = rowSize(guided);
      const channels = guided.shape[1];
      const positions = size / channels;
      const data = sameKind(guided.data, guided.data.length);
      for (let row = 0; row < guided.shape[0]; row++) {
        for (let at = 0; at < positions; at++) {
          let [wanted, got] = [0, 0];
          for (let c = 0; c < channels; c++) {
            const i = row * size + c * positions + at;
            wanted += reference.data[i] ** 2;
            got += guided.data[i] ** 2;
          }
          const acts = form === "qwen-image" || got > wanted;
          const factor = acts ? shareOfSize(amount, Math.sqrt(wanted), Math.sqrt(got)) : 1;
          for (let c = 0; c < channels; c++) {
            const i = row * size + c * positions + at;
            data[i] = factor * guided.data[i];
          }
        }
      }
      return { denoised: from({ data, shape: guided.shape }), state };
    },
  };
}

export const channelNormMethod = adjustMethod({
  name: "cfg-norm",
  role: "adjust",
  summary:
    "CFG-norm keeps the guided prediction's norm over the channels, at each position, below the strong one's.",
  formula: "D' = amount*D*min(1, |strong|/|D|) + (1 - amount)*D, norms over the channels of a position",
  formulaWith: ({ form }) =>
    form === "qwen-image"
      ? "D' = amount*D*|strong|/|D| + (1 - amount)*D, norms over the channels of a position"
      : undefined,
  needs: "samples with channels",
  cost: "nothing",
  adds: { networks: 0, gradients: 0 },
  when: "Latent networks at large weights, against burnt spots.",
  published: "1 (Qwen-Image)",
  source: "Qwen-Image; ComfyUI's CFGNorm",
  space: "velocity",
  strength: "amount",
  off: 0,
  example: { model: "fashion-mnist" },
  options: {
    amount: { meaning: "0 is off, 1 caps wholly", unit: "share, 0 to 1", default: 1, values: probability },
    interval: intervalOption,
    form: {
      meaning:
        "comfyui brings norms down that are larger than the strong prediction's; qwen-image smaller ones up as well",
      unit: "one of comfyui, qwen-image",
      default: "comfyui" as const,
      values: choice("comfyui", "qwen-image"),
    },
    space: {
      meaning: "whose norms are compared; Qwen-Image's is velocity, ComfyUI's x0",
      unit: "one of velocity, x0, eps, v",
      default: "velocity",
      values: choice("velocity", "x0", "eps", "v"),
    },
  },
  make: channelNorm,
});
