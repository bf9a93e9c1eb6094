/** The 16-bit floats nearest to `values` (ties to even), as their bit patterns; beyond 65504 they become infinite. */
export function encodeFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = fromFloat32Bits(bits[i]);
  return out;
}

/** The values of 16-bit floats given as bit patterns, exactly. */
export function decodeFloat16(halves: Uint16Array): Float32Array {
  const out = new Float32Array(halves.length);
  for (let i = 0; i < out.length; i++) out[i] = value(halves[i]);
  return out;
}

function fromFloat32Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const biased = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (biased === 0xff) return sign | 0x7c00 | (fraction ? 0x200 : 0);

  const exponent = biased - 127 + 15;
  if (exponent >= 31) return sign | 0x7c00;
  if (exponent >= 1) return sign | roundedShift((exponent << 23) | fraction, 13);
  if (exponent >= -10) return sign | roundedShift(fraction | 0x800000, 14 - exponent); // subnormal
  return sign;
}

/** bits / 2^places, rounded to the nearest, ties to even. A carry out of the fraction raises the exponent, as it should. */
function roundedShift(bits: number, places: number): number {
  const whole = bits >>> places;
  const rest = bits & ((1 << places) - 1);
  const half = 1 << (places - 1);
  return rest > half || (rest === half && whole & 1) ? whole + 1 : whole;
}

function value(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
