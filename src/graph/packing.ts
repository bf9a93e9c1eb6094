/** Whole numbers of `bits` bits each, lowest bits first, one behind the other in bytes; higher bits are dropped. */
export function pack(numbers: ArrayLike<number>, bits: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((numbers.length * bits) / 8));
  const mask = (1 << bits) - 1;
  for (let i = 0; i < numbers.length; i++) {
    const at = i * bits;
    const shifted = (numbers[i] & mask) << (at % 8);
    bytes[at >> 3] |= shifted;
    if (shifted > 0xff) bytes[(at >> 3) + 1] |= shifted >> 8;
  }
  return bytes;
}

/** The first `count` numbers of packed bytes, without signs. */
export function unpack(bytes: Uint8Array, bits: number, count: number): Uint8Array {
  const numbers = new Uint8Array(count);
  const mask = (1 << bits) - 1;
  for (let i = 0; i < count; i++) {
    const at = i * bits;
    const pair = bytes[at >> 3] | ((bytes[(at >> 3) + 1] ?? 0) << 8);
    numbers[i] = (pair >> (at % 8)) & mask;
  }
  return numbers;
}
