import { rowSize, sameKind } from "../../base/tensor.ts";
import type { Adjust } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { adjustMethod, intervalOption } from "../method.ts";
import { type Space, convertAt } from "../spaces.ts";
import { choice, probability } from "../values.ts";

export interface ChannelNormOptions {
  /** 0 is off, 1 caps wholly. */
  readonly amount: number;
  readonly space: Space;
  readonly interval?: Interval;
}

/**
 * CFG-norm: at each position, the norm over the channels (a sample's first axis) does not exceed the strong prediction's.
 *
 *   D' = amount * D * min(1, |strong|/|D|) + (1 - amount) * D
 *
 * Source: Qwen-Image's pipeline and ComfyUI's CFGNorm; CFG-Renorm (arXiv:2503.21758) is the same over a whole sample.
 */
export function channelNorm({ amount, space, interval = everywhere }: ChannelNormOptions): Adjust {
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
          const factor = got > wanted ? amount * Math.sqrt(wanted / got) + 1 - amount : 1;
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
    space: {
      meaning: "whose norms are compared; Qwen-Image's is velocity, ComfyUI's x0",
      unit: "one of velocity, x0, eps, v",
      default: "velocity",
      values: choice("velocity", "x0", "eps", "v"),
    },
  },
  make: channelNorm,
});
