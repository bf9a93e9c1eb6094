import { intsOf, stringOf } from "../attributes.ts";
import { mul } from "../ops/elementwise.ts";
import { averagePool, upsample } from "../ops/resample.ts";
import type { CallSite, InferredType, RuleFamily, RuleInput } from "../rule.ts";
import { check, generate, knownNumbers, sameShape } from "../shapes.ts";

/** The whole number of times a Resize repeats each pixel. */
function repeats(site: CallSite, [x, , scales]: readonly (RuleInput | null)[]): number {
  const numbers = knownNumbers(site, scales, "scales") ?? [];
  const [batch, channels, height, width] = numbers;
  const known =
    stringOf(site, "mode", "nearest") === "nearest" &&
    stringOf(site, "coordinate_transformation_mode", "half_pixel") === "asymmetric" &&
    stringOf(site, "nearest_mode", "round_prefer_floor") === "floor" &&
    x!.shape.length === 4 &&
    numbers.length === 4 &&
    batch === 1 &&
    channels === 1 &&
    height === width &&
    Number.isInteger(height) &&
    height > 0;
  check(
    site,
    known,
    () => "Resize has a rule for repeating pixels (nearest, asymmetric, floor) a whole number of times only,",
  );
  return height;
}

/** Side of an AveragePool's blocks. */
function blockOf(site: CallSite): number {
  const kernel = intsOf(site, "kernel_shape", []);
  const known =
    kernel.length === 2 &&
    kernel[0] === kernel[1] &&
    sameShape(kernel, intsOf(site, "strides", [1, 1])) &&
    intsOf(site, "pads", [0, 0, 0, 0]).every((n) => n === 0) &&
    intsOf(site, "dilations", [1, 1]).every((n) => n === 1) &&
    ["NOTSET", "VALID"].includes(stringOf(site, "auto_pad", "NOTSET"));
  check(site, known, () => "AveragePool has a rule for square blocks that do not overlap only,");
  return kernel[0];
}

/** x's type with height and width multiplied by `factor`. */
function scaled({ dtype, shape }: InferredType, factor: number): InferredType {
  const [batch, channels, height, width] = shape;
  return { dtype, shape: [batch, channels, height * factor, width * factor] };
}

/** The index in an image with pixels `factor` times as large of the pixel that covers pixel i of `shape`. */
function coverIndex(shape: readonly number[], factor: number): (i: number) => number {
  const [height, width] = shape.slice(-2);
  return (i) => {
    const plane = Math.floor(i / (height * width));
    const row = Math.floor((Math.floor(i / width) % height) / factor);
    const column = Math.floor((i % width) / factor);
    return (plane * (height / factor) + row) * (width / factor) + column;
  };
}

export const resample: RuleFamily = {
  Resize: {
    infer: (site, inputs) => [scaled(inputs[0]!, repeats(site, inputs))],
    // The sum over the block each pixel was copied to.
    gradient: ({ site, inputs, gradients: [g] }) => {
      const factor = repeats(site, inputs);
      return [mul(averagePool(g!, factor), factor * factor), ...inputs.slice(1).map(() => null)];
    },
    evaluate: (_, [x], [{ shape }]) => {
      const cover = coverIndex(shape, shape[2] / x!.shape[2]);
      return [generate(shape, (i) => x!.numbers[cover(i)])];
    },
  },
  AveragePool: {
    infer: (site, [x]) => {
      const factor = blockOf(site);
      const [, , height, width] = x!.shape;
      const fits = x!.shape.length === 4 && height % factor === 0 && width % factor === 0;
      check(site, fits, () => `[${x!.shape.join(", ")}] cannot be cut into blocks of ${factor} x ${factor}`);
      return [scaled(x!, 1 / factor)];
    },
    gradient: ({ site, gradients: [g] }) => {
      const factor = blockOf(site);
      return [mul(upsample(g!, factor), 1 / (factor * factor))];
    },
    evaluate: (site, [x], [{ shape }]) => {
      const factor = blockOf(site);
      const cover = coverIndex(x!.shape, factor);
      const out = generate(shape, () => 0);
      x!.numbers.forEach((value, i) => (out[cover(i)] += value / (factor * factor)));
      return [out];
    },
  },
};
