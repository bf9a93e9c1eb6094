import { UsageError } from "../base/errors.ts";
import { decodeFloat16, encodeFloat16 } from "../base/float16.ts";
import { sizeOf } from "../base/tensor.ts";
import { bitsOf } from "./dataTypes.ts";
import type { Constant, ConstantArray, DataType } from "./graph.ts";
import { pack, unpack } from "./packing.ts";
import { encodeSmallFloats, smallFloats } from "./smallFloats.ts";

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
    default:
      return smallDataOf(dtype, numbers);
  }
}

/** Numbers of at most 8 bits: integers packed, floats coded, and packed if they are smaller than a byte. */
function smallDataOf(dtype: DataType, numbers: ArrayLike<number>): Uint8Array {
  const table = smallFloats(dtype);
  if (smallIntegers.has(dtype)) return pack(numbers, bitsOf(dtype));
  if (!table || dtype === "float8e8m0")
    throw new UsageError(`a constant of ${dtype} cannot be made from numbers`);
  const codes = encodeSmallFloats(table, numbers);
  return bitsOf(dtype) < 8 ? pack(codes, bitsOf(dtype)) : codes;
}

const smallIntegers: ReadonlySet<DataType> = new Set<DataType>(["int4", "uint4", "int2", "uint2"]);

/** Constants up to this many elements are folded while tracing, and shared when equal. */
export const FOLD_LIMIT = 4096;

/** The types whose elements are numbers of one array element each. */
const plain: ReadonlySet<DataType> = new Set<DataType>([
  "float32",
  "float64",
  "int32",
  "int16",
  "int8",
  "uint32",
  "uint16",
  "uint8",
  "bool",
]);

/** Whether `numbersOf` and `constantOf` know the type. */
export function hasNumbers(dtype: DataType): boolean {
  return (
    plain.has(dtype) ||
    smallIntegers.has(dtype) ||
    ["int64", "uint64", "float16", "bfloat16"].includes(dtype) ||
    (smallFloats(dtype) !== null && dtype !== "float8e8m0")
  );
}

/** The elements as numbers. Throws UsageError for text and complex numbers. int64 beyond 2^53 lose digits. */
export function numbersOf(constant: Constant): Float64Array {
  const { dtype, data } = constant;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data, Number);
  if (dtype === "float16") return Float64Array.from(decodeFloat16(data as Uint16Array));
  if (dtype === "bfloat16") return Float64Array.from(decodeBfloat16(data as Uint16Array));
  if (plain.has(dtype)) return Float64Array.from(data);
  const bits = bitsOf(dtype);
  const codes = bits < 8 && bits > 0 ? unpack(data as Uint8Array, bits, sizeOf(constant.shape)) : data;
  if (smallIntegers.has(dtype)) {
    const signed = dtype.startsWith("int");
    return Float64Array.from(codes as Uint8Array, (code) =>
      signed && code >= 2 ** (bits - 1) ? code - 2 ** bits : code,
    );
  }
  const table = smallFloats(dtype);
  if (!table) throw new UsageError(`a constant of ${dtype} cannot be read as numbers`);
  return Float64Array.from(codes as Uint8Array, (code) => table[code]);
}

/** A text equal for equal constants of at most `limit` elements; null for larger ones, and for text. */
export function smallKey(constant: Constant, limit: number): string | null {
  const { dtype, shape } = constant;
  if (dtype === "string" || sizeOf(shape) > limit) return null;
  const values = Array.from(constant.data as ArrayLike<number | bigint>, (x) =>
    Object.is(x, -0) ? "-0" : String(x),
  );
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
