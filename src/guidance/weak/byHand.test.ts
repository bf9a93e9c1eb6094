/** The weak methods on a network whose perturbed predictions are worked out in loops: see byHand.cases.ts. */
import { describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import { map } from "../../base/tensor.ts";
import type { Labels } from "../../diffusion/denoiser.ts";
import type { Perturbation } from "../../graph/perturb.ts";
import { buildGuidance } from "../build.ts";
import { guide } from "../guide.ts";
import type { GuidanceResources } from "../resources.ts";
import {
  CHANNELS,
  type Change,
  HEIGHT,
  LAYERS,
  type Map3,
  TOKENS,
  type Tokens,
  WIDTH,
  attentionNetwork,
  byHand,
  drawnFor,
  mapsByHand,
  range,
  sum,
} from "./byHand.cases.ts";

const x = seededNoise([3, 8], 0, [2, CHANNELS, HEIGHT, WIDTH], "float64");
const labels: Labels = [1, 4];
const sigma = 0.8;
const resources: GuidanceResources = { conditional: true, attention: LAYERS };
const plain: Change = {};

async function guided(spec: string, condition: Labels | null = labels): Promise<ArrayLike<number>> {
  return (await guide(attentionNetwork, condition, buildGuidance(spec, resources)).evaluate(x, sigma)).data;
}

/** strong + scale*(strong - weak) */
const away = (strong: readonly number[], weak: readonly number[], scale: number): number[] =>
  strong.map((value, i) => value + scale * (value - weak[i]));

const tolerance = { abs: 2e-6 };

/** Checks a spec of scale 2 against the network changed by hand. */
async function check(spec: string, down: Change, mid: Change): Promise<void> {
  const strong = byHand(x, labels, [plain, plain]);
  const weak = byHand(x, labels, [down, mid]);
  expect(await guided(spec)).toBeAllClose(away(strong, weak, 2), tolerance);
  const most = Math.max(...weak.map((value, i) => Math.abs(value - strong[i])));
  expect(most).toBeGreaterThan(0.02);
}

const everyHead = (f: (map: number[][], head: number) => number[][]) => (maps: Map3) => maps.map(f);
const towards = (u: number) => (rows: number[][]) =>
  rows.map((row, q) => row.map((value, k) => (1 - u) * value + u * Number(q === k)));
const identity: Change = { map: everyHead(towards(1)) };

test("by hand and by the graph it is one network", async () => {
  const [want] = await attentionNetwork.denoise(x, sigma, [{ condition: labels }]);
  expect(byHand(x, labels, [plain, plain])).toBeAllClose(want, tolerance);
  const [without] = await attentionNetwork.denoise(x, sigma, [{ condition: null }]);
  expect(byHand(x, null, [plain, plain])).toBeAllClose(without, tolerance);
});

describe("PAG", () => {
  test("has the identity for the maps of the middle (its Eq. 13)", () => check("pag:2", plain, identity));

  test("of other layers has it there", async () => {
    await check("pag:2,layers=down", identity, plain);
    await check("pag:2,layers=all", identity, identity);
    await check("pag:2,layers=0|1", identity, identity);
  });

  test("softly has (1 - u) A + u I, for all heads or each its own", async () => {
    await check("pag:2,kind=soft-identity,u=0.3", plain, { map: everyHead(towards(0.3)) });
    await check("pag:2,kind=soft-identity", plain, { map: everyHead(towards(0.5)) });
    const byHead: Change = { map: everyHead((rows, head) => towards([0.9, 0.2][head])(rows)) };
    await check("pag:2,kind=soft-identity,u=0.9|0.2", plain, byHead);
    // One head alone, as HeadHunter chooses them.
    const one: Change = { map: everyHead((rows, head) => towards(head)(rows)) };
    await check("pag:2,kind=soft-identity,u=0|1", plain, one);
  });

  test("softly by nothing is off, and wholly the identity", async () => {
    const strong = byHand(x, labels, [plain, plain]);
    expect(await guided("pag:2,kind=soft-identity,u=0")).toBeAllClose(strong, tolerance);
    expect(await guided("pag:2,kind=soft-identity,u=1")).toBeAllClose(await guided("pag:2"), tolerance);
  });

  test("uniformly looks at all tokens alike", () =>
    check("pag:2,kind=uniform", plain, {
      map: everyHead((rows) => rows.map((row) => row.map(() => 1 / TOKENS))),
    }));

  test("under masks hides the scores that are drawn, from every row and head", async () => {
    for (const kind of ["random-mask", "off-diagonal-mask"] as const) {
      const [mask] = drawnFor({ kind, layers: ["mid"], p: 0.4, seed: 3 }, sigma);
      const hide: Change = {
        scores: everyHead((rows) =>
          rows.map((row, q) =>
            row.map((score, k) => (Number(mask.data[q * TOKENS + k]) === 1 ? -1e30 : score)),
          ),
        ),
      };
      await check(`pag:2,kind=${kind},p=0.4,seed=3`, plain, hide);
    }
    expect(await guided("pag:2,kind=off-diagonal-mask,p=1")).toBeAllClose(await guided("pag:2"), tolerance);
  });
});

describe("SEG", () => {
  const mean = (tokens: Tokens): Tokens =>
    tokens.map(() => range(CHANNELS).map((c) => sum(tokens.map((token) => token[c])) / TOKENS));
  /** exp(-r^2 / 2 sigma^2) over 3 x 3 tokens of the grid, mirrored at its border. */
  const blurred =
    (width: number) =>
    (tokens: Tokens): Tokens => {
      const tap = (d: number): number => Math.exp((-d * d) / (2 * width * width));
      const norm = sum([-1, 0, 1].map(tap));
      const mirror = (i: number, n: number): number => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i);
      return tokens.map((_, t) => {
        const [h, w] = [Math.floor(t / WIDTH), t % WIDTH];
        return range(CHANNELS).map((c) =>
          sum(
            [-1, 0, 1].flatMap((a) =>
              [-1, 0, 1].map((b) => {
                const from = mirror(h + a, HEIGHT) * WIDTH + mirror(w + b, WIDTH);
                return (tap(a) * tap(b) * tokens[from][c]) / norm ** 2;
              }),
            ),
          ),
        );
      });
    };

  test("has one query for all tokens, their mean", () => check("seg:2", plain, { queries: mean }));

  test("of a finite width has queries blurred over the grid", async () => {
    await check("seg:2,sigma=0.5", plain, { queries: blurred(0.5) });
    await check("seg:2,sigma=0.5,layers=down", { queries: blurred(0.5) }, plain);
    // 6 sigma, made odd, is at most the grid's width: 3 tokens here.
    await check("seg:2,sigma=4", plain, { queries: blurred(4) });
  });

  test("blurs the unconditional prediction beside CFG (Eq. 10)", async () => {
    const [c, u] = [labels, null].map((condition) => byHand(x, condition, [plain, plain]));
    const weak = byHand(x, null, [plain, { queries: mean }]);
    const want = c.map((value, i) => u[i] + 4 * (value - u[i]) + 2 * (u[i] - weak[i]));
    expect(await guided("cfg:4+seg:2")).toBeAllClose(want, tolerance);
  });
});

