import { intsOf, stringOf } from "../attributes.ts";
import type { CallSite } from "../rule.ts";
import { check, sameShape } from "../shapes.ts";

/** How a kernel slides over the spatial axes, as Conv, ConvTranspose and the pools say it: one number an axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Before each spatial axis, then after each. */
  readonly pads: readonly number[];
}

/** From the first to the last element that the kernel touches, along each axis. */
export const extentsOf = ({ kernel, dilations }: Window): number[] =>
  kernel.map((k, i) => (k - 1) * dilations[i] + 1);

/**
 * The window that a call's attributes describe, with pads as they are given (none with auto_pad).
 * Throws UsageError for a list whose length is not that of `kernel`, or steps below 1.
 */
export function givenWindow(site: CallSite, kernel: readonly number[]): Window {
  const each = (n: number): number[] => kernel.map(() => n);
  const strides = intsOf(site, "strides", each(1));
  const dilations = intsOf(site, "dilations", each(1));
  const none = [...each(0), ...each(0)];
  const pads = stringOf(site, "auto_pad", "NOTSET") === "NOTSET" ? intsOf(site, "pads", none) : none;
  const fits =
    strides.length === kernel.length &&
    dilations.length === kernel.length &&
    pads.length === 2 * kernel.length &&
    sameShape(intsOf(site, "kernel_shape", kernel), kernel) &&
    [...kernel, ...strides, ...dilations].every((n) => n >= 1);
  check(
    site,
    fits,
    () =>
      `${site.op} with a kernel of ${kernel.join(" x ")}, strides [${strides.join(", ")}], ` +
      `dilations [${dilations.join(", ")}] and pads [${pads.join(", ")}]`,
  );
  return { kernel, strides, dilations, pads };
}

/** auto_pad where it chooses the pads: the lower half of an uneven sum comes first for SAME_UPPER, last for SAME_LOWER. */
export function automatic(site: CallSite): "SAME_UPPER" | "SAME_LOWER" | null {
  const mode = stringOf(site, "auto_pad", "NOTSET");
  return mode === "SAME_UPPER" || mode === "SAME_LOWER" ? mode : null;
}

/** Pads that sum to `total`, the larger half of an uneven sum behind for SAME_UPPER and in front otherwise. */
export function halves(total: readonly number[], upper: boolean): number[] {
  const first = total.map((n) => (upper ? Math.floor(n / 2) : Math.ceil(n / 2)));
  return [...first, ...total.map((n, i) => n - first[i])];
}

/** The window of a call that slides over `spatial`: SAME pads so that ceil(size / stride) windows fit. */
export function windowOf(site: CallSite, kernel: readonly number[], spatial: readonly number[]): Window {
  const window = givenWindow(site, kernel);
  const mode = automatic(site);
  if (!mode) return window;
  const total = extentsOf(window).map((extent, i) => {
    const stride = window.strides[i];
    return Math.max(0, (Math.ceil(spatial[i] / stride) - 1) * stride + extent - spatial[i]);
  });
  return { ...window, pads: halves(total, mode === "SAME_UPPER") };
}

/**
 * How many windows fit along each axis. With `ceil`, also one that hangs over the end, if it starts before the pads there.
 * Throws UsageError when there is an axis where none fits.
 */
export function windowCounts(
  site: CallSite,
  window: Window,
  spatial: readonly number[],
  ceil = false,
): number[] {
  const { kernel, strides, pads } = window;
  const counts = extentsOf(window).map((extent, i) => {
    const room = spatial[i] + pads[i] + pads[i + kernel.length] - extent;
    const count = Math.floor(room / strides[i]) + 1;
    const hanging = ceil && room % strides[i] > 0 && count * strides[i] < spatial[i] + pads[i];
    return hanging ? count + 1 : count;
  });
  check(
    site,
    counts.every((n) => n > 0),
    () => `a kernel of ${kernel.join(" x ")} does not fit [${spatial.join(", ")}]`,
  );
  return counts;
}

// --- For the host reference.

/** Flat positions, in pairs: one among the windows, and the element that a tap of the kernel touches there. */
export interface Meetings {
  readonly small: readonly number[];
  readonly wide: readonly number[];
}

/** For each tap of the kernel, in row-major order: the windows in which it lies inside `wide`, and where. */
export function meetingsOf(window: Window, wide: readonly number[], small: readonly number[]): Meetings[] {
  let taps: Meetings[] = [{ small: [0], wide: [0] }];
  window.kernel.forEach((size, axis) => {
    const along = Array.from({ length: size }, (_, tap) => meetingsAlong(window, axis, tap, wide, small));
    taps = taps.flatMap((before) => along.map((next) => product(before, next, wide[axis], small[axis])));
  });
  return taps;
}

function meetingsAlong(
  { strides, dilations, pads }: Window,
  axis: number,
  tap: number,
  wide: readonly number[],
  small: readonly number[],
): Meetings {
  const out = { small: [] as number[], wide: [] as number[] };
  for (let i = 0; i < small[axis]; i++) {
    const at = i * strides[axis] + tap * dilations[axis] - pads[axis];
    if (at < 0 || at >= wide[axis]) continue;
    out.small.push(i);
    out.wide.push(at);
  }
  return out;
}

function product(before: Meetings, next: Meetings, wide: number, small: number): Meetings {
  return {
    small: before.small.flatMap((at) => next.small.map((i) => at * small + i)),
    wide: before.wide.flatMap((at) => next.wide.map((i) => at * wide + i)),
  };
}
