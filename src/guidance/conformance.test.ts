import { describe, expect, test } from "vitest";
import type { Tensor } from "../base/tensor.ts";
import { concatRows, map, rows, sub, tensor, zerosLike } from "../base/tensor.ts";
import type { Denoiser, Labels } from "../diffusion/denoiser.ts";
import { recording } from "../testing/recording.ts";
import { toyClassifier, toyDenoiser } from "../testing/toyModel.ts";
import { buildGuidance } from "./build.ts";
import { methods } from "./methods.ts";
import type { GuidanceResources } from "./resources.ts";
import { compose, unguided } from "./guidance.ts";
import { guide } from "./guide.ts";
import type { EvaluationCount } from "./guide.ts";
import { cfg } from "./weak/condition.ts";
import { pag } from "./weak/perturbedAttention.ts";

interface Case {
  readonly name: string;
  /** The spec at a strength, with further options. */
  readonly spec: (strength: number, more?: string) => string;
  readonly off: number;
  /** Which network gives the strong prediction, and with which condition. */
  readonly strong: "condition" | "null" | "unconditional";
  readonly cost: EvaluationCount;
  /** The model has a separate unconditional network. */
  readonly separate?: boolean;
}

const two = { networks: 2, gradients: 0 };
const gradient = { networks: 1, gradients: 1 };
const cases: readonly Case[] = [
  { name: "cfg", spec: (w, more = "") => `cfg:${w}${more}`, off: 1, strong: "condition", cost: two },
  {
    name: "cfg with a separate unconditional network",
    spec: (w, more = "") => `cfg:${w}${more}`,
    off: 1,
    strong: "condition",
    cost: two,
    separate: true,
  },
  { name: "pag", spec: (s, more = "") => `pag:${s}${more}`, off: 0, strong: "condition", cost: two },
  {
    name: "pag with masks",
    spec: (s, more = "") => `pag:${s},kind=random-mask${more}`,
    off: 0,
    strong: "condition",
    cost: two,
  },
  {
    name: "autoguidance",
    spec: (w, more = "") => `autoguidance:${w}${more}`,
    off: 1,
    strong: "condition",
    cost: two,
  },
  {
    name: "classifier",
    spec: (s, more = "") => `classifier:${s}${more}`,
    off: 0,
    strong: "null",
    cost: gradient,
  },
  {
    name: "classifier on a separate unconditional network",
    spec: (s, more = "") => `classifier:${s}${more}`,
    off: 0,
    strong: "unconditional",
    cost: gradient,
    separate: true,
  },
  {
    name: "classifier on the conditional prediction",
    spec: (s, more = "") => `classifier:${s},base=condition${more}`,
    off: 0,
    strong: "condition",
    cost: gradient,
  },
];

const labels: Labels = [0, 2, 5];
const x = tensor(Float32Array.from([0.1, -1 / 3, 2.5, 1e-3, -4, 0.7]), [3, 2]);
const x64 = tensor(Float64Array.from(x.data), x.shape);

/** A fresh model of everything that the methods need; its networks remember what they are asked. */
function model(make: (std: number) => Denoiser = toyDenoiser) {
  const [main, guideNetwork, unconditional] = [make(0.5), make(0.8), make(0.6)].map(recording);
  const resources: GuidanceResources = {
    conditional: true,
    guides: { early: guideNetwork },
    classifier: toyClassifier(0.5),
    attention: ["down.0", "mid.0", "up.0"],
  };
  return { main, guideNetwork, unconditional, networks: [main, guideNetwork, unconditional], resources };
}

type Model = ReturnType<typeof model>;

function guided(
  spec: string,
  { main, unconditional, resources }: Model,
  separate = false,
  condition: Labels = labels,
) {
  return guide(main, condition, buildGuidance(spec, separate ? { ...resources, unconditional } : resources));
}

