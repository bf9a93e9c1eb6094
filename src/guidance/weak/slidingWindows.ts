import { UsageError } from "../../base/errors.ts";
import { type Tensor, map, rowSize, sameKind } from "../../base/tensor.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import type { Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, scaleOption, weakMethod } from "../method.ts";
import type { GuidanceResources } from "../resources.ts";
import { weightOf } from "../schedules.ts";
import { choice, shareBelowOne, wholeNumber } from "../values.ts";
import type { Weight } from "../weight.ts";

export interface Windows<C> {
  /** The guided network for square images of the windows' size, [channels, side, side]. */
  readonly network: Denoiser<C>;
  /** Windows along each side, at least 2. Default: 2. */
  readonly count?: number;
}

export interface SwgOptions<C> extends Windows<C> {
  /** w in weak + w*(strong - weak): 1 is off; the paper's w is this one minus 1. */
  readonly weight: Weight;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** Where it acts: "all", or only where windows overlap (M-SWG). Default: "all". */
  readonly where?: "all" | "overlaps";
}

/**
 * Sliding window guidance: the weak prediction is the same network's on overlapping windows, each seen alone, so that nothing far
 * away is taken into account.
 *
 *   D = D(x) + s*(D(x) - mean over windows of D(x in the window))        s = weight - 1
 *
 * count windows along each side stand at equal distances from border to border. With where="overlaps" (M-SWG) only pixels that
 * several windows cover are guided.
 *
 * Cost: count^2 evaluations of the windows' size: 1.6 evaluations for the paper's 2 windows of 5/8 of the side. Counted as 1.
 * Throws a UsageError where x is no image, and for windows that leave gaps.
 * Source: Kaiser, Adaloglou & Kollmann 2024 (arXiv:2411.10257); where="overlaps": the third version, 2025.
 */
export function swg<C>({ weight, interval = everywhere, where = "all", ...windows }: SwgOptions<C>): Term<C> {
  const { network, count = 2 } = windows;
  const term: Term<C> = {
    method: "swg",
    weight,
    interval,
    weak: (strong) => strong,
    from: windowed(windows),
  };
  if (where === "all") return term;
  const finish = (answer: Tensor, compared: Tensor): Tensor => {
    const covers = coverage(compared.shape, network.shape, count);
    return map((value, i) => (covers[i % covers.length] > 1 ? value : compared.data[i]), answer);
  };
  return { ...term, finish };
}

/** The mean over windows of what the network says of each alone. */
export function windowed<C>({ network, count = 2 }: Windows<C>): Denoiser<C> {
  return {
    shape: network.shape,
    async denoise(x, sigma, branches) {
      const covers = coverage(x.shape, network.shape, count);
      const sums = branches.map(() => sameKind(x.data, x.data.length));
      for (const window of windowsOf(x.shape, network.shape, count)) {
        const answers = await network.denoise(cut(x, window), sigma, branches);
        answers.forEach(({ data }, b) =>
          pixelsOf(x.shape, window).forEach((at, i) => (sums[b][at] += data[i])),
        );
      }
      return sums.map((data) =>
        map((value, i) => value / covers[i % covers.length], { data, shape: x.shape }),
      );
    },
  };
}

interface Window {
  readonly top: number;
  readonly left: number;
  readonly side: number;
}

/** Windows at equal distances from border to border, row by row. */
function windowsOf(shape: readonly number[], network: readonly number[], count: number): Window[] {
  const [, , height, width] = shape;
  const side = network.at(-1)!;
  if (shape.length !== 4) {
    throw new UsageError(
      `swg cuts images, [batch, channels, height, width]; got [${shape.join(", ")}]: use autoguidance`,
    );
  }
  const longest = Math.max(height, width);
  if (count < 2 || count * side < longest || side >= Math.min(height, width)) {
    throw new UsageError(
      `swg: ${count} windows of ${side} pixels are to cover a side of ${longest}, each a part of it: ` +
        "take more or larger ones, but smaller than the image",
    );
  }
  const starts = (length: number): number[] =>
    Array.from({ length: count }, (_, i) => Math.round((i * (length - side)) / (count - 1)));
  return starts(height).flatMap((top) => starts(width).map((left) => ({ top, left, side })));
}

