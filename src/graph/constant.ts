import { UsageError } from "../base/errors.ts";
import type { Constant, ConstantArray, DataType } from "./graph.ts";

/** An array of the kind that holds `dtype`, from numbers. */
export function dataOf(dtype: DataType, numbers: ArrayLike<number>): ConstantArray {
  switch (dtype) {
    case "float32":
      return Float32Array.from(numbers);
    case "float64":
      return Float64Array.from(numbers);
    case "int64":
      return BigInt64Array.from(Array.from(numbers), (n) => BigInt(Math.trunc(n)));
    case "uint64":
      return BigUint64Array.from(Array.from(numbers), (n) => BigInt(Math.trunc(n)));
    case "int32":
      return Int32Array.from(numbers);
    case "int16":
      return Int16Array.from(numbers);
    case "int8":
      return Int8Array.from(numbers);
    case "uint32":
      return Uint32Array.from(numbers);
    case "uint16":
      return Uint16Array.from(numbers);
    case "uint8":
    case "bool":
      return Uint8Array.from(numbers);
    default:
      throw new UsageError(`a constant of type ${dtype} cannot be made from numbers`);
  }
}

/** The elements as numbers. int64 beyond 2^53 lose digits. */
export function numbersOf(constant: Constant): Float64Array {
  const { data } = constant;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data, Number);
  return Float64Array.from(data);
}

/** A text equal for equal constants of at most `limit` elements; null for larger ones. */
export function smallKey(constant: Constant, limit: number): string | null {
  if (constant.data.length > limit) return null;
  const { data, dtype, shape } = constant;
  const values = Array.from(data as ArrayLike<number | bigint>, (x) => (Object.is(x, -0) ? "-0" : String(x)));
  return `${dtype}[${shape.join(",")}]${values.join(",")}`;
}