/** The case's strong prediction, asked of the network directly. */
async function strongOf(
  { strong }: Case,
  { main, unconditional }: Model,
  sigma: number,
  at: Tensor,
): Promise<Tensor> {
  const from = strong === "unconditional" ? unconditional : main;
  const [denoised] = await from.denoise(at, sigma, [{ condition: strong === "condition" ? labels : null }]);
  from.calls.pop();
  return denoised;
}

describe.each(cases)("$name", (method) => {
  const run = (spec: string, fresh = model(), at = x64, sigma = 1) =>
    guided(spec, fresh, method.separate).evaluate(at, sigma);

  test("off returns the strong prediction bit for bit and costs one evaluation", async () => {
    const fresh = model();
    const off = guided(method.spec(method.off), fresh, method.separate);
    expect((await off.evaluate(x, 0.9)).data).toEqual((await strongOf(method, fresh, 0.9, x)).data);
    expect(off.evaluations).toEqual({ networks: 1, gradients: 0 });
    expect(fresh.networks.flatMap((one) => one.calls.flat())).toHaveLength(1);
  });

  test("on costs what it says, and every prediction it counts was asked for", async () => {
    const fresh = model();
    const on = guided(method.spec(3), fresh, method.separate);
    for (const sigma of [3, 1, 0.1]) await on.evaluate(x, sigma);
    expect(on.evaluations).toEqual({
      networks: 3 * method.cost.networks,
      gradients: 3 * method.cost.gradients,
    });
    expect(fresh.networks.flatMap((one) => one.calls.flat())).toHaveLength(on.evaluations.networks);
  });

  test("the effect is proportional to the distance from off, without a jump", async () => {
    const off = await run(method.spec(method.off));
    const unit = sub(await run(method.spec(method.off + 1)), off);
    expect(Math.max(...unit.data.map(Math.abs))).toBeGreaterThan(0.1);
    for (const distance of [-3, -1, -1e-6, 1e-9, 1e-6, 0.5, 10]) {
      const effect = sub(await run(method.spec(method.off + distance)), off);
      expect(effect).toBeAllClose(
        unit.data.map((value) => distance * value),
        { abs: 1e-14, rel: 1e-12 },
      );
    }
  });

  test("predictions that do not differ (gradients of 0) are left alone at every strength, bit for bit", async () => {
    const indifferent = model(() => ({
      shape: [2],
      denoise: (at, _sigma, branches) => Promise.resolve(branches.map(() => at)),
    }));
    const classifier = { logProbabilityGradient: (at: Tensor) => Promise.resolve(zerosLike(at)) };
    const flat = { ...indifferent, resources: { ...indifferent.resources, classifier } };
    for (const strength of [-2, 0, 0.3, 1, 4, 1000]) {
      expect((await run(method.spec(strength), flat, x)).data).toEqual(x.data);
    }
  });

  test("outside (low, high] it is off and free; inside it is on", async () => {
    for (const [sigma, isOn] of [
      [0.2, false],
      [0.5, false],
      [0.5 + 1e-9, true],
      [2, true],
      [2 + 1e-9, false],
      [80, false],
    ] as const) {
      const fresh = model();
      const limited = guided(method.spec(3, ",interval=0.5..2"), fresh, method.separate);
      const want = isOn
        ? await run(method.spec(3), model(), x, sigma)
        : await strongOf(method, fresh, sigma, x);
      expect((await limited.evaluate(x, sigma)).data).toEqual(want.data);
      expect(limited.evaluations).toEqual(isOn ? method.cost : { networks: 1, gradients: 0 });
    }
  });

  test("a row alone is the row of a batch, bit for bit", async () => {
    const together = await run(method.spec(3), model(), x, 0.9);
    const alone = labels.map((label, i) =>
      guided(method.spec(3), model(), method.separate, [label]).evaluate(rows(x, i, i + 1), 0.9),
    );
    expect(concatRows(await Promise.all(alone)).data).toEqual(together.data);
  });
});

