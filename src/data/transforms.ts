/** Pixels as bytes, rows from the top, channels planar: [channels, height, width]. */
export interface Picture {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly data: Uint8Array;
}

/** out = byte / 127.5 - 1: 0 becomes -1, 255 becomes 1. Writes `length` values from bytes[start] to out[at] on. */
export function toUnitRange(
  bytes: Uint8Array,
  out: Float32Array,
  start = 0,
  at = 0,
  length = bytes.length - start,
): void {
  for (let i = 0; i < length; i++) out[at + i] = bytes[start + i] / 127.5 - 1;
}

/** byte = round(127.5 (x + 1)), cut to 0..255: the inverse of toUnitRange. */
export function toBytes(x: ArrayLike<number>): Uint8Array {
  return Uint8Array.from(x, (v) => Math.min(255, Math.max(0, Math.round(127.5 * (v + 1)))));
}

/**
 * The images [count, height, width] in the middle of a black frame: [count, size, size]. Black is byte 0, so -1 in
 * floats. An odd remainder goes to the right and the bottom.
 */
export function padImages(
  images: Uint8Array,
  { count, height, width, size }: { count: number; height: number; width: number; size: number },
): Uint8Array {
  const out = new Uint8Array(count * size * size);
  const top = Math.floor((size - height) / 2);
  const left = Math.floor((size - width) / 2);
  for (let image = 0; image < count; image++) {
    for (let y = 0; y < height; y++) {
      const from = (image * height + y) * width;
      out.set(images.subarray(from, from + width), (image * size + top + y) * size + left);
    }
  }
  return out;
}

/** The largest square from the middle of a picture. */
export function centreCrop({ channels, height, width, data }: Picture): Picture {
  const side = Math.min(height, width);
  const top = Math.floor((height - side) / 2);
  const left = Math.floor((width - side) / 2);
  const out = new Uint8Array(channels * side * side);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < side; y++) {
      const from = (c * height + top + y) * width + left;
      out.set(data.subarray(from, from + side), (c * side + y) * side);
    }
  }
  return { channels, height: side, width: side, data: out };
}

/**
 * The picture at another size: smaller by area averages (each pixel the mean of what it covers), larger by bilinear
 * interpolation between pixel centres. Each axis by itself; the same size returns the same bytes.
 */
export function resize(
  { channels, height, width, data }: Picture,
  toHeight: number,
  toWidth: number,
): Picture {
  const rows = taps(height, toHeight);
  const columns = taps(width, toWidth);
  const out = new Uint8Array(channels * toHeight * toWidth);
  const wide = new Float64Array(height * toWidth); // one channel, columns done

  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const row = (c * height + y) * width;
      columns.forEach(({ first, weights }, x) => {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * data[row + first + k];
        wide[y * toWidth + x] = sum;
      });
    }
    rows.forEach(({ first, weights }, y) => {
      for (let x = 0; x < toWidth; x++) {
        let sum = 0;
        for (let k = 0; k < weights.length; k++) sum += weights[k] * wide[(first + k) * toWidth + x];
        out[(c * toHeight + y) * toWidth + x] = Math.round(sum);
      }
    });
  }
  return { channels, height: toHeight, width: toWidth, data: out };
}

/** Brightness 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) of a picture of three channels; of one: itself. */
export function toGrey(picture: Picture): Picture {
  if (picture.channels === 1) return picture;
  const { height, width, data } = picture;
  const size = height * width;
  const grey = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    grey[i] = Math.round(0.299 * data[i] + 0.587 * data[size + i] + 0.114 * data[2 * size + i]);
  }
  return { channels: 1, height, width, data: grey };
}

/** A grey picture three times over; a coloured one: itself. */
export function toRgb(picture: Picture): Picture {
  if (picture.channels === 3) return picture;
  const { height, width, data } = picture;
  const rgb = new Uint8Array(3 * data.length);
  for (let c = 0; c < 3; c++) rgb.set(data, c * data.length);
  return { channels: 3, height, width, data: rgb };
}

/** For every new pixel the old ones that it is made of, and their shares (sum 1). */
function taps(from: number, to: number): { first: number; weights: number[] }[] {
  return Array.from({ length: to }, (_, i) =>
    to < from ? areaTaps(i, from, to) : bilinearTaps(i, from, to),
  );
}

function areaTaps(i: number, from: number, to: number): { first: number; weights: number[] } {
  const start = (i * from) / to;
  const end = ((i + 1) * from) / to;
  const first = Math.floor(start);
  const last = Math.min(from, Math.ceil(end));
  const weights: number[] = [];
  for (let k = first; k < last; k++) {
    weights.push(((Math.min(k + 1, end) - Math.max(k, start)) * to) / from);
  }
  return { first, weights };
}

function bilinearTaps(i: number, from: number, to: number): { first: number; weights: number[] } {
  const centre = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
  const first = Math.min(Math.floor(centre), Math.max(0, from - 2));
  return from === 1 ? { first: 0, weights: [1] } : { first, weights: [first + 1 - centre, centre - first] };
}
