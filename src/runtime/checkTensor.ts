import { UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import type { DataType, NamedType } from "../graph/graph.ts";
import type { RuntimeTensor } from "./runtime.ts";

/** The arrays in which element types cross the border to a runtime. */
const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/**
 * The tensor itself if it fits its declared type. Throws UsageError naming it when it is missing, of another shape, or
 * in another kind of array.
 */
export function checkTensor(value: RuntimeTensor | undefined, type: NamedType): RuntimeTensor {
  const { name, dtype, shape } = type;
  if (!value) throw new UsageError(`the graph's input "${name}" was not given`);
  const fits =
    value.shape.length === shape.length &&
    value.shape.every((dim, i) => typeof shape[i] === "string" || shape[i] === dim);
  if (!fits || sizeOf(value.shape) !== value.data.length) {
    throw new UsageError(
      `"${name}" is of shape [${shape.join(", ")}], got [${value.shape.join(", ")}] with ${value.data.length} values`,
    );
  }
  const wanted = (arrays as Partial<Record<DataType, (typeof arrays)[keyof typeof arrays]>>)[dtype];
  if (wanted && !(value.data instanceof wanted)) {
    throw new UsageError(
      `"${name}" is ${dtype} and takes a ${wanted.name}, got a ${value.data.constructor.name}`,
    );
  }
  return value;
}

/** Throws UsageError for a pre-allocated output that the graph does not have. */
export function checkFetches(
  fetches: Readonly<Record<string, RuntimeTensor>>,
  outputs: readonly string[],
): void {
  const unknown = Object.keys(fetches).find((name) => !outputs.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`the graph has no output "${unknown}"; its outputs are ${outputs.join(", ")}`);
  }
}
