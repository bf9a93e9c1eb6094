import { UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import type { DataType, Graph, NamedType } from "../graph/graph.ts";
import type { RuntimeTensor } from "./runtime.ts";

/** The arrays in which element types cross the border to a runtime. */
const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

type CrossingType = keyof typeof arrays;

const crosses = (dtype: DataType): dtype is CrossingType => dtype in arrays;

/** Throws UsageError naming an input or output whose element type has no array in JavaScript. */
export function checkBorder({ name, inputs, outputs }: Graph): void {
  const strange = [...inputs, ...outputs].find(({ dtype }) => !crosses(dtype));
  if (strange) {
    throw new UsageError(
      `"${strange.name}" of the graph "${name}" is ${strange.dtype}, which cannot be handed over: ` +
        `cast it inside the graph to one of ${Object.keys(arrays).join(", ")}`,
    );
  }
}

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
  if (crosses(dtype) && !(value.data instanceof arrays[dtype])) {
    throw new UsageError(
      `"${name}" is ${dtype} and takes a ${arrays[dtype].name}, got a ${value.data.constructor.name}`,
    );
  }
  return value;
}

/** The feeds in the order of the graph's inputs, and the fetches, checked against the graph's types. */
export function checkFeeds(
  graph: Graph,
  feeds: Readonly<Record<string, RuntimeTensor>>,
  fetches: Readonly<Record<string, RuntimeTensor>>,
): [NamedType, RuntimeTensor][] {
  for (const [name, target] of Object.entries(fetches)) {
    const type = graph.outputs.find((output) => output.name === name);
    if (!type) {
      const names = graph.outputs.map((output) => output.name).join(", ");
      throw new UsageError(`the graph has no output "${name}"; its outputs are ${names}`);
    }
    checkTensor(target, type);
  }
  return graph.inputs.map((type) => [type, checkTensor(feeds[type.name], type)]);
}