describe("SLG and STG", () => {
  const skip: Change = { skip: true };

  test("skip the blocks that are chosen", async () => {
    for (const method of ["slg:2", "stg:2"]) {
      await check(method, plain, skip);
      await check(`${method},layers=down`, skip, plain);
      await check(`${method},layers=all`, skip, skip);
    }
  });

  test("without every block leave x itself", async () => {
    const strong = byHand(x, labels, [plain, plain]);
    const bare = Array.from(x.data, (value, i) => value + labels[Math.floor(i / (CHANNELS * TOKENS))] / 10);
    expect(await guided("slg:2,layers=all")).toBeAllClose(away(strong, bare, 2), tolerance);
  });

  test("of the attention's mixing is PAG", () => check("stg:2,mode=attention", plain, identity));

  test("of feed-forward layers is refused where there are none", async () => {
    await expect(guided("slg:2,kind=skip-feed-forward")).rejects.toThrow(/no feed-forward layer follows/);
  });
});

describe("TPG", () => {
  const orderOf = (layers: Perturbation & { readonly kind: "shuffle-tokens" }): number[] =>
    Array.from(drawnFor(layers, sigma)[0].data, Number);

  test("has the tokens that enter the block in the order that is drawn", async () => {
    for (const seed of [0, 1, 2]) {
      const order = orderOf({ kind: "shuffle-tokens", layers: ["mid"], seed });
      const enters = (tokens: Tokens): Tokens => order.map((from) => tokens[from]);
      await check(`tpg:2,seed=${seed}`, plain, { enters });
    }
  });

  test("keeps every token and the norm of all", async () => {
    // Attention does not know places: what leaves is what would leave, in another order.
    const [strong] = await attentionNetwork.denoise(x, sigma, [{ condition: labels }]);
    const perturbation = { kind: "shuffle-tokens", layers: ["down"], seed: 4 } as const;
    const [weak] = await attentionNetwork.denoise(x, sigma, [{ condition: labels, perturbation }]);
    for (const row of range(2 * CHANNELS)) {
      const values = [strong, weak].map(({ data }) =>
        Array.from(data.slice(row * TOKENS, (row + 1) * TOKENS)).sort((a, b) => a - b),
      );
      expect(values[1]).toBeAllClose(values[0], { abs: 1e-6 });
    }
  });
});

