import { ints, intsOf, string, stringOf } from "../attributes.ts";
import type { CallSite, RuleFamily } from "../rule.ts";
import { check, knownNumbers, sameShape } from "../shapes.ts";
import type { Value } from "../value.ts";
import { mul } from "./elementwise.ts";
import { reduceMean } from "./reduce.ts";

/** Every pixel repeated factor x factor times. x [batch, channels, h, w]. */
export function upsample(x: Value, factor: number): Value {
  const { builder } = x;
  const scales = builder.literal([1, 1, factor, factor], "float32");
  return builder.apply("Resize", [x, null, scales], {
    attributes: {
      mode: string("nearest"),
      nearest_mode: string("floor"),
      coordinate_transformation_mode: string("asymmetric"),
    },
  })[0];
}

/** Mean of every factor x factor block. x [batch, channels, h, w]. */
export function averagePool(x: Value, factor: number): Value {
  return x.builder.apply("AveragePool", [x], {
    attributes: { kernel_shape: ints([factor, factor]), strides: ints([factor, factor]) },
  })[0];
}

/** Mean over all positions: [batch, channels, h, w] to [batch, channels]. */
export function globalAverage(x: Value): Value {
  return reduceMean(x, [2, 3]);
}

function nearestFactor(site: CallSite, x: Value, scales: Value | null | undefined): number {
  const numbers = knownNumbers(site, scales, "scales");
  const exact =
    stringOf(site, "mode", "nearest") === "nearest" &&
    stringOf(site, "coordinate_transformation_mode", "half_pixel") === "asymmetric" &&
    stringOf(site, "nearest_mode", "round_prefer_floor") === "floor";
  check(
    site,
    exact && numbers?.length === 4 && x.shape.length === 4 && numbers[2] === numbers[3] && Number.isInteger(numbers[2]),
    () => "Resize has a rule for nearest upsampling of images by a whole number",
  );
  return numbers![2];
}

function poolFactor(site: Pick<CallSite, "name" | "attributes">): number {
  const kernel = intsOf(site, "kernel_shape", []);
  const plain =
    kernel.length === 2 &&
    kernel[0] === kernel[1] &&
    sameShape(kernel, intsOf(site, "strides", [])) &&
    intsOf(site, "pads", [0, 0, 0, 0]).every((n) => n === 0);
  check(site, plain, () => "AveragePool has a rule for blocks that do not overlap");
  return kernel[0];
}

export const resample: RuleFamily = {
  Resize: {
    infer: (site, [x, , scales]) => {
      const factor = nearestFactor(site, x!, scales);
      const [batch, channels, height, width] = x!.shape;
      return [{ dtype: x!.dtype, shape: [batch, channels, height * factor, width * factor] }];
    },
    // The sum over the block each pixel was copied to.
    gradient: ({ call, inputs: [x, , scales], gradients: [g] }) => {
      const factor = nearestFactor({ ...call, outputCount: 1, opset: 18 }, x!, scales);
      return [mul(averagePool(g!, factor), factor * factor), null, null];
    },
  },
  AveragePool: {
    infer: (site, [x]) => {
      const factor = poolFactor(site);
      const [batch, channels, height, width] = x!.shape;
      check(site, height % factor === 0 && width % factor === 0, () => `${height} x ${width} is not a multiple of ${factor}`);
      return [{ dtype: x!.dtype, shape: [batch, channels, height / factor, width / factor] }];
    },
    gradient: ({ call, gradients: [g] }) => {
      const factor = poolFactor(call);
      return [mul(upsample(g!, factor), 1 / (factor * factor))];
    },
  },
};

