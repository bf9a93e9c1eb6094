import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { map, rows, tensor } from "../base/tensor.ts";
import { arrayOf, metricCases } from "../testing/metricFixtures.ts";
import { classAccuracy } from "./accuracy.ts";
import { inceptionScore } from "./inceptionScore.ts";

const options = { extractor: "test classifier" };

describe("Inception score", () => {
  test.for(metricCases("inception_score").map((c) => [c.name, c] as const))(
    "%s agrees with numpy",
    ([, c]) => {
      for (const splits of c.params.splits as number[]) {
        const got = inceptionScore(arrayOf(c, "logits"), { ...options, splits });
        const want = c.expected[String(splits)];
        expect(got.perSplit).toBeAllClose(want.perSplit, { rel: 1e-12 });
        expect([got.mean, got.std]).toBeAllClose([want.mean, want.std], { rel: 1e-10, abs: 1e-14 });
      }
    },
  );

  test("sure and evenly spread over C classes it is C; all alike it is 1, at any size of the logits", () => {
    const sure = tensor(
      Float64Array.from({ length: 12 * 4 }, (_, i) => (Math.floor(i / 4) % 4 === i % 4 ? 2000 : 0)),
      [12, 4],
    );
    expect(inceptionScore(sure, { ...options, splits: 3 })).toMatchObject({ mean: 4, std: 0 });
    expect(
      inceptionScore(
        map(() => -900, sure),
        { ...options, splits: 1 },
      ).mean,
    ).toBeAllClose(1, { rel: 1e-14 });
  });

  test("rows left over are dropped, and the count says so", () => {
    const logits = tensor(
      Float64Array.from({ length: 11 * 2 }, (_, i) => Math.sin(i)),
      [11, 2],
    );
    const got = inceptionScore(logits, { ...options, splits: 2 });
    expect(got.n).toEqual({ samples: 10, reference: 0 });
    expect(got.perSplit).toEqual(inceptionScore(rows(logits, 0, 10), { ...options, splits: 2 }).perSplit);
  });

  test("more splits than rows is a UsageError", () => {
    expect(() => inceptionScore(tensor([1, 2], [1, 2]), options)).toThrow(UsageError);
    expect(() => inceptionScore(tensor([1, 2], [1, 2]), { ...options, splits: 0 })).toThrow(UsageError);
  });
});

describe("class accuracy", () => {
  const logits = tensor([3, 1, 0, /**/ 0, 5, 5, /**/ -1, -2, -3, /**/ 0, 0, 1], [4, 3]);

  test("counts rows whose largest logit is their label's, the first of equal ones", () => {
    const got = classAccuracy(logits, [0, 1, 1, 2], options);
    expect(got).toMatchObject({
      value: 3 / 4,
      n: { samples: 4, reference: 0 },
      metric: "class accuracy (test classifier)",
    });
    expect(got.perClass).toEqual([1, 1 / 2, 1]);
    expect(classAccuracy(logits, [2, 2, 2, 2], options).perClass).toEqual([null, null, 1 / 4]);
  });

  test("labels that are missing or name no class, and no rows at all, are UsageErrors", () => {
    expect(() => classAccuracy(logits, [0, 1, 1], options)).toThrow(/4 rows.*got 3/);
    expect(() => classAccuracy(logits, [0, 1, 1, 3], options)).toThrow(/label 3 of row 3.*0 to 2/);
    expect(() => classAccuracy(logits, [0, 1, 1, -1], options)).toThrow(UsageError);
    expect(() => classAccuracy(tensor([], [0, 3]), [], options)).toThrow(/at least 1/);
  });
});
