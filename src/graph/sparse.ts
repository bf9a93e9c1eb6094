import { UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import { numbersOf } from "./constant.ts";
import { bitsOf, byteLengthOf } from "./dataTypes.ts";
import type { Constant, ConstantArray, SparseConstant } from "./graph.ts";
import { lazyConstant } from "./lazyConstant.ts";
import { stridesOf } from "./shapes.ts";

/** The largest tensor that is written out, in bytes. */
const LARGEST = 2 ** 31;

/**
 * The tensor with its zeros written out, when its data is looked at.
 * Throws UsageError for text, elements of less than a byte, and more than 2 GB.
 */
export function denseOf({ values, indices, shape }: SparseConstant, name: string): Constant {
  const { dtype } = values;
  if (bitsOf(dtype) < 8)
    throw new UsageError(`the sparse tensor "${name}" of ${dtype} cannot be written out`);
  const bytes = byteLengthOf(dtype, shape);
  if (bytes > LARGEST)
    throw new UsageError(
      `the sparse tensor "${name}" would take ${bytes} bytes with its zeros: more than 2 GB`,
    );
  return lazyConstant({ dtype, shape }, () => {
    const { data } = values;
    const width = values.shape[0] > 0 ? data.length / values.shape[0] : 1;
    const dense = zeros(data, sizeOf(shape) * width);
    flatIndices(indices, shape).forEach((at, i) => {
      if (!(at >= 0 && at < sizeOf(shape)))
        throw new UsageError(
          `the sparse tensor "${name}" has a value outside of its shape [${shape.join(", ")}]`,
        );
      for (let k = 0; k < width; k++) dense[at * width + k] = data[i * width + k];
    });
    return dense;
  });
}

function zeros(like: ConstantArray, length: number): ConstantArray {
  return new (like.constructor as new (length: number) => ConstantArray)(length);
}

function flatIndices(indices: Constant, shape: readonly number[]): Float64Array {
  const numbers = numbersOf(indices);
  if (indices.shape.length === 1) return numbers;
  const strides = stridesOf(shape);
  return Float64Array.from({ length: indices.shape[0] }, (_, i) =>
    strides.reduce((sum, stride, axis) => sum + numbers[i * shape.length + axis] * stride, 0),
  );
}
