import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { philox, philoxBlock, seededNoise } from "./philox.ts";

interface TorchWords {
  readonly seed: string;
  readonly subsequence: string;
  readonly offset: string;
  readonly words: readonly number[];
}
const fixture = new URL("../../tests/fixtures/rng/philox4x32.json", import.meta.url);
const torchWords = JSON.parse(readFileSync(fixture, "utf8")) as TorchWords[];

function block(counter: readonly number[], key: readonly number[]): string {
  const words = new Uint32Array(4);
  philoxBlock(words, counter[0], counter[1], counter[2], counter[3], key[0], key[1]);
  return Array.from(words, (w) => w.toString(16).padStart(8, "0")).join(" ");
}

describe("words", () => {
  test("a block is Random123's known answer", () => {
    const ones = 0xffffffff;
    expect(block([0, 0, 0, 0], [0, 0])).toBe("6627e8d5 e169c58d bc57ac4c 9b00dbd8");
    expect(block([ones, ones, ones, ones], [ones, ones])).toBe("408f276d 41c83b0e a20bc7c6 6d5451fd");
    expect(block([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toBe(
      "d16cfe09 94fdcceb 5001e420 24126ea1",
    );
  });

  test("the words of a stream are those of an independent implementation, seed as key and stream as high counter", () => {
    // torch 2.13 at::Philox4_32(seed, subsequence, 0), fixtures/rng/philox4x32.json
    const words = (seed: number, stream: number) => {
      const s = philox(seed, stream);
      return Array.from({ length: 8 }, () => s.uniform() * 2 ** 32);
    };
    expect(words(42, 0)).toEqual([
      2632642643, 2012563771, 314527917, 1463989207, 4242219303, 1404726525, 2207210094, 1951270651,
    ]);
    expect(words(42, 1).slice(0, 4)).toEqual([43202409, 542238995, 996716600, 3056353436]);
    expect(words(42, 255).slice(0, 4)).toEqual([757330429, 3044328363, 1535504787, 3243386896]);
  });

  // at::Philox4_32 of torch 2.13.0: seeds, subsequences and offsets that use every word of the key and the counter.
  test.each(torchWords)("seed $seed, subsequence $subsequence, offset $offset: torch's words", (row) => {
    const [seed, subsequence, offset] = [row.seed, row.subsequence, row.offset].map(BigInt);
    const low = (value: bigint): number => Number(BigInt.asUintN(32, value));
    const words = row.words.flatMap((_, i) => {
      if (i % 4 !== 0) return [];
      const counter = (subsequence << 64n) + offset + BigInt(i / 4);
      const four = new Uint32Array(4);
      const [a, b, c, d] = [0n, 32n, 64n, 96n].map((shift) => low(counter >> shift));
      philoxBlock(four, a, b, c, d, low(seed), low(seed >> 32n));
      return Array.from(four);
    });
    expect(words).toEqual(row.words);
    if (offset !== 0n) return;
    const stream = philox(seed, Number(subsequence));
    expect(row.words.map(() => stream.uniform() * 2 ** 32)).toEqual(row.words);
  });

  test("all 64 bits of the seed and 53 of the stream count", () => {
    const first = (seed: number | bigint, stream: number) => philox(seed, stream).uniform();
    const values = [
      first(1, 0),
      first(1 + 2 ** 32, 0),
      first(1n + (1n << 63n), 0),
      first(1, 2 ** 32),
      first(1, 1),
    ];
    expect(new Set(values).size).toBe(values.length);
    expect(first(7n, 3)).toBe(first(7, 3));
  });

  test("seeds and streams that are not whole numbers in range are refused", () => {
    for (const bad of [-1, 0.5, NaN, 2 ** 53]) {
      expect(() => philox(bad, 0)).toThrow("a seed is an integer");
      expect(() => philox(0, bad)).toThrow("a stream is an integer");
    }
    expect(() => philox(1n << 64n, 0)).toThrow("a seed is an integer");
  });
});

describe("normals", () => {
  test("the first normals are Box-Muller of the first words", () => {
    const [w0, w1] = [2632642643, 2012563771];
    const r = Math.sqrt(-2 * Math.log((w0 + 0.5) / 2 ** 32));
    const s = philox(42, 0);
    expect([s.normal(), s.normal()]).toBeAllClose(
      [r * Math.cos((2 * Math.PI * w1) / 2 ** 32), r * Math.sin((2 * Math.PI * w1) / 2 ** 32)],
      { abs: 1e-15 },
    );
  });

  test("fillNormal gives what calls of normal() give, in pieces of any size and after any other draw", () => {
    for (const before of [0, 1, 2, 3, 4, 5]) {
      const one = philox(5, 9);
      const other = philox(5, 9);
      for (let i = 0; i < before; i++) expect(one.uniform()).toBe(other.uniform());
      const want = Array.from({ length: 61 }, () => one.normal());
      const got = new Float64Array(61);
      let at = 0;
      for (const length of [1, 2, 3, 5, 8, 13, 29]) {
        other.fillNormal(got, at, length);
        at += length;
      }
      expect(Array.from(got)).toEqual(want);
      expect(other.uniform()).toBe(one.uniform());
    }
  });

  test("mean, variance, skewness and kurtosis are a standard normal's within 4 standard errors", () => {
    const n = 1_000_000;
    const x = new Float64Array(n);
    philox(123, 4).fillNormal(x);
    const moment = (p: number) => x.reduce((sum, v) => sum + v ** p, 0) / n;
    // Var of x, x^2, x^3, x^4 under N(0, 1): 1, 2, 15, 96.
    expect(Math.abs(moment(1))).toBeLessThan(4 * Math.sqrt(1 / n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(moment(3))).toBeLessThan(4 * Math.sqrt(15 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
    const beyond3 = x.reduce((count, v) => count + (Math.abs(v) > 3 ? 1 : 0), 0) / n;
    expect(Math.abs(beyond3 - 0.0026998)).toBeLessThan(4 * Math.sqrt(0.0027 / n));
  });

  test("neighbouring seeds, neighbouring streams and successive values are uncorrelated within 4 standard errors", () => {
    const n = 200_000;
    const draw = (seed: number, stream: number) => {
      const x = new Float64Array(n);
      philox(seed, stream).fillNormal(x);
      return x;
    };
    const limit = 4 / Math.sqrt(n);
    const correlation = (x: Float64Array, y: Float64Array) => x.reduce((sum, v, i) => sum + v * y[i], 0) / n;
    const a = draw(0, 0);
    expect(correlation(a, a)).toBeGreaterThan(0.9);
    for (const b of [draw(1, 0), draw(0, 1), draw(2 ** 32, 0)]) {
      expect(Math.abs(correlation(a, b))).toBeLessThan(limit);
      expect(
        Math.abs(
          correlation(
            a.map((v) => v * v - 1),
            b.map((v) => v * v - 1),
          ),
        ),
      ).toBeLessThan(2 * limit);
    }
    for (const lag of [1, 2, 3, 4]) {
      expect(Math.abs(correlation(a.subarray(0, n - lag), a.subarray(lag)))).toBeLessThan(limit);
    }
  });
});

describe("uniforms, integers and permutations", () => {
  test("uniforms fill 64 equal bins evenly (chi-squared within 5 standard errors)", () => {
    const n = 640_000;
    const counts = new Float64Array(64);
    const s = philox(8, 0);
    const x = new Float64Array(n);
    s.fillUniform(x);
    for (const v of x) counts[Math.floor(v * 64)]++;
    const chi2 = counts.reduce((sum, c) => sum + (c - n / 64) ** 2 / (n / 64), 0);
    expect(Math.abs(chi2 - 63)).toBeLessThan(5 * Math.sqrt(2 * 63));
  });

  test("integers are equally likely, also where 2^32 is no multiple of n", () => {
    const s = philox(9, 0);
    const n = 3 * 2 ** 30; // word mod n alone would give the first third twice as often
    const draws = 30_000;
    let low = 0;
    for (let i = 0; i < draws; i++) if (s.integer(n) < n / 3) low++;
    expect(Math.abs(low / draws - 1 / 3)).toBeLessThan(4 * Math.sqrt(2 / 9 / draws));
    expect(s.integer(1)).toBe(0);
    for (const bad of [0, -1, 1.5, NaN, 2 ** 32 + 1])
      expect(() => s.integer(bad)).toThrow("wants an integer");
  });

  test("permutations of three are all six, equally often", () => {
    const s = philox(10, 0);
    const counts = new Map<string, number>();
    const draws = 12_000;
    for (let i = 0; i < draws; i++) {
      const key = s.permutation(3).join("");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(["012", "021", "102", "120", "201", "210"]);
    for (const c of counts.values()) {
      expect(Math.abs(c / draws - 1 / 6)).toBeLessThan(4 * Math.sqrt(5 / 36 / draws));
    }
    expect(Array.from(s.permutation(0))).toEqual([]);
  });
});

describe("seededNoise", () => {
  test("a row depends on its seed and the stream only, not on the rest of the batch", () => {
    const shape = [3, 5];
    const all = seededNoise([4, 8, 15], 2, [3, ...shape], "float64");
    const alone = seededNoise([8], 2, [1, ...shape], "float64");
    const reversed = seededNoise([15, 8, 4], 2, [3, ...shape], "float64");
    expect(all.data.slice(15, 30)).toEqual(alone.data);
    expect(reversed.data.slice(15, 30)).toEqual(alone.data);
    expect(reversed.data.slice(0, 15)).toEqual(all.data.slice(30, 45));
    expect(seededNoise([8], 3, [1, ...shape], "float64").data).not.toEqual(alone.data);
    expect(all.shape).toEqual([3, 3, 5]);
  });

  test("float32 is the rounding of float64", () => {
    const wide = seededNoise([1, 2], 0, [2, 7], "float64").data;
    expect(seededNoise([1, 2], 0, [2, 7]).data).toEqual(Float32Array.from(wide));
  });

  test("a shape whose rows are not the seeds is refused", () => {
    expect(() => seededNoise([1, 2], 0, [3, 4])).toThrow("noise of shape [3, 4] has 3 rows, got 2 seeds");
  });
});

test("32 x 1024 normals take a few milliseconds", () => {
  const out = new Float32Array(32 * 1024);
  const times = Array.from({ length: 60 }, (_, i) => {
    const start = performance.now();
    philox(i, 0).fillNormal(out);
    return performance.now() - start;
  });
  // Measured 1.0 ms; the limit leaves room for a busy machine.
  expect(Math.min(...times.slice(20))).toBeLessThan(6);
});
