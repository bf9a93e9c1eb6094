/**
 * Where well-known programs differ from a paper or from one another: the default is the paper's, and the other is asked for by name.
 * Numbers of the traps are those of the field's threads and of running the programs.
 */
import { describe, expect, test } from "vitest";
import type { Tensor } from "../base/tensor.ts";
import { tensor } from "../base/tensor.ts";
import type { Branch, Denoiser, Labels } from "../diffusion/denoiser.ts";
import { last } from "../diffusion/last.ts";
import { heun } from "../diffusion/samplers/heun.ts";
import { evaluateAll, guidanceModel, guidedModel, labels, samples } from "../testing/guidanceModel.ts";
import { golden } from "../testing/pairs.ts";
import { buildGuidance } from "./build.ts";
import { guide } from "./guide.ts";
import { convertAt } from "./spaces.ts";
import type { Space } from "./spaces.ts";

const x = tensor(Float64Array.of(0.3, -1.2, 0.8, 2), [1, 1, 2, 2]);
const sigma = 1.6;

/** The golden pair's predictions, whatever x. */
const network: Denoiser = {
  shape: [1, 2, 2],
  denoise: (_x, _sigma, branches) =>
    Promise.resolve(branches.map(({ condition }) => (condition === null ? golden.weak : golden.strong))),
};
const predict = (spec: string, step?: number): Promise<Tensor> =>
  guide(network, [0], buildGuidance(spec, { conditional: true })).evaluate(x, sigma, step);

const [c, u] = [golden.strong, golden.weak].map(({ data }) => Array.from(data));

/** f of the two predictions in a space, turned into x0. */
function within(space: Space, f: (c: number[], u: number[]) => number[]): Tensor {
  const { to, from } = convertAt(space, x, sigma);
  const [strong, weak] = [golden.strong, golden.weak].map((one) => Array.from(to(one).data));
  return from(tensor(Float64Array.from(f(strong, weak)), x.shape));
}
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, v, i) => sum + v * b[i], 0);

describe("the w and s trap: one convention, in which 1 is off", () => {
  test("a weight between 0 and 1 interpolates, and 0 is the weak prediction: nothing is ignored", async () => {
    expect((await predict("cfg:0")).data).toEqual(golden.weak.data);
    expect(await predict("cfg:0.25")).toBeAllClose(
      c.map((value, i) => u[i] + 0.25 * (value - u[i])),
      { abs: 1e-15 },
    );
    expect(await predict("cfg:-1")).toBeAllClose(
      c.map((value, i) => u[i] - (value - u[i])),
      { abs: 1e-15 },
    );
  });

  test("PAG's scale is the same number with and without CFG: 0 is off and each adds s*(D - D')", async () => {
    const at = [{ x: samples, sigma: 0.9 }];
    const values = async (spec: string): Promise<readonly number[]> => (await evaluateAll(spec, at)).values;
    const [none, alone, cfg, both] = await Promise.all(["none", "pag:2", "cfg:3", "cfg:3+pag:2"].map(values));
    expect(both).toBeAllClose(
      cfg.map((value, i) => value + alone[i] - none[i]),
      { abs: 1e-13 },
    );
    expect(await values("cfg:3+pag:0")).toEqual(cfg);
  });
});

