import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { type Model, openModel } from "../models/model.ts";
import { sampleAll } from "../models/sample.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { compareModel, methodTable } from "./index.ts";
import { stepsFor } from "./matchEvaluations.ts";
import { solve } from "./matchWeight.ts";

let tree: Model;
beforeAll(async () => {
  tree = await openModel(nodeRuntime({ threads: 1 }), "tree");
});
afterAll(() => tree.dispose());

const small = { seeds: [0, 1], samples: 16, steps: 8 } as const;

describe("steps for a budget", () => {
  const heun = (each: number) => (steps: number) => Promise.resolve(each * (2 * steps - 1));

  test.each([
    [63, 1, 32, 63],
    [63, 2, 16, 62],
    [64, 2, 16, 62],
    [63, 3, 11, 63],
    [1, 3, 1, 3],
    [63, 6, 6, 66],
  ])("of %i evaluations, %i at a time", async (budget, each, steps, evaluations) => {
    expect(await stepsFor(budget, heun(each))).toEqual({ steps, evaluations });
  });

  test("the nearest is found also where the cost does not grow with the steps", async () => {
    const costs = [4, 9, 7, 12, 10, 15];
    const found = await stepsFor(10, (steps) => Promise.resolve(costs[steps - 1] ?? 2 * steps + 5));
    expect(found).toEqual({ steps: 5, evaluations: 10 });
  });

  test("the fewer steps of two that are as near", async () => {
    expect(await stepsFor(10, (steps) => Promise.resolve(4 * steps))).toEqual({ steps: 2, evaluations: 8 });
  });
});

describe("a factor for a weight", () => {
  const of = (f: (factor: number) => number) => (factor: number) => Promise.resolve(f(factor));

  test("is found on both sides of the given strength, growing or falling", async () => {
    expect(await solve(of((k) => 1 + 2 * k), 4)).toBeAllClose(1.5, { abs: 1e-4 }); // prettier-ignore
    expect(await solve(of((k) => 1 + 2 * k), 1.3)).toBeAllClose(0.15, { abs: 1e-4 }); // prettier-ignore
    expect(await solve(of((k) => 1 - k / 9), -1)).toBeAllClose(18, { abs: 2e-3 }); // prettier-ignore
    expect(await solve(of((k) => Math.tanh(k)), 0.5)).toBeAllClose(Math.atanh(0.5), { abs: 3e-4 }); // prettier-ignore
  });

  test("of a linear function takes three values", async () => {
    let values = 0;
    const f = (k: number): Promise<number> => {
      values++;
      return Promise.resolve(0.3 + 0.4 * k);
    };
    expect(await solve(f, 2)).toBeAllClose(4.25, { abs: 1e-9 });
    expect(values).toBe(3);
  });

  test("is the smallest of several", async () => {
    const hump = (k: number): number => 4 * k * (2 - k);
    expect(await solve(of(hump), 3)).toBeAllClose(0.5, { abs: 1e-4 });
  });

  test("or else the range of what was reached", async () => {
    expect(await solve(of((k) => Math.tanh(k)), 2)).toEqual({ low: 0, high: 1 }); // prettier-ignore
  });
});

