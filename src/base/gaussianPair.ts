/**
 * The Box-Muller transform in operations that every engine rounds alike: + - * / and the square root. Math.log, Math.sin and
 * Math.cos may differ in the last bit from one JavaScript engine to another, so that a seed would not be one sample.
 */

const TWO32 = 4294967296;
/** ln 2 as a sum: a part of 32 bits, whose product with a small whole number is exact, and the rest. */
const LN2_HIGH = Math.round(Math.LN2 * 2 ** 32) / 2 ** 32;
const LN2_LOW = -4.200915072681084e-11;

/** 2^-bits. */
const FRACTION = Float64Array.from({ length: 33 }, (_, bits) => 2 ** -bits);

/** sqrt(-2 ln((w + 1/2) / 2^32)), the length of a pair of normals, for a word w: 0 .. 2^32 - 1. Source: Box & Muller 1958. */
export function radius(w: number): number {
  return Math.sqrt(-2 * logOfWord(w));
}

/**
 * ln((w + 1/2) / 2^32), to 1 unit in the last place: with (w + 1/2) / 2^32 = m 2^e and m between sqrt(1/2) and sqrt(2),
 * ln m = 2 artanh(s), s = (m - 1) / (m + 1), by artanh's series.
 */
export function logOfWord(w: number): number {
  // w + 1/2 lies between 2^(bits - 1) and 2^bits.
  const bits = 32 - Math.clz32(w);
  let m = (w + 0.5) * FRACTION[bits];
  let e = bits - 32;
  if (m < Math.SQRT1_2) {
    m *= 2;
    e -= 1;
  }
  const f = m - 1;
  const s = f / (m + 1);
  const z = s * s;
  // artanh(s) / s - 1; |s| is at most 0.172, so that the first term left out is below 2^-60 of the sum.
  const tail =
    z *
    (1 / 3 +
      z *
        (1 / 5 +
          z *
            (1 / 7 +
              z *
                (1 / 9 +
                  z * (1 / 11 + z * (1 / 13 + z * (1 / 15 + z * (1 / 17 + z * (1 / 19 + z * (1 / 21))))))))));
  // 2 s = f - s f: the first term is exact, so that the sum loses nothing where m is close to 1.
  return e * LN2_HIGH + (f - (s * f - 2 * s * tail) + e * LN2_LOW);
}

/** cos(2 pi w / 2^32) for a word w. Exact at the multiples of a quarter turn. */
export function cosOfWord(w: number): number {
  return quarter(w, 1);
}

/** sin(2 pi w / 2^32) for a word w. Exact at the multiples of a quarter turn. */
export function sinOfWord(w: number): number {
  return quarter(w, 0);
}

/** sin(angle of w + turns * pi / 2), by the series of sine or cosine within an eighth of a turn of the nearest quarter. */
function quarter(w: number, turns: number): number {
  const nearest = Math.floor(w / 1073741824 + 0.5);
  const a = ((w - nearest * 1073741824) * (2 * Math.PI)) / TWO32;
  switch ((nearest + turns) & 3) {
    case 0:
      return sineNear0(a);
    case 1:
      return cosineNear0(a);
    case 2:
      return -sineNear0(a);
    default:
      return -cosineNear0(a);
  }
}

/** sin a for |a| <= pi / 4: its Taylor series, whose next term is below 2^-62 of it. */
function sineNear0(a: number): number {
  const z = a * a;
  return (
    a -
    a *
      (z *
        (1 / 6 -
          z *
            (1 / 120 -
              z *
                (1 / 5040 -
                  z * (1 / 362880 - z * (1 / 39916800 - z * (1 / 6227020800 - z * (1 / 1307674368000))))))))
  );
}

/** cos a for |a| <= pi / 4, likewise. */
function cosineNear0(a: number): number {
  const z = a * a;
  const tail =
    z *
    z *
    (1 / 24 -
      z *
        (1 / 720 -
          z *
            (1 / 40320 -
              z * (1 / 3628800 - z * (1 / 479001600 - z * (1 / 87178291200 - z * (1 / 20922789888000)))))));
  return 1 - (0.5 * z - tail);
}
