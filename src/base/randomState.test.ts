import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { RandomState } from "./randomState.ts";
import { numpyRandomState } from "./randomState.ts";

interface Call {
  readonly op: string;
  readonly low?: number;
  readonly high?: number;
  readonly n?: number;
  readonly out: { readonly values: readonly number[] };
}

// Outputs of numpy 2.4.6: one RandomState(seed) per row, its calls in order.
const fixture = new URL("../../tests/fixtures/rng/numpy_randomstate.json", import.meta.url);
const rows = JSON.parse(readFileSync(fixture, "utf8")) as { seed: number; calls: Call[] }[];

/** numpy's integer in 0..max: words under the smallest all-ones mask until one fits. */
function masked(state: RandomState, max: number): number {
  let mask = 1;
  while (mask < max) mask = 2 * mask + 1;
  for (;;) {
    const value = state.word() & mask;
    if (value <= max) return value;
  }
}

function draw(state: RandomState, call: Call): number[] {
  const { op, low = 0, high = 0, n = 0 } = call;
  const fill = (f: () => number) => call.out.values.map(f);
  if (op === "randn" || op === "standard_normal") return fill(() => state.randn());
  if (op === "rand") return fill(() => state.random());
  if (op === "uniform") return fill(() => low + (high - low) * state.random());
  if (op === "randint") return fill(() => low + masked(state, high - 1 - low));
  if (op !== "permutation") throw new Error(`no rule for ${op}`);
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = masked(state, i);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

test.each(rows)(
  "RandomState($seed) gives numpy's normals, uniforms and words, call after call",
  ({ seed, calls }) => {
    const state = numpyRandomState(seed);
    for (const call of calls) {
      expect(draw(state, call)).toBeAllClose(call.out.values, { abs: 1e-14, rel: 1e-14 });
    }
  },
);

test("RandomState(2).randn() begins with the eight draws of the autoguidance tree", () => {
  const state = numpyRandomState(2);
  const want = [
    -0.4167578474, -0.0562668272, -2.1361960957, 1.6402708084, -1.7934355852, -0.8417473657, 0.5028814172,
    -1.2452880866,
  ];
  expect(want.map(() => state.randn())).toBeAllClose(want, { abs: 5e-11 });
});

test("words continue over the twist: the 10000th word of seed 5489 is the C++ standard's", () => {
  // The C++ standard states the 10000th output of a default mt19937 (seed 5489) as 4123659995.
  const state = numpyRandomState(5489);
  for (let i = 1; i < 10000; i++) state.word();
  expect(state.word()).toBe(4123659995);
});

test("seeds that are no 32-bit integers are refused", () => {
  for (const bad of [-1, 2 ** 32, 1.5, NaN, [], [1, -1]]) {
    expect(() => numpyRandomState(bad)).toThrow("a RandomState seed is an integer from 0 to 2^32 - 1");
  }
});
