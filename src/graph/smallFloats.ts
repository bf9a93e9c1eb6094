import type { DataType } from "./graph.ts";

/** How a float of at most 8 bits is coded: sign, exponent, mantissa, from the highest bit. */
interface Format {
  readonly bits: number;
  readonly mantissa: number;
  readonly bias: number;
  /** Codes that are not finite. "none": all are; "ieee": as in float16; "top": the largest code; "zero": that of -0. */
  readonly special: "none" | "ieee" | "top" | "zero";
}

/** ONNX's, from the papers arXiv:2209.05433, arXiv:2206.02915 and the OCP specification of microscaling formats. */
const formats: Readonly<Partial<Record<DataType, Format>>> = {
  float8e4m3fn: { bits: 8, mantissa: 3, bias: 7, special: "top" },
  float8e4m3fnuz: { bits: 8, mantissa: 3, bias: 8, special: "zero" },
  float8e5m2: { bits: 8, mantissa: 2, bias: 15, special: "ieee" },
  float8e5m2fnuz: { bits: 8, mantissa: 2, bias: 16, special: "zero" },
  float6e2m3: { bits: 6, mantissa: 3, bias: 1, special: "none" },
  float6e3m2: { bits: 6, mantissa: 2, bias: 3, special: "none" },
  float4e2m1: { bits: 4, mantissa: 1, bias: 1, special: "none" },
};

/** The numbers of all codes of a small float type; null for other types. */
export function smallFloats(dtype: DataType): Float64Array | null {
  const known = tables.has(dtype) ? (tables.get(dtype) ?? null) : tableOf(dtype);
  tables.set(dtype, known);
  return known;
}

const tables = new Map<DataType, Float64Array | null>();

function tableOf(dtype: DataType): Float64Array | null {
  // Only exponents, without a sign: powers of 2.
  if (dtype === "float8e8m0")
    return Float64Array.from({ length: 256 }, (_, code) => (code === 255 ? NaN : 2 ** (code - 127)));
  const format = formats[dtype];
  return format ? Float64Array.from({ length: 2 ** format.bits }, (_, code) => decode(format, code)) : null;
}

function decode({ bits, mantissa, bias, special }: Format, code: number): number {
  const sign = 2 ** (bits - 1);
  const size = code % sign;
  const [exponent, fraction] = [Math.floor(size / 2 ** mantissa), size % 2 ** mantissa];
  if (special === "zero" && code === sign) return NaN;
  if (special === "top" && size === sign - 1) return NaN;
  const value =
    special === "ieee" && size >= sign - 2 ** mantissa
      ? fraction === 0
        ? Infinity
        : NaN
      : exponent === 0
        ? fraction * 2 ** (1 - bias - mantissa)
        : (1 + fraction / 2 ** mantissa) * 2 ** (exponent - bias);
  return code >= sign ? -value : value;
}

/**
 * The codes nearest to numbers, ties to the even one; beyond the largest finite number that one (ONNX's Cast with
 * saturate = 1), NaN to a NaN, or to the largest number of a type without.
 */
export function encodeSmallFloats(table: Float64Array, numbers: ArrayLike<number>): Uint8Array {
  const half = table.length / 2;
  const finite = table.subarray(0, half).filter(Number.isFinite).length;
  const nan = table.findIndex(Number.isNaN);
  return Uint8Array.from(numbers, (x) => {
    if (Number.isNaN(x)) return nan >= 0 ? nan : finite - 1;
    const size = Math.abs(x);
    let [low, high] = [0, finite - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (table[middle] <= size) low = middle;
      else high = middle - 1;
    }
    const [below, above] = [size - table[low], table[low + 1] - size];
    const up = low + 1 < finite && (above < below || (above === below && low % 2 === 1));
    const code = up ? low + 1 : low;
    const negative = x < 0 || Object.is(x, -0);
    // A type without -0 has NaN in its place.
    return negative && !(code === 0 && Number.isNaN(table[half])) ? code + half : code;
  });
}