/** Where the window's pixels lie in all images, in the order of the cut ones. */
function pixelsOf(
  [batch, channels, height, width]: readonly number[],
  { top, left, side }: Window,
): number[] {
  return Array.from({ length: batch * channels * side * side }, (_, i) => {
    const [image, row, column] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
    return (image * height + top + row) * width + left + column;
  });
}

function cut(x: Tensor, window: Window): Tensor {
  const pixels = pixelsOf(x.shape, window);
  const data = sameKind(x.data, pixels.length);
  pixels.forEach((at, i) => (data[i] = x.data[at]));
  return { data, shape: [x.shape[0], x.shape[1], window.side, window.side] };
}

/** How many windows cover each value of an image. */
function coverage(shape: readonly number[], network: readonly number[], count: number): Float64Array {
  const one = [1, ...shape.slice(1)];
  const covers = new Float64Array(rowSize({ data: new Float32Array(0), shape }));
  for (const window of windowsOf(shape, network, count))
    for (const at of pixelsOf(one, window)) covers[at] += 1;
  return covers;
}

export const swgMethod = weakMethod({
  name: "swg",
  role: "weak",
  summary: "Sliding window guidance moves away from the same network that sees only one window at a time.",
  formula: "D = D(x) + scale*(D(x) - mean over crops of D(x in the crop))",
  formulaWith: ({ where }) =>
    where === "overlaps"
      ? "D = D(x) + scale*M*(D(x) - mean over crops of D(x in the crop)), M = 1 where crops overlap"
      : undefined,
  needs: "images, and a network that takes smaller ones; no label",
  cost: "windows^2 evaluations of window^2 of the size: 1.6 as published, counted as 1",
  adds: { networks: 1, gradients: 0 },
  when: "Shapes that hold together over a distance, without a label and without attention; above 0.5 colours saturate.",
  published:
    "scale 0.2 (best FID) to 1.1 (best FD-DINOv2) with 2 windows of 0.625 (EDM2-S, where=overlaps); 5 at sigma above 5.42 in nodes for Stable Diffusion",
  source: "Kaiser, Adaloglou & Kollmann 2024, arXiv:2411.10257; where=overlaps: its third version (M-SWG)",
  space: "any",
  strength: "scale",
  off: 0,
  options: {
    scale: scaleOption("the paper's w: 0 is off, above 0 guides", 0.2),
    interval: intervalOption,
    window: {
      meaning: "side of a window, of the image's; rounded to what the network takes",
      unit: "share, between 0 and 1",
      default: 0.625,
      values: shareBelowOne,
    },
    windows: {
      meaning: "how many windows along each side, at equal distances from border to border",
      unit: "whole number, at least 2",
      default: 2,
      values: wholeNumber,
    },
    where: {
      meaning: "which pixels are guided: all, or those that several windows cover (M-SWG)",
      unit: "one of all, overlaps",
      default: "all" as const,
      values: choice("all", "overlaps"),
    },
  },
  conflict: ({ window, windows }) =>
    (windows as number) < 2 || (windows as number) * (window as number) < 1
      ? `windows=${String(windows)} of window=${String(window)} leave gaps: their product is at least 1, and windows at least 2`
      : undefined,
  make: ({ scale, interval, window, windows, where }, { resized }) =>
    swg({
      weight: weightOf(scale, 0),
      interval,
      where,
      count: windows,
      network: networkFor(window, resized),
    }),
});

/** The guided network for windows of that share of the image's side. */
function networkFor<C>(share: number, resized: GuidanceResources<C>["resized"]): Denoiser<C> {
  if (!resized) {
    throw new UsageError(
      "swg needs a network that takes smaller images, and this one's size is fixed: use seg, pag or autoguidance",
    );
  }
  const { side, multiple, to } = resized;
  const steps = Math.min(Math.max(1, Math.round((share * side) / multiple)), Math.ceil(side / multiple) - 1);
  if (steps < 1)
    throw new UsageError(`swg: this network takes no image smaller than ${side} pixels: use pag`);
  return to(steps * multiple);
}
