import { UsageError } from "../base/errors.ts";
import { numbersOf } from "./constant.ts";
import type { CallSite } from "./rule.ts";
import type { Value } from "./value.ts";

/** The shape two operands broadcast to (ONNX multidirectional broadcasting). */
export function broadcastShapes(site: { name: string }, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const out: number[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new UsageError(`shapes [${a.join(", ")}] and [${b.join(", ")}] do not broadcast at node "${site.name}"`);
    }
    out.push(x === 1 ? y : x);
  }
  return out;
}

/** Axis as a non-negative number. */
export function axisOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/** The numbers of an input that must be known while tracing (axes, sizes, pads). */
export function knownNumbers(site: CallSite, value: Value | null | undefined, what: string): number[] | null {
  if (!value) return null;
  if (!value.constant) {
    throw new UsageError(
      `node "${site.name}" (${site.op}) has ${what} that are computed at run time: bind the graph's dimensions first`,
    );
  }
  return Array.from(numbersOf(value.constant));
}

/** Throws UsageError naming the node unless `condition` holds. */
export function check(site: { name: string }, condition: boolean, message: () => string): void {
  if (!condition) throw new UsageError(`${message()} at node "${site.name}"`);
}
