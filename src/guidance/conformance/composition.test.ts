/** Methods together: whose order does not matter, whose does, and what one asks for with another. */
import { describe, expect, test } from "vitest";
import type { Labels } from "../../diffusion/denoiser.ts";
import {
  evaluateAll,
  guidanceModel,
  guidedModel,
  labels,
  samples,
  seeds,
} from "../../testing/guidanceModel.ts";
import { guide } from "../guide.ts";
import { compose } from "../guidance.ts";
import type { AdjustMethod } from "../method.ts";
import { methods } from "../methods.ts";
import { completeSpec } from "../spec.ts";
import { cfg } from "../weak/condition.ts";
import { pag } from "../weak/perturbedAttention.ts";
import { autoguidance } from "../weak/weakerNetwork.ts";
import { cases, distance, runWithout, specOf, twoSteps } from "./suite.cases.ts";

const at = { x: samples, sigma: 0.9, step: 0 };
const valuesOf = async (spec: string): Promise<readonly number[]> => (await evaluateAll(spec, [at])).values;
const plain = valuesOf("none");

/** One way to write each method that stands alone on the conditional prediction. */
const alone = Object.values(methods).flatMap(({ name, role }) => {
  const one = cases.find(({ method, row }) => {
    const { strong = "condition", without, separate } = row;
    return method.name === name && strong === "condition" && without === undefined && !separate;
  });
  return one ? [{ name, role, spec: specOf(one.row) }] : [];
});
const moves = alone.filter(({ role }) => role === "weak" || role === "combine" || role === "push");
const changes = alone.filter(({ role }) => role === "condition");
const corrections = Object.values(methods).filter(
  (method): method is AdjustMethod => method.role === "adjust",
);

describe("moves away from weak predictions and along gradients add up, in either order", () => {
  test("each method of these roles is here", () => {
    const all = Object.values(methods).filter(({ role }) => !["adjust", "condition"].includes(role));
    expect(moves.map(({ name }) => name)).toEqual(all.map(({ name }) => name));
  });

  test.each(moves)("$name with each other", async ({ name, spec }) => {
    const [none, own] = [await plain, await valuesOf(spec)];
    for (const other of moves.slice(moves.findIndex((move) => move.name === name) + 1)) {
      const its = await valuesOf(other.spec);
      const want = none.map((value, i) => own[i] + its[i] - value);
      for (const pair of [`${spec}+${other.spec}`, `${other.spec}+${spec}`])
        expect(await valuesOf(pair), pair).toBeAllClose(want, { abs: 1e-12 });
    }
  });

  test("more than two, in every order", async () => {
    const parts = ["cfg:4", "pag:3", "autoguidance:2", "apg:3,eta=0.5", "classifier:0.5,base=condition"];
    const none = await plain;
    const each = await Promise.all(parts.map(valuesOf));
    const want = none.map((value, i) => each.reduce((sum, values) => sum + values[i] - value, value));
    for (const order of permutations(parts))
      expect(await valuesOf(order.join("+"))).toBeAllClose(want, { abs: 1e-12 });
  });

  test.each(moves.filter(({ spec }) => /^[a-z]+:3$/.test(spec)))(
    "$name that is off leaves the others bit for bit as they were",
    async ({ name, spec }) => {
      const { off } = methods[name];
      if (off === null) return;
      const other = name === "autoguidance" ? "pag:2" : "autoguidance:2";
      expect(await valuesOf(`${spec.replace(":3", `:${off}`)}+${other}`)).toEqual(await valuesOf(other));
    },
  );

  function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
    if (items.length <= 1) return [items];
    return items.flatMap((item, i) =>
      permutations(items.filter((_, j) => j !== i)).map((rest) => [item, ...rest]),
    );
  }
});

test("changes of the condition are seen by all others, wherever they are written", async () => {
  for (const change of changes)
    for (const move of moves)
      expect(await valuesOf(`${change.spec}+${move.spec}`)).toEqual(
        await valuesOf(`${move.spec}+${change.spec}`),
      );
});

describe("corrections", () => {
  /** The correction with its defaults, by hand. */
  function corrected(
    method: AdjustMethod,
    denoised: Awaited<ReturnType<typeof evaluate>>,
    strong: typeof denoised,
  ) {
    const adjust = method.make(completeSpec({ method: method.name }));
    const moment = { x: samples, sigma: 0.9, step: 0, seeds };
    return adjust.adjust({ ...moment, strong, denoised }, adjust.init?.(3, 0)).denoised;
  }
  const evaluate = async (spec: string) => (await evaluateAll(spec, [at])).predictions[0];

  test("act in the order in which they are written, each on what the one before made", async () => {
    const [strong, guided] = [await evaluate("none"), await evaluate("cfg:3")];
    for (const first of corrections) {
      for (const second of corrections) {
        const want = corrected(second, corrected(first, guided, strong), strong);
        const spec = `cfg:3+${first.name}:${defaultOf(first)}+${second.name}:${defaultOf(second)}`;
        expect((await evaluate(spec)).data, spec).toEqual(want.data);
      }
    }
  });

  const defaultOf = ({ options, strength }: AdjustMethod): string =>
    options[strength].values.write(options[strength].default);

  test("so their order matters: energy of what was clipped is not the clipped of what has the energy", async () => {
    const one = await valuesOf("cfg:3+threshold:0.9+energy:1");
    expect(distance(one, await valuesOf("cfg:3+energy:1+threshold:0.9"))).toBeGreaterThan(0.01);
  });

  test("of one kind do not mind their order: epsilon scalings multiply", async () => {
    const [one, other, both] = await Promise.all(
      [
        "epsilon-scaling:1.25+epsilon-scaling:0.8",
        "epsilon-scaling:0.8+epsilon-scaling:1.25",
        "epsilon-scaling:1",
      ].map(valuesOf),
    );
    expect(one).toBeAllClose(both, { abs: 1e-14 });
    expect(other).toBeAllClose(both, { abs: 1e-14 });
  });

  test("come after all that moves, wherever they are written", async () => {
    for (const { name } of corrections) {
      const spec = `${name}:${defaultOf(methods[name] as AdjustMethod)}`;
      expect(await valuesOf(`${spec}+cfg:3`)).toEqual(await valuesOf(`cfg:3+${spec}`));
    }
  });

  test("that compare with the strong prediction do nothing where nothing moves", async () => {
    const [one] = cases;
    const without = await runWithout(one);
    const { values } = await evaluateAll("rescale:1+energy:1+cfg-norm:1", twoSteps(one.row));
    expect(values).toEqual(without.values);
  });
});