describe("APG", () => {
  /** The difference without its part along the strong prediction. */
  const across = (strong: number[], weak: number[]): number[] => {
    const g = strong.map((value, i) => value - weak[i]);
    const along = dot(g, strong) / dot(strong, strong);
    return g.map((value, i) => value - along * strong[i]);
  };

  test("works on x0 by default; on the raw noise where asked, as diffusers does with a network of noise", async () => {
    const [x0, eps] = [await predict("apg:3"), await predict("apg:3,space=eps")];
    for (const [got, space] of [
      [x0, "x0"],
      [eps, "eps"],
    ] as const) {
      const want = within(space, (strong, weak) => {
        const g = across(strong, weak);
        return strong.map((value, i) => value + 2 * g[i]);
      });
      expect(got).toBeAllClose(want, { abs: 1e-13 });
    }
    expect(Math.abs(x0.data[1] - eps.data[1])).toBeGreaterThan(0.01);
  });

  test("adds w - 1 times the difference to the strong prediction; diffusers w times to the weak, ComfyUI w times to the strong", async () => {
    const g = across(c, u);
    for (const [form, base, factor] of [
      ["paper", c, 2],
      ["diffusers", u, 3],
      ["comfyui", c, 3],
    ] as const) {
      const want = base.map((value, i) => value + factor * g[i]);
      expect(await predict(`apg:3,form=${form}`), form).toBeAllClose(want, { abs: 1e-13 });
      if (form === "paper") expect(await predict("apg:3")).toBeAllClose(want, { abs: 1e-13 });
    }
  });

  test("diffusers' original formulation with a scale of w - 1 is the paper's", async () => {
    // base + scale*g with base = c: "comfyui" of weight w - 1.
    expect(await predict("apg:2,form=comfyui")).toBeAllClose(await predict("apg:3"), { abs: 1e-14 });
  });

  test("ComfyUI's has no weight 1 that is off, whatever its tooltip says: eta 1 is CFG of weight w + 1", async () => {
    expect(await predict("apg:1,eta=1,form=comfyui")).toBeAllClose(await predict("cfg:2"), { abs: 1e-14 });
  });

  test("its momentum goes on once a step, not once an evaluation: Heun's middle does not feed it", async () => {
    const grid = [10, 3, 1, 0.3];
    const momentum = "apg:3,momentum=-0.5";
    const seen: { sigma: number; step?: number }[] = [];
    const { evaluate } = guidedModel(momentum);
    const run = heun(
      (at, level, step) => (seen.push({ sigma: level, step }), evaluate(at, level, step)),
      samples,
      grid,
    );
    await last(run);
    expect(seen.map(({ step }) => step)).toEqual([0, 0, 1, 1, 2, 2]);
    // What the second step sees is what one evaluation a step leaves, and not what every evaluation would, as in all known programs.
    const after = async (calls: readonly (readonly [level: number, step: number])[]): Promise<Tensor> => {
      const { evaluate: fresh } = guidedModel(momentum);
      for (const [level, step] of calls) await fresh(samples, level, step);
      return fresh(samples, 3, calls[calls.length - 1][1] + 1);
    };
    const [twice, once, fed] = await Promise.all([
      after([
        [10, 0],
        [3, 0],
      ]),
      after([[10, 0]]),
      after([
        [10, 0],
        [3, 1],
      ]),
    ]);
    expect(twice.data).toEqual(once.data);
    expect(Math.max(...fed.data.map((value, i) => Math.abs(value - once.data[i])))).toBeGreaterThan(0.1);
  });
});

describe("CFG-Zero*", () => {
  const size = (strong: number[], weak: number[]): number => dot(strong, weak) / (dot(weak, weak) + 1e-8);
  const away = (s: number, strong: number[], weak: number[]): number[] =>
    strong.map((value, i) => s * weak[i] + 3 * (value - s * weak[i]));

  test("scales the velocity by default, and the raw output in diffusers' way where asked", async () => {
    for (const space of ["velocity", "eps", "x0"] as const) {
      const want = within(space, (strong, weak) => away(size(strong, weak), strong, weak));
      expect(await predict(`cfg-zero:3,zeroSteps=0,space=${space}`), space).toBeAllClose(want, {
        abs: 1e-12,
      });
    }
    const spelled = await predict("cfg-zero:3,zeroSteps=0,space=velocity");
    expect((await predict("cfg-zero:3,zeroSteps=0")).data).toEqual(spelled.data);
  });

  test("of ComfyUI finds its factor in the noise and scales x0 by it, and waits in no step", async () => {
    const { to } = convertAt("eps", x, sigma);
    const s = size(
      ...([golden.strong, golden.weak].map((one) => Array.from(to(one).data)) as [number[], number[]]),
    );
    const got = await predict("cfg-zero:3,form=comfyui,space=eps", 0);
    expect(got).toBeAllClose(away(s, c, u), { abs: 1e-13 });
    const paper = await predict("cfg-zero:3,zeroSteps=0");
    expect(Math.abs(got.data[0] - paper.data[0])).toBeGreaterThan(1e-3);
  });

  test("needs no step number: a call without one is a step, and the first one waits", async () => {
    // D = x/(1 + sigma): no velocity.
    const still = Array.from(x.data, (value) => value / (1 + sigma));
    expect(await predict("cfg-zero:3")).toBeAllClose(still, { abs: 1e-14 });
    expect(await predict("cfg-zero:3", 0)).toBeAllClose(still, { abs: 1e-14 });
    expect(await predict("cfg-zero:3", 1)).toBeAllClose(await predict("cfg-zero:3,zeroSteps=0"), {
      abs: 1e-14,
    });
  });
});

