import { UsageError } from "../../base/errors.ts";
import { type Tensor, rowSize, sameKind } from "../../base/tensor.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import type { LayerSelection } from "../../graph/perturb.ts";
import { gaussianMatrix } from "../../graph/perturb/blur.ts";
import type { Compared, Moment, Term } from "../guidance.ts";
import { everywhere } from "../interval.ts";
import type { Interval } from "../interval.ts";
import { intervalOption, numberOption, scaleOption, weakMethod } from "../method.ts";
import { weightOf } from "../schedules.ts";
import { oddNumber, positive } from "../values.ts";
import type { Weight } from "../weight.ts";
import { type Compares, comparedBranch, comparedIn, comparing, formOption } from "./beside.ts";
import { existingLayers, layersOption } from "./perturbedAttention.ts";

export interface SagOptions<C> {
  /** w in weak + w*(compared - weak): 1 is off; the paper's s is w - 1. */
  readonly weight: Weight;
  /** Noise levels at which it acts; default: all. */
  readonly interval?: Interval;
  /** Whose attention tells what is blurred; of several, their mean. */
  readonly layers: LayerSelection;
  /** How the image is blurred, and where. */
  readonly blur?: SagBlur;
  /** Default: "strong". "unconditional": what the paper does beside CFG. */
  readonly compares?: Compares;
  /** The network of the unconditional predictions; absent: the guided one. */
  readonly from?: Denoiser<C>;
}

export interface SagBlur {
  /** Standard deviation in pixels, above 0. Default: 1. */
  readonly sigma?: number;
  /** Width and height of the kernel in pixels, odd. Default: 9. */
  readonly kernel?: number;
  /** What a token must receive to be blurred, where 1 is the mean over tokens. Default: 1. */
  readonly threshold?: number;
}

/**
 * Self-attention guidance: the weak prediction is of a sample whose image was blurred where the network looks, with the noise as it was.
 *
 *   D' = D(x; c'),  M = 1 where the attention received > threshold      c' the condition, or none beside CFG
 *   y = D' + M*(blur(D') - D') + (x - D')                               the blurred image with the predicted noise
 *   D = D(x) + s*(D' - (D(y; c') + x - y))                              s = weight - 1
 *
 * The two noises found, in x and in y, are compared (eps = (x - D)/sigma), as in the paper: predictions of x0 of two samples differ
 * by the samples too.
 *
 * Cost: 1 more evaluation where it acts, and the network's first part up to the attention; the unconditional prediction once more
 * where CFG does not act. Throws a UsageError where x is no image, or the denoiser does not tell its attention.
 * Source: Hong et al. 2022 (arXiv:2210.00939), Eqs. 14 to 18; the authors' code for the mask and the kernel's border.
 */
export function sag<C>({
  weight,
  interval = everywhere,
  layers,
  blur = {},
  compares = "strong",
  from,
}: SagOptions<C>): Term<C> {
  return {
    method: "sag",
    weight,
    interval,
    weak: (strong) => comparedBranch(compares, strong),
    ...comparing(compares, from),
    degrade: (moment, compared) => degraded(moment, compared, layers, blur),
  };
}

/** y: x, with the predicted image blurred where tokens receive more than the threshold. */
async function degraded<C>(
  { x, sigma }: Moment,
  { prediction, from, branch }: Compared<C>,
  layers: LayerSelection,
  { sigma: width = 1, kernel = 9, threshold = 1 }: SagBlur,
): Promise<Tensor> {
  if (x.shape.length !== 4) {
    throw new UsageError(
      `sag blurs images, [batch, channels, height, width]; got [${x.shape.join(", ")}]: use autoguidance`,
    );
  }
  if (!from.attended) {
    throw new UsageError(
      "sag needs a network that tells its attention, and this one does not: use pag or seg",
    );
  }
  const received = await from.attended(x, sigma, branch, layers);
  const blurred = blurImages(prediction, kernel, width);
  const [, , rows, columns] = x.shape;
  const data = sameKind(x.data, x.data.length);
  for (let i = 0; i < data.length; i++) {
    const [row, at] = [Math.floor(i / rowSize(x)), i % (rows * columns)];
    const [h, w] = [Math.floor(at / columns), at % columns];
    const mean = received.reduce((sum, { data, shape: [, height, width] }) => {
      // The nearest token, as torch's interpolate takes it.
      const [down, across] = [Math.floor((h * height) / rows), Math.floor((w * width) / columns)];
      return sum + data[(row * height + down) * width + across];
    }, 0);
    const masked = mean / received.length > threshold;
    data[i] = masked ? x.data[i] + (blurred[i] - prediction.data[i]) : x.data[i];
  }
  return { data, shape: x.shape };
}

