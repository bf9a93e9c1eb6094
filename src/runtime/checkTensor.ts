import { UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import type { NamedType } from "../graph/graph.ts";
import type { RuntimeTensor } from "./runtime.ts";

/** The tensor itself if it fits its declared type. Throws UsageError naming it when it is missing or of another shape. */
export function checkTensor(value: RuntimeTensor | undefined, type: NamedType): RuntimeTensor {
  if (!value) throw new UsageError(`the graph's input "${type.name}" was not given`);
  const fits =
    value.shape.length === type.shape.length &&
    value.shape.every((dim, i) => typeof type.shape[i] === "string" || type.shape[i] === dim);
  if (!fits || sizeOf(value.shape) !== value.data.length) {
    throw new UsageError(
      `"${type.name}" is of shape [${type.shape.join(", ")}], got [${value.shape.join(", ")}] with ${value.data.length} values`,
    );
  }
  return value;
}
