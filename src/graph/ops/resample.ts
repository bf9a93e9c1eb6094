import { ints, string } from "../attributes.ts";
import type { Value } from "../value.ts";
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