// Ways to combine and corrections are not linear in their strength: combine/ and adjust/ test what each promises.
test("each weak method and each push has a case", () => {
  const linear = Object.values(methods).filter(({ role }) => role === "weak" || role === "push");
  expect(new Set(cases.map((one) => one.spec(1).split(":")[0]))).toEqual(
    new Set(linear.map(({ name }) => name)),
  );
});

// What holds for ways to combine too, whatever they compute. x is four-dimensional, for those that need images.
describe.each(Object.values(methods).filter(({ role }) => role === "combine"))(
  "$name",
  ({ name, off, adds }) => {
    const image = tensor(
      Float64Array.from({ length: 32 }, (_, i) => Math.sin(i * i)),
      [2, 1, 4, 4],
    );
    const classes = [0, 3];
    const network = (): Denoiser => ({
      shape: [1, 4, 4],
      denoise: async (at, _, branches) =>
        branches.map(({ condition }) =>
          map((value, i) => value * 0.5 + Math.cos(i) * (condition === null ? 0.2 : 0.9), at),
        ),
    });
    const evaluate = async (spec: string, at = image, of: Labels = classes) => {
      const guided = guide(network(), of, buildGuidance(spec, { conditional: true }));
      return { denoised: await guided.evaluate(at, 0.9), evaluations: guided.evaluations };
    };

    test("costs the weak prediction and no more", async () => {
      expect((await evaluate(`${name}:3`)).evaluations).toEqual({
        networks: 2 + adds.networks,
        gradients: 0,
      });
    });

    test.runIf(off === 1)("of weight 1 is the strong prediction bit for bit, at its cost", async () => {
      const [one, none] = [await evaluate(`${name}:1`), await evaluate("none")];
      expect(one.denoised.data).toEqual(none.denoised.data);
      expect(one.evaluations).toEqual({ networks: 1, gradients: 0 });
    });

    // Zero-init sets the first steps aside, as APG-mix has a weight of its own there, and mimic imitates one.
    test.runIf(off === 1 && !["cfg-zero", "apg-mix", "mimic"].includes(name))(
      "goes to off without a jump",
      async () => {
        const off = (await evaluate("none")).denoised;
        const near = (await evaluate(`${name}:${1 + 1e-9}`)).denoised;
        expect(near).toBeAllClose(off, { abs: 1e-7 });
      },
    );

    test("a row alone is the row of a batch, bit for bit, also with weights by row", async () => {
      const together = (await evaluate(`${name}:rows(3|5)`)).denoised;
      const row = (i: number) => tensor(image.data.slice(16 * i, 16 * i + 16), [1, 1, 4, 4]);
      // The network above tells values apart by their place, so that only the first row can be asked for alone.
      const first = (await evaluate(`${name}:3`, row(0), [0])).denoised;
      expect(together.data.slice(0, 16)).toEqual(first.data);
    });
  },
);

