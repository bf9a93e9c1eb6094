import { expect } from "vitest";

export interface Tolerance {
  /** Largest allowed |got - want| where |want| is small. Default 0. */
  readonly abs?: number;
  /** Largest allowed |got - want| / |want|. Default 0. */
  readonly rel?: number;
}

declare module "vitest" {
  interface Matchers {
    /** Elementwise: |got - want| <= abs + rel * |want| everywhere; NaN never passes. Takes arrays, numbers or tensors. */
    toBeAllClose(want: unknown, tolerance: Tolerance): void;
  }
}

function flat(value: unknown): number[] {
  if (typeof value === "number") return [value];
  if (Array.isArray(value)) return value.flatMap(flat);
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number | bigint>, Number);
  if (value && typeof value === "object" && "data" in value) return flat(value.data);
  throw new TypeError(`toBeAllClose compares numbers, arrays and tensors, got ${String(value)}`);
}

expect.extend({
  toBeAllClose(received: unknown, want: unknown, { abs = 0, rel = 0 }: Tolerance) {
    const a = flat(received);
    const b = flat(want);
    if (a.length !== b.length) {
      return { pass: false, message: () => `expected ${b.length} values, got ${a.length}` };
    }
    let worst = -1;
    let excess = 0;
    for (let i = 0; i < a.length; i++) {
      const over = Math.abs(a[i] - b[i]) - (abs + rel * Math.abs(b[i]));
      if (!(over <= 0) && !(over <= excess)) {
        worst = i;
        excess = over;
        if (Number.isNaN(over)) break;
      }
    }
    return {
      pass: worst < 0,
      message: () =>
        worst < 0
          ? "expected the values to differ"
          : `at flat index ${worst}: got ${a[worst]}, wanted ${b[worst]} within abs ${abs}, rel ${rel}`,
    };
  },
});
