import { UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import { intsOf } from "./attributes.ts";
import { numbersOf } from "./constant.ts";
import type { CallSite, RuleInput } from "./rule.ts";

interface Site {
  readonly name: string;
}

/** Throws UsageError naming the node unless `condition` holds. */
export function check(site: Site, condition: boolean, message: () => string): void {
  if (!condition) throw new UsageError(`${message()} at node "${site.name}"`);
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** Axis as a non-negative number. Throws UsageError for one that a tensor of this rank does not have. */
export function axisOf(site: Site, axis: number, rank: number): number {
  check(site, axis >= -rank && axis < rank, () => `a tensor of rank ${rank} has no axis ${axis}`);
  return axis < 0 ? axis + rank : axis;
}

/** The shape two operands broadcast to (ONNX multidirectional broadcasting). */
export function broadcastShapes(site: Site, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    check(
      site,
      x === y || x === 1 || y === 1,
      () => `shapes [${a.join(", ")}] and [${b.join(", ")}] do not broadcast`,
    );
    out.push(x === 1 ? y : x);
  }
  return out;
}

/** The shape that a Reshape to `wanted` gives: -1 is what remains, 0 the input's own dimension unless `allowZero`. */
export function resolveShape(
  site: Site,
  from: readonly number[],
  wanted: readonly number[],
  allowZero: boolean,
): number[] {
  const shape = wanted.map((dim, i) => (dim === 0 && !allowZero ? from[i] : dim));
  const known = sizeOf(shape.filter((dim) => dim !== -1));
  const resolved = shape.map((dim) => (dim === -1 ? sizeOf(from) / known : dim));
  check(
    site,
    sizeOf(resolved) === sizeOf(from) && resolved.every((dim) => Number.isInteger(dim) && dim >= 0),
    () => `[${from.join(", ")}] cannot be reshaped to [${wanted.join(", ")}]`,
  );
  return resolved;
}

/** Transpose's order of axes; by default they are turned round. */
export function permutationOf(site: Pick<CallSite, "attributes" | "name">, rank: number): readonly number[] {
  const reversed = Array.from({ length: rank }, (_, i) => rank - 1 - i);
  return intsOf(site, "perm", reversed);
}

/** The numbers of an input that must be known while tracing (axes, sizes, pads); null for an absent one. */
export function knownNumbers(
  site: CallSite,
  value: RuleInput | null | undefined,
  what: string,
): number[] | null {
  if (!value) return null;
  check(
    site,
    value.constant !== null,
    () =>
      `${site.op} has ${what} computed at run time: bind the graph's dimensions first, bindShapes(graph, ...),`,
  );
  return Array.from(numbersOf(value.constant!));
}

// --- Flat indices, for the host reference.

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/** From a flat index in `shape` to offset + sum over axes of coordinate * steps[axis]. */
export function affineIndex(
  shape: readonly number[],
  steps: readonly number[],
  offset = 0,
): (i: number) => number {
  const strides = stridesOf(shape);
  return (i) => {
    let index = offset;
    for (let k = 0; k < shape.length; k++) {
      if (steps[k] !== 0) index += (Math.floor(i / strides[k]) % shape[k]) * steps[k];
    }
    return index;
  };
}

/** From a flat index in `to` to the flat index of the element of `from` that is broadcast there. */
export function broadcastIndex(from: readonly number[], to: readonly number[]): (i: number) => number {
  const strides = stridesOf(from);
  const lead = to.length - from.length;
  const steps = to.map((_, i) => (i < lead || from[i - lead] === 1 ? 0 : strides[i - lead]));
  return affineIndex(to, steps);
}

/** The numbers f(0), f(1), ... of a tensor of this shape. */
export function generate(shape: readonly number[], f: (i: number) => number): Float64Array {
  const out = new Float64Array(sizeOf(shape));
  for (let i = 0; i < out.length; i++) out[i] = f(i);
  return out;
}