describe("S2", () => {
  const dropped = (how: { readonly p: number; readonly seed: number }, level = sigma): number[] =>
    Array.from(drawnFor({ kind: "drop-blocks", layers: "all", ...how }, level)[0].data, Number);

  test("skips the blocks that are drawn, one of two", async () => {
    const seen = new Set<string>();
    for (const seed of range(6)) {
      const [down, mid] = dropped({ p: 0.1, seed });
      expect(down + mid).toBe(1);
      seen.add(String(down));
      await check(`s2:2,seed=${seed}`, { skip: down === 1 }, { skip: mid === 1 });
    }
    expect(seen.size).toBe(2);
  });

  test("skips all where the share is 1, and the only one where one is chosen", async () => {
    await check("s2:2,p=1", { skip: true }, { skip: true });
    await check("s2:2,layers=mid", plain, { skip: true });
  });

  test("draws anew at other noise levels", () => {
    const levels = range(20).map((i) => dropped({ p: 0.5, seed: 0 }, 0.1 + i)[0]);
    expect(new Set(levels).size).toBe(2);
  });
});

describe("autoguidance by the network itself", () => {
  test("with dropout in its attention has the entries that are drawn at 0, the others scaled", async () => {
    const how = { kind: "attention-dropout", layers: ["mid"], p: 0.3, seed: 5 } as const;
    const [mask] = drawnFor(how, sigma);
    const dropout: Change = {
      map: everyHead((rows) =>
        rows.map((row, q) =>
          row.map((value, k) => (Number(mask.data[q * TOKENS + k]) === 1 ? 0 : value / 0.7)),
        ),
      ),
    };
    await check("self-autoguidance:3,damage=attention-dropout,layers=mid,p=0.3,seed=5", plain, dropout);
  });

  test("with noise on its weights goes away in proportion to the noise, to first order", async () => {
    const strong = byHand(x, labels, [plain, plain]);
    const effect = async (std: number): Promise<number[]> =>
      Array.from(await guided(`self-autoguidance:2,std=${std}`), (value, i) => value - strong[i]);
    const [one, two] = [await effect(2e-4), await effect(4e-4)];
    const size = Math.max(...two.map(Math.abs));
    expect(size).toBeGreaterThan(1e-3);
    expect(two.map((value) => value / 2)).toBeAllClose(one, { abs: 0.02 * size });
  });

  test("in diffusers' form leaves out the condition as well", async () => {
    const [strong, shift] = [byHand(x, labels, [plain, plain]), labels.map((label) => (label + 1) / 10)];
    const [same, without] = [
      await guided("self-autoguidance:3,std=0.1"),
      await guided("self-autoguidance:3,std=0.1,form=diffusers"),
    ];
    // The label only adds to D: without it the weak prediction is lower by (label + 1)/10.
    const want = strong.map((_, i) => same[i] + 2 * shift[Math.floor(i / (CHANNELS * TOKENS))]);
    expect(without).toBeAllClose(want, tolerance);
  });
});

describe("SAG", () => {
  /** What each token receives: the map's mean over heads, summed over queries. */
  const received = (row: number, block: number): number[] => {
    const maps = mapsByHand(x, row, block);
    return range(TOKENS).map(
      (k) => sum(maps.map((map) => sum(map.map((queries) => queries[k])))) / maps.length,
    );
  };

  test("finds out what each token receives", async () => {
    const [down, mid] = await attentionNetwork.attended!(x, sigma, { condition: labels }, "all");
    for (const row of [0, 1]) {
      const of = (values: typeof down): number[] =>
        Array.from(values.data.slice(row * TOKENS, (row + 1) * TOKENS));
      expect(of(down)).toBeAllClose(received(row, 0), tolerance);
      expect(of(mid)).toBeAllClose(received(row, 1), tolerance);
      expect(sum(received(row, 0))).toBeCloseTo(TOKENS, 10);
    }
  });

  test("blurs D where that is above 1, keeps the noise, and compares the noises found", async () => {
    const strong = byHand(x, labels, [plain, plain]);
    const looked = [0, 1].map((row) => received(row, 1));
    // Three taps of sigma 1, mirrored, in each direction.
    const tap = [Math.exp(-0.5), 1, Math.exp(-0.5)].map((value) => value / (1 + 2 * Math.exp(-0.5)));
    const mirror = (i: number, n: number): number => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i);
    const y = map((value, i) => {
      const [image, t] = [Math.floor(i / TOKENS), i % TOKENS];
      if (looked[Math.floor(image / CHANNELS)][t] <= 1) return value;
      const [h, w] = [Math.floor(t / WIDTH), t % WIDTH];
      let blurred = 0;
      for (const a of [-1, 0, 1])
        for (const b of [-1, 0, 1])
          blurred +=
            tap[a + 1] *
            tap[b + 1] *
            strong[image * TOKENS + mirror(h + a, HEIGHT) * WIDTH + mirror(w + b, WIDTH)];
      return value + blurred - strong[i];
    }, x);
    expect(y.data.filter((value, i) => value !== x.data[i]).length).toBeGreaterThan(CHANNELS);

    const ofY = byHand(y, labels, [plain, plain]);
    const weak = ofY.map((value, i) => value + x.data[i] - y.data[i]);
    expect(await guided("sag:2,kernel=3")).toBeAllClose(away(strong, weak, 2), { abs: 5e-5 });
  });
});
