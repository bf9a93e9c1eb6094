import { UsageError } from "../base/errors.ts";
import { decodeFloat16, encodeFloat16 } from "../base/float16.ts";
import type { Constant, ConstantArray, DataType } from "./graph.ts";

/** A constant from numbers, rounded to what `dtype` holds (integers towards zero; bool: whether it is not 0). */
export function constantOf(dtype: DataType, shape: readonly number[], numbers: ArrayLike<number>): Constant {
  return { dtype, shape, data: dataOf(dtype, numbers) };
}

/** An array of the kind that holds `dtype`, from numbers. */
export function dataOf(dtype: DataType, numbers: ArrayLike<number>): ConstantArray {
  switch (dtype) {
    case "float32":
      return Float32Array.from(numbers);
    case "float64":
      return Float64Array.from(numbers);
    case "float16":
      return encodeFloat16(Float32Array.from(numbers));
    case "bfloat16":
      return encodeBfloat16(Float32Array.from(numbers));
    case "int64":
      return BigInt64Array.from(Array.from(numbers, (n) => clampedBigInt(n, -(2n ** 63n), 2n ** 63n - 1n)));
    case "uint64":
      return BigUint64Array.from(Array.from(numbers, (n) => clampedBigInt(n, 0n, 2n ** 64n - 1n)));
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
      return Uint8Array.from(numbers);
    case "bool":
      return Uint8Array.from(numbers, (n) => Number(n !== 0));
    case "string":
      throw new UsageError("a constant of text cannot be made from numbers");
    default:
      return dtype satisfies never;
  }
}

/** The elements as numbers. int64 beyond 2^53 lose digits. */
export function numbersOf({ dtype, data }: Constant): Float64Array {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data, Number);
  if (dtype === "float16") return Float64Array.from(decodeFloat16(data as Uint16Array));
  if (dtype === "bfloat16") return Float64Array.from(decodeBfloat16(data as Uint16Array));
  return Float64Array.from(data);
}

/** A text equal for equal constants of at most `limit` elements; null for larger ones. */
export function smallKey({ data, dtype, shape }: Constant, limit: number): string | null {
  if (data.length > limit) return null;
  const values = Array.from(data as ArrayLike<number | bigint>, (x) => (Object.is(x, -0) ? "-0" : String(x)));
  return `${dtype}[${shape.join(",")}]${values.join(",")}`;
}

/** Exporters write "to the end" as the largest integer, which a float64 rounds beyond the range. */
export function clampedBigInt(n: number, low: bigint, high: bigint): bigint {
  if (Number.isNaN(n)) return 0n;
  if (n <= Number(low)) return low;
  return n >= Number(high) ? high : BigInt(Math.trunc(n));
}

/** The upper halves of float32, rounded to the nearest, ties to even. */
function encodeBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer);
  return Uint16Array.from(bits, (b, i) =>
    Number.isNaN(values[i]) ? 0x7fc0 : (b + 0x7fff + ((b >>> 16) & 1)) >>> 16,
  );
}

function decodeBfloat16(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}