describe("composition", () => {
  const parts = ["cfg:4", "pag:3", "autoguidance:2", "classifier:0.5"];
  const run = (spec: string) => guided(spec, model()).evaluate(x64, 0.9);

  test("the effects of the methods add up, in any order", async () => {
    const plain = await run("none");
    let want = plain.data.slice();
    for (const part of ["cfg:4", "pag:3", "autoguidance:2", "classifier:0.5,base=condition"]) {
      const effect = sub(await run(part), plain);
      want = want.map((value, i) => value + effect.data[i]);
    }
    for (const order of permutations(parts)) {
      expect(await run(order.join("+"))).toBeAllClose(want, { abs: 1e-13, rel: 1e-13 });
    }
  });

  test("each denoiser is called once an evaluation, and equal branches are asked once", async () => {
    const fresh = model();
    const all = guided("cfg:4+pag:3+autoguidance:2+classifier:1+pag:1+cfg:2", fresh);
    await all.evaluate(x, 0.9);
    const perturbation = { kind: "identity", layers: ["mid"] };
    expect(fresh.main.calls).toEqual([
      [{ condition: labels }, { condition: null }, { condition: labels, perturbation }],
    ]);
    expect(fresh.guideNetwork.calls).toEqual([[{ condition: labels }]]);
    expect(all.evaluations).toEqual({ networks: 4, gradients: 1 });
  });

  test("a method twice is once with the sum of the strengths", async () => {
    expect(await run("pag:1+pag:2")).toBeAllClose(await run("pag:3"), { abs: 1e-14 });
    expect(await run("cfg:2+cfg:3")).toBeAllClose(await run("cfg:4"), { abs: 1e-14 });
    expect(await run("classifier:1+classifier:2")).toBeAllClose(await run("classifier:3"), { abs: 1e-14 });
  });

  test("neighbouring intervals of one method are one interval", async () => {
    for (const sigma of [0.1, 0.5, 0.7, 1, 2, 3]) {
      const split = guided("cfg:3,interval=0.2..1+cfg:3,interval=1..2", model());
      const whole = guided("cfg:3,interval=0.2..2", model());
      expect((await split.evaluate(x, sigma)).data).toEqual((await whole.evaluate(x, sigma)).data);
      expect(split.evaluations).toEqual(whole.evaluations);
    }
  });

  test("methods that are off leave the others bit for bit as they were", async () => {
    const alone = await run("autoguidance:2");
    expect((await run("cfg:1+autoguidance:2+pag:0+classifier:0")).data).toEqual(alone.data);
  });

  test("autoguidance and CFG mixed as in Eq. 6 of the autoguidance paper are CFG at alpha 0 and autoguidance at 1", async () => {
    const mixed = (w: number, alpha: number) =>
      run(`cfg:${(1 - alpha) * (w - 1) + 1}+autoguidance:${alpha * (w - 1) + 1}`);
    expect((await mixed(3, 0)).data).toEqual((await run("cfg:3")).data);
    expect((await mixed(3, 1)).data).toEqual((await run("autoguidance:3")).data);
    const half = await mixed(3, 0.5);
    const [c, a] = [await run("cfg:3"), await run("autoguidance:3")];
    expect(half).toBeAllClose(
      c.data.map((value, i) => (value + a.data[i]) / 2),
      { abs: 1e-14 },
    );
  });

  function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
    if (items.length <= 1) return [items];
    return items.flatMap((item, i) =>
      permutations(items.filter((_, j) => j !== i)).map((rest) => [item, ...rest]),
    );
  }
});

describe("guide", () => {
  const identity = { layers: ["mid"], kind: "identity" } as const;

  test("unguided is the conditional prediction itself", async () => {
    const { main } = model();
    const [want] = await main.denoise(x, 1, [{ condition: labels }]);
    expect((await guide(main, labels, unguided()).evaluate(x, 1)).data).toEqual(want.data);
  });

  test("PAG needs no condition: without one it compares unconditional predictions", async () => {
    const { main } = model();
    await guide(main, null, compose<Labels>([pag({ scale: 2, ...identity })])).evaluate(x, 1);
    expect(main.calls).toEqual([[{ condition: null }, { condition: null, perturbation: identity }]]);
  });

  test("CFG without a condition is refused, for it would change nothing", () => {
    const { main } = model();
    expect(() => guide(main, null, compose<Labels>([cfg({ weight: 2 })]))).toThrow(
      /cfg would compare.*give a label/,
    );
    expect(() => guide(main, null, compose<Labels>([cfg({ weight: 1 })]))).not.toThrow();
  });

  test("a classifier without a label is refused", async () => {
    const { main, resources } = model();
    const push = guide(main, null, buildGuidance("classifier:1", resources));
    await expect(push.evaluate(x, 1)).rejects.toThrow(/classifier guidance needs a label/);
  });
});
