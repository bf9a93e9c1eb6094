import { describe, expect, test } from "vitest";
import type { NamedType } from "../graph.ts";
import type { AttentionDropout, DropBlocks, RandomMask, ShuffleTokens } from "./perturbation.ts";
import { drawRandomInputs, gatesInput, randomInput } from "./randomInputs.ts";

const layer = { index: 3, name: "mid/attention" };
const mask: RandomMask = { kind: "random-mask", layers: "all", p: 0.3, seed: 2 };
const tokens = 100;

function drawn(how: RandomMask | AttentionDropout | ShuffleTokens, sigma: number, of = layer): number[] {
  const name = randomInput(of, how);
  const input: NamedType =
    how.kind === "shuffle-tokens"
      ? { name, dtype: "int64", shape: [tokens] }
      : { name, dtype: "float32", shape: [1, 1, tokens, tokens] };
  const inputs: NamedType[] = [{ name: "x", dtype: "float32", shape: [1] }, input];
  const feeds = drawRandomInputs(inputs, sigma);
  expect(Object.keys(feeds)).toEqual([name]);
  expect(feeds[name].shape).toEqual(input.shape);
  return Array.from(feeds[name].data, Number);
}

describe("a mask", () => {
  test("hides each logit with probability p", () => {
    const rate = drawn(mask, 1).reduce((a, b) => a + b) / tokens ** 2;
    // Standard error sqrt(0.3 * 0.7 / 10000) = 0.0046.
    expect(Math.abs(rate - 0.3)).toBeLessThan(4 * 0.0046);
    expect(drawn({ ...mask, p: 0 }, 1)).not.toContain(1);
    expect(drawn({ ...mask, p: 1 }, 1)).not.toContain(0);
  });

  test("keeps the diagonal where it is to be kept, and is the same elsewhere", () => {
    const all = drawn({ ...mask, kind: "off-diagonal-mask" }, 1);
    const [on, off] = [0, 1].map((part) => all.filter((_, i) => Number(i % (tokens + 1) > 0) === part));
    expect(on).not.toContain(1);
    expect(off).toEqual(drawn(mask, 1).filter((_, i) => i % (tokens + 1) > 0));
  });

  test("depends on seed, layer and sigma, and on nothing else", () => {
    const first = drawn(mask, 0.7);
    expect(drawn(mask, 0.7)).toEqual(first);
    expect(drawn(mask, 0.8)).not.toEqual(first);
    expect(drawn({ ...mask, seed: 3 }, 0.7)).not.toEqual(first);
    expect(drawn(mask, 0.7, { ...layer, index: 4 })).not.toEqual(first);
  });
});

test("an order of tokens is a permutation, anew at each noise level", () => {
  const how: ShuffleTokens = { kind: "shuffle-tokens", layers: "all" };
  const [first, again, other] = [0.7, 0.7, 0.8].map((sigma) => drawn(how, sigma));
  expect([...first].sort((a, b) => a - b)).toEqual(Array.from({ length: tokens }, (_, i) => i));
  expect(again).toEqual(first);
  expect(other).not.toEqual(first);
});

describe("dropped blocks", () => {
  const layers = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
  const dropped = (how: Partial<DropBlocks>, sigma: number, of = layers): number[] => {
    const name = gatesInput(of, { kind: "drop-blocks", layers: "all", ...how });
    const feeds = drawRandomInputs([{ name, dtype: "float32", shape: [of.length] }], sigma);
    expect(feeds[name].shape).toEqual([of.length]);
    return Array.from(feeds[name].data, Number);
  };
  const count = (gates: readonly number[]): number => gates.reduce((a, b) => a + b);

  test("are a share of all, rounded, but at least one unless the share is 0", () => {
    for (const [p, want] of [
      [0, 0],
      [0.01, 1],
      [0.1, 1],
      [0.25, 3],
      [0.5, 6],
      [1, 12],
    ])
      expect(count(dropped({ p }, 1))).toBe(want);
    expect(count(dropped({}, 1))).toBe(1);
    expect(new Set(dropped({ p: 0.5 }, 1))).toEqual(new Set([0, 1]));
  });

  test("depend on seed and sigma, and on nothing else", () => {
    const first = dropped({ p: 0.5 }, 0.7);
    expect(dropped({ p: 0.5 }, 0.7)).toEqual(first);
    expect(dropped({ p: 0.5 }, 0.8)).not.toEqual(first);
    expect(dropped({ p: 0.5, seed: 1 }, 0.7)).not.toEqual(first);
  });

  test("are each as often as the others", () => {
    const draws = 2000;
    const hits = layers.map(() => 0);
    for (let i = 1; i <= draws; i++) dropped({ p: 0.25 }, i).forEach((gate, at) => (hits[at] += gate));
    // Standard error sqrt(0.25 * 0.75 / 2000) = 0.0097.
    for (const hit of hits) expect(Math.abs(hit / draws - 0.25)).toBeLessThan(4.5 * 0.0097);
  });
});