/** Each channel blurred by a Gaussian of so many taps in each direction, mirrored at the border. */
export function blurImages({ data, shape }: Tensor, taps: number, sigma: number): Float64Array {
  const [height, width] = shape.slice(-2);
  const [down, across] = [height, width].map((side) => gaussianMatrix(side, taps, sigma));
  const [half, out] = [new Float64Array(data.length), new Float64Array(data.length)];
  for (let i = 0; i < data.length; i++) {
    const [column, first] = [i % width, i - (i % width)];
    for (let k = 0; k < width; k++) half[i] += across[column * width + k] * data[first + k];
  }
  for (let i = 0; i < data.length; i++) {
    const [line, first] = [Math.floor(i / width) % height, i - (i % (height * width)) + (i % width)];
    for (let k = 0; k < height; k++) out[i] += down[line * height + k] * half[first + k * width];
  }
  return out;
}

export const sagMethod = weakMethod({
  name: "sag",
  role: "weak",
  summary:
    "Self-attention guidance moves away from what the network makes of its own image blurred where it looks.",
  formula:
    "D = D(x) + scale*(D' - (D(y; c') + x - y)) with D' = D(x; c'), y = x + M*(blur(D') - D'), M = 1 where attention > threshold; c' is no condition beside cfg, else the condition",
  formulaWith: ({ form }) =>
    form === "strong"
      ? "D = D(x) + scale*(D(x) - (D(y) + x - y)) with y = x + M*(blur(D(x)) - D(x)), M = 1 where attention > threshold"
      : undefined,
  needs: "images, and a network with self-attention that tells its attention; no label",
  cost: "1 evaluation, and the network up to the attention that tells where",
  adds: { networks: 1, gradients: 0 },
  when: "Finer details without a label, gently: pag and seg do more for the same cost.",
  published:
    "scale 0.5 to 0.8 with sigma 9, kernel 31 for images of 256 pixels (3 for 128); diffusers 0.75 with sigma 1, kernel 9 on latents of 64; ComfyUI 0.5 with sigma 2",
  source: "Hong et al. 2022, arXiv:2210.00939",
  space: "x0",
  strength: "scale",
  off: 0,
  options: {
    scale: scaleOption("the paper's s: 0 is off, above 0 guides", 0.75),
    interval: intervalOption,
    layers: { ...layersOption, meaning: layersOption.meaning.replace("are perturbed", "tell where") },
    sigma: {
      meaning: "width of the blur; towards 0 is off",
      unit: "pixels (standard deviation)",
      default: 1,
      values: positive,
    },
    kernel: {
      meaning: "width and height of the blur's kernel",
      unit: "pixels, odd",
      default: 9,
      values: oddNumber,
    },
    threshold: numberOption(
      "what a token must receive to be blurred, where 1 is the mean over all: 0 blurs everything",
      1,
      "times the mean attention",
    ),
    form: formOption,
  },
  make: ({ scale, interval, layers, sigma, kernel, threshold, form }, resources, company) =>
    sag({
      weight: weightOf(scale, 0),
      interval,
      layers: existingLayers("sag", layers, resources.attention),
      blur: { sigma, kernel, threshold },
      ...comparedIn(form, resources, company),
    }),
});
