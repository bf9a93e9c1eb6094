import { describe, expect, test } from "vitest";
import type { AttentionLayer } from "../attention.ts";
import { nameMatcher } from "./matchName.ts";
import { type Perturbation, checkPerturbation, perturbationKey } from "./perturbation.ts";
import { selectLayers } from "./selectLayers.ts";

const check = (how: unknown): void => checkPerturbation(how as Perturbation);

describe("a perturbation", () => {
  test.each<[unknown, string]>([
    [{ kind: "identity" }, 'needs "layers": "all", or a list of names, positions and indices'],
    [{ kind: "identity", layers: [] }, '"layers" of a perturbation of kind "identity" is "all", or a list'],
    [{ kind: "identity", layers: [-1] }, '"layers"'],
    [
      { kind: "identity", layers: "all", p: 0.5 },
      'kind "identity" has no option "p"; it has: layers, attention',
    ],
    [
      { kind: "identical", layers: "all" },
      'there is no perturbation of kind "identical"; the kinds are: identity,',
    ],
    [
      { kind: "random-mask", layers: "all", p: 1.5 },
      '"p" of a perturbation of kind "random-mask" is a probability',
    ],
    [{ kind: "random-mask", layers: "all", seed: 0.5 }, '"seed"'],
    [{ kind: "attention-dropout", layers: "all", p: 1 }, "is a probability from 0, below 1, got 1"],
    [{ kind: "soft-identity", layers: "all" }, 'needs "u"'],
    [{ kind: "soft-identity", layers: "all", u: [0.5, 2] }, '"u" of a perturbation'],
    [{ kind: "blur-queries", layers: "all", sigma: 0 }, "is a number above 0, or Infinity, got 0"],
    [{ kind: "blur-queries", layers: "all", sigma: 1, grid: [4] }, '"grid"'],
    [{ kind: "mask", layers: "all" }, 'needs "masks"'],
    [
      { kind: "identity", layers: "all", attention: "both" },
      '"attention" of a perturbation of kind "identity"',
    ],
    [
      { kind: "drop-blocks", layers: "all", p: -0.1 },
      '"p" of a perturbation of kind "drop-blocks" is a probability',
    ],
    [{ kind: "weight-noise", std: -1 }, '"std"'],
    [{ kind: "weight-noise", std: 1, layers: "all" }, 'has no option "layers"; it has: std, seed, weights'],
  ])("%o is refused", (how, message) => {
    expect(() => {
      check(how);
    }).toThrow(message);
  });

  test.each<[unknown]>([
    [{ kind: "identity", layers: ["mid", 3, "/attn1$/"], attention: "any" }],
    [{ kind: "off-diagonal-mask", layers: "all", p: 1, seed: 4 }],
    [{ kind: "random-mask", layers: "all", p: undefined }],
    [{ kind: "blur-queries", layers: "all", sigma: Infinity, grid: [8, 6] }],
    [{ kind: "weight-noise", std: 0.1, weights: ["to_q"] }],
  ])("%o is accepted", (how) => {
    expect(() => {
      check(how);
    }).not.toThrow();
  });

  test("has the same key whatever the order of its options, and another for another sigma or mask", () => {
    const key = (how: unknown): string => perturbationKey(how as Perturbation);
    expect(key({ kind: "random-mask", layers: ["mid"], p: 0.5 })).toBe(
      key({ p: 0.5, layers: ["mid"], seed: undefined, kind: "random-mask" }),
    );
    const blur = { kind: "blur-queries", layers: "all" };
    expect(key({ ...blur, sigma: Infinity })).not.toBe(key({ ...blur, sigma: 1 }));
    const masks = [0, 1].map((n) => ({ a: { data: Float32Array.of(n), shape: [1, 1, 1, 1] } }));
    const [first, second] = masks.map((one) => key({ kind: "mask", layers: "all", masks: one }));
    expect(first).not.toBe(second);
    expect(key({ kind: "mask", layers: "all", masks: masks[0] })).toBe(first);
    expect(perturbationKey(undefined)).toBe(perturbationKey(undefined));
  });
});

describe("names match", () => {
  test.each([
    ["blocks.1", "down_blocks.1.attentions.0", true],
    ["blocks.1", "blocks.12.attn1", false],
    ["1.attn", "blocks.21.attn", false],
    ["down_blocks/1", "down_blocks.1.attentions.0", true],
    ["down_blocks.1", "down_blocks/1/attentions", true],
    ["a.c", "abc", false],
    ["/blocks\\.\\d+$/", "blocks.12", true],
    ["/^attn/", "blocks.attn", false],
  ])("%s in %s: %s", (pattern, name, matches) => {
    expect(nameMatcher(pattern)(name)).toBe(matches);
  });

  test("unless the pattern is no regular expression", () => {
    expect(() => nameMatcher("/(/")).toThrow("/(/ is not a regular expression");
  });
});

describe("a selection", () => {
  const layer = (
    index: number,
    name: string,
    kind: AttentionLayer["kind"],
    position: AttentionLayer["position"],
  ) => ({
    index,
    name,
    kind,
    position,
  });
  const layers = [
    layer(0, "down.0.attn1", "self", "down"),
    layer(1, "down.0.attn2", "cross", "down"),
    layer(2, "mid.attn1", "joint", "mid"),
    layer(3, "upper.attn2", "cross", null),
  ];
  const chosen = (
    ...given: [Parameters<typeof selectLayers>[1], Parameters<typeof selectLayers>[2]?]
  ): number[] => selectLayers(layers, ...given).map(({ index }) => index);

  test("means self-attention and joint attention, unless it says otherwise", () => {
    expect(chosen("all")).toEqual([0, 2]);
    expect(chosen("all", "cross")).toEqual([1, 3]);
    expect(chosen("all", "any")).toEqual([0, 1, 2, 3]);
    expect(chosen(["down"])).toEqual([0]);
    expect(chosen(["down", "/attn2/"], "any")).toEqual([0, 1, 3]);
    expect(chosen([2, 0])).toEqual([0, 2]);
  });

  test("of cross-attention that does not say so is an error that tells how to", () => {
    for (const wanted of [1, "attn2"])
      expect(() => chosen([wanted])).toThrow(
        `"${wanted}" names no self-attention: add { attention: "any" } to mean it; ` +
          "the layers are: 0 down.0.attn1, 1 down.0.attn2 (cross), 2 mid.attn1 (joint), 3 upper.attn2 (cross)",
      );
  });
});