describe("compare by evaluations", () => {
  test("gives each method the steps that cost as much as the first, and says what is left unequal", async () => {
    const guidance = ["none", "cfg:2", "cfg:2,interval=0.1..1", "classifier:1", "cfg:2+autoguidance:2"];
    const compared = await compareModel(tree, { ...small, guidance, match: "evaluations" });
    expect(compared.matching).toEqual({ by: "evaluations", wanted: 15, reference: "none" });
    for (const { guidance: spec, matched, evaluations, x } of compared.methods) {
      const { steps, got, sigmas } = matched!;
      expect(got).toBe(evaluations!.networks + evaluations!.gradients);
      expect(sigmas).toHaveLength(steps + 1);
      // No neighbouring number of steps is nearer.
      for (const other of [steps - 1, steps + 1].filter((one) => one > 0)) {
        const { evaluations: cost } = await sampleAll(tree, { seeds: [0], guidance: spec, steps: other });
        expect(Math.abs(cost.networks + cost.gradients - 15)).toBeGreaterThanOrEqual(Math.abs(got - 15));
      }
      // The samples are those of that many steps.
      const alone = await sampleAll(tree, { seeds: [0, 1], guidance: spec, steps });
      expect(x!.data.slice(0, 4)).toBeAllClose(alone.x.data, { abs: 1e-5 });
    }
    const { columns, rows, notes } = methodTable(compared);
    expect(columns[1].title).toBe("steps");
    expect(rows.map((row) => row[1])).toEqual(compared.methods.map(({ matched }) => matched!.steps));
    expect(notes!.join(" ")).toMatch(/Matched by evaluations: .* nearest to 15 .* \(that of none\)/);
  }, 60_000);

  test("or as much as is asked for", async () => {
    const compared = await compareModel(tree, {
      ...small,
      ...{ guidance: ["cfg:2", "none"], match: "evaluations", matchTo: 30, sampler: "euler" },
    });
    expect(compared.methods.map(({ matched }) => [matched!.steps, matched!.got])).toEqual([
      [15, 30],
      [30, 30],
    ]);
    expect(compared.matching!.reference).toBeNull();
  }, 60_000);

  test("a method that stops by itself gets the steps with which it really costs so much", async () => {
    const asked = { ...small, guidance: ["adaptive:2,threshold=0.99"], match: "evaluations" } as const;
    const [{ matched, evaluations }] = (await compareModel(tree, { ...asked, samples: 4, matchTo: 60 }))
      .methods;
    expect(matched!.got).toBe(evaluations!.networks);
    // At two evaluations at a time 15 steps of Heun would cost 58, had it never stopped.
    expect(matched!.steps).toBeGreaterThan(15);
    expect(Math.abs(matched!.got - 60)).toBeLessThanOrEqual(4);
  }, 60_000);

  test("refuses a sampler that decides by itself", async () => {
    const asked = { ...small, guidance: ["none"], match: "evaluations", sampler: "dpm-adaptive" } as const;
    await expect(compareModel(tree, asked)).rejects.toThrow(/dpm-adaptive decides by itself/);
  });
});

describe("compare by effective weight", () => {
  test("scales strengths until each method goes as far along CFG's way as the first that guides", async () => {
    const guidance = ["none", "cfg:3", "cfg:2,interval=0.1..1", "autoguidance:2", "classifier:1", "pag:2"];
    const compared = await compareModel(tree, { ...small, guidance, match: "effective-weight" });
    expect(compared.matching).toMatchObject({ by: "effective-weight", reference: "cfg:3", samples: 256 });
    expect(compared.matching!.wanted).toBeAllClose(3, { abs: 1e-5 });
    const [none, cfg, limited, autoguidance, classifier, pag] = compared.methods;
    expect(none.matched!.got).toBeAllClose(1, { abs: 1e-5 });
    expect(cfg).toMatchObject({ guidance: "cfg:3", matched: { asked: "cfg:3" } });

    // 1 + (w - 1) * share of the steps in the interval = 3.
    const share = compared.sigmas.filter((sigma) => sigma > 0.1 && sigma <= 1).length / 8;
    const weight = Number(/^cfg:([\d.]+),/.exec(limited.guidance)![1]);
    expect(weight).toBeAllClose(1 + 2 / share, { rel: 1e-3 });

    for (const { matched, guidance: spec } of [limited, autoguidance, classifier]) {
      expect(matched!.got).toBeAllClose(3, { rel: 2e-3 });
      expect(spec).not.toBe(matched!.asked);
    }
    expect(pag.skipped).toContain("pag needs self-attention");
    const { columns, notes } = methodTable(compared);
    expect(columns.map(({ title }) => title).slice(0, 3)).toEqual([
      "guidance",
      "asked for",
      "effective weight",
    ]);
    expect(notes!.join(" ")).toMatch(/as CFG of weight 3 does \(that of cfg:3\)/);
  }, 120_000);

  test("a weight that no strength has is said, with what was reached", async () => {
    const asked = { ...small, guidance: ["cfg:2"], match: "effective-weight" } as const;
    const [reached] = (await compareModel(tree, { ...asked, matchTo: 20 })).methods;
    expect(reached.matched!.got).toBeAllClose(20, { rel: 1e-3 });
    const [missed] = (await compareModel(tree, { ...asked, matchTo: 1000 })).methods;
    expect(missed.skipped).toMatch(
      /no strength of cfg:2 has the effective weight 1000: up to 64 times as strong it goes from 1 to 65$/,
    );
  }, 60_000);

  test("refuses samples without a condition, and lists in which nothing guides", async () => {
    const asked = { ...small, match: "effective-weight" } as const;
    await expect(compareModel(tree, { ...asked, guidance: ["autoguidance:2"], label: null })).rejects.toThrow(
      UsageError,
    );
    await expect(compareModel(tree, { ...asked, guidance: ["none"] })).rejects.toThrow(
      /tree takes none of the methods .* such as cfg:2/,
    );
  });
});
