import { clampedBigInt } from "../constant.ts";

/** A number as the int64 nearest to it. */
export const int64 = (n: number): bigint => clampedBigInt(n, -(2n ** 63n), 2n ** 63n - 1n);

/** Whether an int64 is told by a number: all up to 2^53, and the largest, which stands for "to the end". */
export const isExact = (n: bigint): boolean => int64(Number(n)) === n;

const loose = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

export const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
export const decode = (bytes: Uint8Array): string => loose.decode(bytes);

/** Whether bytes are text, so that `decode` loses nothing. */
export function isText(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
