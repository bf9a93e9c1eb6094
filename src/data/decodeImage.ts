import { convertIndexedToRgb, decode as decodePng, hasPngSignature } from "fast-png";
import jpeg from "jpeg-js";
import { FileError } from "../base/errors.ts";
import type { Picture } from "./transforms.ts";

/** Most pixels of one picture; a file that declares more is refused before it is unpacked. */
const MAX_MEGAPIXELS = 64;

/**
 * The picture in the bytes of a PNG or JPEG file: 1 channel if the file is a grey PNG, else 3. Transparent parts are laid
 * over white. 16-bit values are rounded to 8. A JPEG's orientation tag is not applied.
 *
 * Throws FileError, naming the file, for other formats, damaged files and more than 64 million pixels.
 */
export function decodeImage(bytes: Uint8Array, name: string): Picture {
  const png = bytes.length >= 24 && hasPngSignature(bytes);
  const isJpeg = bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
  if (!png && !isJpeg)
    throw new FileError(`${name} is neither a PNG nor a JPEG picture; convert it or take it away`);
  try {
    return png ? fromPng(bytes) : fromJpeg(bytes);
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new FileError(
      `${name} is not a readable ${png ? "PNG" : "JPEG"} picture: ${what}; replace it or take it away`,
    );
  }
}

function fromJpeg(bytes: Uint8Array): Picture {
  const { width, height, data } = jpeg.decode(bytes, {
    useTArray: true,
    tolerantDecoding: false,
    maxResolutionInMP: MAX_MEGAPIXELS,
  });
  return planar({ width, height, channels: 4, data });
}

function fromPng(bytes: Uint8Array): Picture {
  const header = new DataView(bytes.buffer, bytes.byteOffset);
  const [width, height] = [header.getUint32(16), header.getUint32(20)];
  if (width * height > MAX_MEGAPIXELS * 1e6 || width * height === 0) {
    throw new Error(
      `its size of ${width} x ${height} pixels is not within 1 pixel to ${MAX_MEGAPIXELS} million`,
    );
  }
  const png = decodePng(bytes, { checkCrc: true });
  if (png.palette) {
    const channels = png.palette[0].length;
    return planar({ width, height, channels, data: convertIndexedToRgb(png) });
  }
  return planar({ width, height, channels: png.channels, data: toEightBits(png) });
}

/** One byte a value, from 1, 2 or 4 bits (rows begin at a byte), 8 or 16. */
function toEightBits({
  width,
  height,
  depth,
  data,
}: {
  width: number;
  height: number;
  depth: number;
  data: ArrayLike<number>;
}): ArrayLike<number> {
  if (depth === 8) return data;
  if (depth === 16) return Uint8Array.from(data, (v) => Math.round(v / 257));
  const perByte = 8 / depth;
  const rowBytes = Math.ceil(width / perByte);
  const top = 2 ** depth - 1;
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    const byte = data[y * rowBytes + Math.floor(x / perByte)];
    return (((byte >> (8 - depth * ((x % perByte) + 1))) & top) * 255) / top;
  });
}

interface Interleaved {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  readonly channels: number;
  readonly data: ArrayLike<number>;
}

/** Channels one after the other instead of interleaved, transparency laid over white. */
function planar({ width, height, channels, data }: Interleaved): Picture {
  const size = width * height;
  const colours = channels <= 2 ? 1 : 3;
  const out = new Uint8Array(colours * size);
  for (let i = 0; i < size; i++) {
    const alpha = channels === colours ? 1 : data[i * channels + colours] / 255;
    for (let c = 0; c < colours; c++) {
      out[c * size + i] = Math.round(alpha * data[i * channels + c] + (1 - alpha) * 255);
    }
  }
  return { channels: colours, height, width, data: out };
}