describe("rescaling", () => {
  const std = (values: readonly number[]): number => {
    const mean = values.reduce((a, b) => a + b) / values.length;
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
  };

  test("is of v by default, as the paper's; of the raw output where asked", async () => {
    for (const space of ["v", "eps", "x0"] as const) {
      const want = within(space, (strong, weak) => {
        const guided = weak.map((value, i) => value + 3 * (strong[i] - value));
        const factor = (0.7 * std(strong)) / std(guided) + 0.3;
        return guided.map((value) => factor * value);
      });
      expect(await predict(`cfg:3+rescale:0.7,space=${space}`), space).toBeAllClose(want, { abs: 1e-12 });
      if (space === "v") expect(await predict("cfg:3+rescale:0.7")).toBeAllClose(want, { abs: 1e-12 });
    }
  });
});

test("an interval is of noise levels, tested at each evaluation: it does not change with the number of steps", async () => {
  const model = guidanceModel();
  const { evaluate } = guidedModel("cfg:3,interval=0.5..2", { model });
  // Heun's second evaluation at 2 is inside although its step begins outside.
  await last(heun(evaluate, samples, [5, 2, 0.5, 0.2]));
  const asked = model.main.calls.map((branches) => branches.length);
  expect(asked).toEqual([1, 2, 2, 1, 1, 1]);
});

describe("perturbed passes", () => {
  const asked = async (spec: string): Promise<readonly Branch<Labels>[]> => {
    const model = guidanceModel();
    await guidedModel(spec, { model }).evaluate(samples, 0.9);
    return model.main.calls[0];
  };

  test.each(["pag:3", "slg:3", "stg:1", "tpg:3", "s2:1", "seg:3"])(
    "%s alone perturbs the network, and asks with the condition of the strong prediction",
    async (spec) => {
      const branches = await asked(spec);
      expect(branches).toHaveLength(2);
      expect(branches[0]).toEqual({ condition: labels });
      expect(branches[1].condition).toBe(labels);
      expect(branches[1].perturbation).toBeDefined();
    },
  );

  test.each(["pag:3", "slg:3", "stg:1", "tpg:3", "s2:1", "seg:3"])(
    "%s beside cfg is three passes, none alike",
    async (spec) => {
      const branches = await asked(`cfg:3+${spec}`);
      expect(new Set(branches.map((branch) => JSON.stringify(branch))).size).toBe(3);
      expect(branches.filter(({ perturbation }) => perturbation)).toHaveLength(1);
    },
  );

  test("seg beside cfg blurs the unconditional pass, as Eq. 10 has it; form=strong the conditional one", async () => {
    const perturbed = (branches: readonly Branch<Labels>[]) =>
      branches.find(({ perturbation }) => perturbation)!;
    expect(perturbed(await asked("cfg:3+seg:3")).condition).toBeNull();
    expect(perturbed(await asked("cfg:3+seg:3,form=strong")).condition).toBe(labels);
  });

  test("seg's blur of width 1 is not that of width infinity", async () => {
    const of = async (spec: string) => (await asked(spec))[1].perturbation;
    expect(await of("seg:3,sigma=1")).toMatchObject({ kind: "blur-queries", sigma: 1 });
    expect(await of("seg:3")).toMatchObject({ kind: "blur-queries", sigma: Infinity });
  });
});

test("magnitude-aware guidance takes images of any number of axes, row by row", async () => {
  const flat = await evaluateAll("mambo:3,alpha=1", [{ x: samples, sigma: 0.9 }]);
  const one = await evaluateAll(
    "mambo:3,alpha=1",
    [{ x: tensor(samples.data.slice(0, 32), [1, 2, 4, 4]), sigma: 0.9 }],
    {
      condition: [labels[0]],
      seeds: [7],
    },
  );
  expect(flat.values.slice(0, 32)).toEqual(one.values);
});