test("only one method puts back its noise: two are refused, with both names", () => {
  expect(() => guidedModel("cfgpp:0.5+pag:1~cfgpp")).toThrow(
    "only one method of a guidance can put back its noise, got cfgpp, cfgpp: leave one out",
  );
});

test("the noise that one puts back stays with it beside others and through corrections", async () => {
  for (const spec of [
    "cfgpp:0.5",
    "pag:2+cfgpp:0.5",
    "cfgpp:0.5+rescale:0.7",
    "cfgpp:0.5+classifier:1,base=condition",
  ]) {
    const [{ renoise }] = (await evaluateAll(spec, [at])).predictions;
    expect(Array.from(renoise!.data), spec).toEqual(await valuesOf("cfg:0"));
  }
});

describe("what is asked for", () => {
  test("each denoiser is called once an evaluation, and equal branches are asked once", async () => {
    const model = guidanceModel();
    const all = guidedModel("cfg:4+pag:3+autoguidance:2+classifier:1+pag:1+cfg:2+pag:2~apg", { model });
    await all.evaluate(samples, 0.9);
    const perturbation = { kind: "identity", layers: ["mid"] };
    const [main, weaker] = model.networks;
    expect(main.calls).toEqual([
      [{ condition: labels }, { condition: null }, { condition: labels, perturbation }],
    ]);
    expect(weaker.calls).toEqual([[{ condition: labels }]]);
    expect(all.evaluations).toEqual({ networks: 4, gradients: 1 });
  });

  test("a linear method twice is once with the sum of the strengths", async () => {
    expect(await valuesOf("pag:1+pag:2")).toBeAllClose(await valuesOf("pag:3"), { abs: 1e-14 });
    expect(await valuesOf("cfg:2+cfg:3")).toBeAllClose(await valuesOf("cfg:4"), { abs: 1e-14 });
    const twice = await valuesOf("classifier:1+classifier:2");
    expect(twice).toBeAllClose(await valuesOf("classifier:3"), { abs: 1e-14 });
  });

  test("neighbouring intervals of one method are one interval", async () => {
    for (const sigma of [0.1, 0.5, 0.7, 1, 2, 3]) {
      const ats = [{ ...at, sigma }];
      const split = await evaluateAll("cfg:3,interval=0.2..1+cfg:3,interval=1..2", ats);
      const whole = await evaluateAll("cfg:3,interval=0.2..2", ats);
      expect(split.values).toEqual(whole.values);
      expect(split.evaluations).toEqual(whole.evaluations);
    }
  });

  test("each method acts on its own interval", async () => {
    const model = guidanceModel();
    const both = guidedModel("cfg:3,interval=1..2+pag:3,interval=0.5..1", { model });
    for (const sigma of [3, 1.5, 1, 0.5]) await both.evaluate(samples, sigma);
    expect(model.main.calls.map(([, ...more]) => more.map(({ condition }) => condition))).toEqual([
      [],
      [null],
      [labels],
      [],
    ]);
  });
});

describe("autoguidance and CFG mixed as in Eq. 6 of the autoguidance paper", () => {
  const mixed = (w: number, alpha: number) =>
    valuesOf(`cfg:${(1 - alpha) * (w - 1) + 1}+autoguidance:${alpha * (w - 1) + 1}`);

  test("are CFG at alpha 0 and autoguidance at alpha 1, bit for bit, and their mean between", async () => {
    const [c, a] = [await valuesOf("cfg:3"), await valuesOf("autoguidance:3")];
    expect(await mixed(3, 0)).toEqual(c);
    expect(await mixed(3, 1)).toEqual(a);
    expect(await mixed(3, 0.5)).toBeAllClose(
      c.map((value, i) => (value + a[i]) / 2),
      { abs: 1e-14 },
    );
  });

  test("are the same from the functions of the library", async () => {
    const { main, resources } = guidanceModel();
    const parts = [cfg<Labels>({ weight: 2 }), autoguidance({ weight: 3, guide: resources.guides!.early })];
    const got = await guide(main, labels, compose(parts)).evaluate(samples, 0.9);
    expect(Array.from(got.data)).toEqual(await valuesOf("cfg:2+autoguidance:3"));
    const one = guide(main, labels, compose<Labels>([pag({ scale: 2, layers: ["mid"] })]));
    expect(Array.from((await one.evaluate(samples, 0.9)).data)).toEqual(await valuesOf("pag:2"));
  });
});
