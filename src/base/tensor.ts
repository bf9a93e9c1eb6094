/** Host tensors: a flat row-major array and its shape. The first axis is the batch. */
export type FloatArray = Float32Array | Float64Array;

export interface Tensor {
  readonly data: FloatArray;
  readonly shape: readonly number[];
}

/** Number of elements of a shape; 1 for the empty shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** A tensor over `data` (not copied). Throws if the shape does not hold exactly data.length elements. */
export function tensor(data: FloatArray | readonly number[], shape: readonly number[]): Tensor {
  const array = data instanceof Float32Array || data instanceof Float64Array ? data : Float32Array.from(data);
  if (array.length !== sizeOf(shape)) {
    throw new RangeError(
      `a tensor of shape [${shape.join(", ")}] holds ${sizeOf(shape)} values, got ${array.length}`,
    );
  }
  return { data: array, shape };
}

/** An uninitialised (zero) array of the same precision as `array`. */
export function sameKind(array: FloatArray, length: number): FloatArray {
  return array instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
}

export function zerosLike(x: Tensor): Tensor {
  return { data: sameKind(x.data, x.data.length), shape: x.shape };
}

/** Elementwise f(x). */
export function map(f: (x: number, i: number) => number, x: Tensor): Tensor {
  const out = sameKind(x.data, x.data.length);
  for (let i = 0; i < out.length; i++) out[i] = f(x.data[i], i);
  return { data: out, shape: x.shape };
}

/** Elementwise f(x, y); the shapes must be equal. */
export function zip(f: (x: number, y: number) => number, x: Tensor, y: Tensor): Tensor {
  const out = sameKind(x.data, x.data.length);
  for (let i = 0; i < out.length; i++) out[i] = f(x.data[i], y.data[i]);
  return { data: out, shape: x.shape };
}

/** x + y */
export function add(x: Tensor, y: Tensor): Tensor {
  return axpy(1, x, y);
}

/** x - y */
export function sub(x: Tensor, y: Tensor): Tensor {
  return axpy(-1, y, x);
}

/** a * x */
export function scale(a: number, x: Tensor): Tensor {
  const out = sameKind(x.data, x.data.length);
  for (let i = 0; i < out.length; i++) out[i] = a * x.data[i];
  return { data: out, shape: x.shape };
}

/** a * x + y */
export function axpy(a: number, x: Tensor, y: Tensor): Tensor {
  return axpby(a, x, 1, y);
}

/** a * x + b * y */
export function axpby(a: number, x: Tensor, b: number, y: Tensor): Tensor {
  const out = sameKind(x.data, x.data.length);
  for (let i = 0; i < out.length; i++) out[i] = a * x.data[i] + b * y.data[i];
  return { data: out, shape: x.shape };
}

/** Rows start..end (end excluded) of the batch axis, copied. */
export function rows(x: Tensor, start: number, end: number): Tensor {
  const size = rowSize(x);
  return { data: x.data.slice(start * size, end * size), shape: [end - start, ...x.shape.slice(1)] };
}

/** Elements of one sample. */
export function rowSize(x: Tensor): number {
  return sizeOf(x.shape.slice(1));
}

/** Tensors joined along the batch axis. At least one. */
export function concatRows(parts: readonly Tensor[]): Tensor {
  const total = parts.reduce((n, part) => n + part.shape[0], 0);
  const out = sameKind(parts[0].data, total * rowSize(parts[0]));
  let offset = 0;
  for (const part of parts) {
    out.set(part.data, offset);
    offset += part.data.length;
  }
  return { data: out, shape: [total, ...parts[0].shape.slice(1)] };
}
