import { describe, expect, test } from "vitest";
import type { Labels } from "../diffusion/denoiser.ts";
import { concatRows, map, rows, tensor } from "../base/tensor.ts";
import { last } from "../diffusion/last.ts";
import { euler } from "../diffusion/samplers/euler.ts";
import { heun } from "../diffusion/samplers/heun.ts";
import { karras } from "../diffusion/sigmas.ts";
import { recording } from "../testing/recording.ts";
import { toyClassifier, toyDenoiser } from "../testing/toyModel.ts";
import { buildGuidance } from "./build.ts";
import { compose, stateful, unguided } from "./guidance.ts";
import type { Combine, Term } from "./guidance.ts";
import { guide } from "./guide.ts";
import { everywhere } from "./interval.ts";
import { cfg } from "./weak/condition.ts";
import { pag } from "./weak/perturbedAttention.ts";

const labels = [0, 2, 5];
const x = tensor(Float32Array.from([0.1, -1 / 3, 2.5, 1e-3, -4, 0.7]), [3, 2]);
const x64 = tensor(Float64Array.from(x.data), x.shape);
const sigmas = karras({ steps: 5, min: 0.05, max: 10 });

/** Counts the steps it remembers, and notes what each evaluation saw. */
function counter(seen: number[]): Combine {
  return stateful<number, Combine<number>>({
    method: "counter",
    init: () => 0,
    combine({ strong }, state) {
      seen.push(state);
      return { denoised: strong, state: state + 1 };
    },
  });
}

function counting(seen: number[]) {
  const term = { ...cfg<readonly number[]>({ weight: 2 }), combine: counter(seen) };
  return guide(toyDenoiser(0.5), labels, compose([term]));
}

describe("a memory", () => {
  test("goes on once a step, however often the solver evaluates", async () => {
    const [one, two]: number[][] = [[], []];
    await last(euler(counting(one).evaluate, x, sigmas));
    await last(heun(counting(two).evaluate, x, sigmas));
    expect(one).toEqual([0, 1, 2, 3, 4]);
    expect(two).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4]);
  });

  test("is empty again when a sampler begins anew", async () => {
    const seen: number[] = [];
    const { evaluate } = counting(seen);
    for (let run = 0; run < 2; run++) await last(euler(evaluate, x, sigmas));
    expect(seen).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
  });

  test("goes on with every call where no step is named", async () => {
    const seen: number[] = [];
    const { evaluate } = counting(seen);
    for (const sigma of [3, 2, 1]) await evaluate(x, sigma);
    expect(seen).toEqual([0, 1, 2]);
  });
});

test("only a step's first evaluation, at its own noise level, adds to a memory: not one that is in the interval alone", async () => {
  const seen: number[] = [];
  const term = { ...cfg<Labels>({ weight: 2, interval: { low: 0.5, high: 2 } }), combine: counter(seen) };
  const { evaluate } = guide(toyDenoiser(0.5), labels, compose([term]));
  for (const [sigma, step] of [
    [3, 0],
    [2, 0],
    [2, 1],
    [1, 1],
    [1, 2],
  ])
    await evaluate(x, sigma, step);
  expect(seen).toEqual([0, 0, 0, 1]);
});

describe("weights by row", () => {
  const run = (spec: string, at = x, of = labels) => {
    const denoiser = recording(toyDenoiser(0.5));
    const resources = { conditional: true, attention: true, guides: { small: toyDenoiser(0.8) } };
    const guided = guide(denoiser, of, buildGuidance(spec, resources));
    return guided.evaluate(at, 0.9).then((denoised) => ({ denoised, guided, calls: denoiser.calls }));
  };

  test.each(["cfg", "apg", "autoguidance"])(
    "%s: each row is what its weight makes of it alone",
    async (method) => {
      const together = await run(`${method}:rows(1|2.5|-1)`);
      const alone = await Promise.all(
        [1, 2.5, -1].map((weight, i) => run(`${method}:${weight}`, rows(x, i, i + 1), [labels[i]])),
      );
      expect(together.denoised.data).toEqual(concatRows(alone.map(({ denoised }) => denoised)).data);
    },
  );

  test("all of 1 are off and free", async () => {
    const off = await run("cfg:rows(1|1|1)");
    expect(off.guided.evaluations).toEqual({ networks: 1, gradients: 0 });
    expect(off.denoised.data).toEqual((await run("none")).denoised.data);
  });

  test("of another number are refused", async () => {
    await expect(run("cfg:rows(1|2)")).rejects.toThrow("3 samples take 3 weights, or one for all, got 2");
  });
});

test("a correction that compares with the strong prediction does nothing where no method acts", async () => {
  const evaluate = (spec: string) =>
    guide(toyDenoiser(0.5), labels, buildGuidance(spec, { conditional: true })).evaluate(x, 0.9);
  expect((await evaluate("cfg:3,interval=1..2+rescale:0.7")).data).toEqual((await evaluate("none")).data);
  expect((await evaluate("cfg:3+rescale:0.7")).data).not.toEqual((await evaluate("cfg:3")).data);
});

describe("a guidance of one prediction", () => {
  const identity = { layers: ["mid"], kind: "identity" } as const;

  test("unguided is the conditional prediction itself", async () => {
    const main = recording(toyDenoiser(0.5));
    const [want] = await main.denoise(x, 1, [{ condition: labels }]);
    expect((await guide(main, labels, unguided()).evaluate(x, 1)).data).toEqual(want.data);
  });

  test("PAG needs no condition: without one it compares unconditional predictions", async () => {
    const main = recording(toyDenoiser(0.5));
    await guide(main, null, compose<Labels>([pag({ scale: 2, ...identity })])).evaluate(x, 1);
    expect(main.calls).toEqual([[{ condition: null }, { condition: null, perturbation: identity }]]);
  });

  test("CFG without a condition is refused, for it would change nothing", () => {
    const main = recording(toyDenoiser(0.5));
    expect(() => guide(main, null, compose<Labels>([cfg({ weight: 2 })]))).toThrow(
      /cfg would compare.*give a label/,
    );
    expect(() => guide(main, null, compose<Labels>([cfg({ weight: 1 })]))).not.toThrow();
  });

  test("a classifier without a label is refused", async () => {
    const main = toyDenoiser(0.5);
    const resources = { conditional: true, classifier: toyClassifier(0.5) };
    const push = guide(main, null, buildGuidance("classifier:1", resources));
    await expect(push.evaluate(x, 1)).rejects.toThrow(/classifier guidance needs a label/);
  });
});

describe("a term by hand", () => {
  const sigma = 0.9;
  const half = (at: typeof x) => Promise.resolve(map((value) => value / 2, at));
  /** Asked about whatever sample, under each condition: x times a number of the condition's. */
  const factors = { strong: 0.8, weak: 0.5, other: 0.2 } as const;
  type Asked = keyof typeof factors;
  const network = () =>
    recording<Asked>({
      shape: [2],
      denoise: (at, _sigma, branches) =>
        Promise.resolve(branches.map(({ condition }) => map((v) => factors[condition!] * v, at))),
    });
  const term = {
    method: "by hand",
    weight: 3,
    interval: everywhere,
    weak: () => ({ condition: "weak" as const }),
  };
  const run = async (more: Partial<Term<Asked>>) => {
    const main = network();
    const guided = guide<Asked>(main, "strong", compose<Asked>([{ ...term, ...more }]));
    return { denoised: await guided.evaluate(x64, sigma), calls: main.calls, guided };
  };

  test("with a reference adds the difference of the two to the strong prediction", async () => {
    const { denoised, calls, guided } = await run({ reference: () => ({ condition: "other" }) });
    // 0.8 + 2*(0.2 - 0.5)
    expect(denoised).toBeAllClose(
      map((value) => 0.2 * value, x64),
      { abs: 1e-14 },
    );
    expect(calls).toHaveLength(1);
    expect(guided.evaluations.networks).toBe(3);
  });

  test("asks the weak prediction's denoiser for its reference", async () => {
    const from = recording<Asked>({
      shape: [2],
      denoise: (at, _, branches) => Promise.all(branches.map(() => half(at))),
    });
    const { denoised, calls } = await run({ from, reference: () => ({ condition: "strong" }) });
    expect(from.calls).toEqual([[{ condition: "weak" }, { condition: "strong" }]]);
    expect(calls).toEqual([[{ condition: "strong" }]]);
    // Both of its predictions are x/2, so that nothing is added.
    expect(denoised).toBeAllClose(
      map((value) => 0.8 * value, x64),
      { abs: 1e-14 },
    );
  });

  test("of another sample takes the noise that is found in it from x", async () => {
    const seen: unknown[] = [];
    const { denoised, calls, guided } = await run({
      degrade(moment, compared) {
        seen.push(moment.x, compared.prediction.data, compared.branch);
        return half(moment.x);
      },
    });
    expect(seen).toEqual([x64, map((value) => 0.8 * value, x64).data, { condition: "strong" }]);
    expect(calls).toEqual([[{ condition: "strong" }], [{ condition: "weak" }]]);
    expect(guided.evaluations.networks).toBe(2);
    // y = x/2, D(y) = y/2: the weak prediction is x - (y - D(y)) = 0.75 x, and 0.8 + 2*(0.8 - 0.75) = 0.9.
    expect(denoised).toBeAllClose(
      map((value) => 0.9 * value, x64),
      { abs: 1e-14 },
    );
  });

  test("makes that sample from its reference, where it has one", async () => {
    let given: unknown;
    await run({
      reference: () => ({ condition: "other" }),
      degrade(moment, { prediction, branch }) {
        given = { first: prediction.data[0], branch };
        return moment.x;
      },
    });
    expect(given).toEqual({ first: 0.2 * x64.data[0], branch: { condition: "other" } });
  });

  test("may finish the answer, beside what it is compared with", async () => {
    const { denoised } = await run({
      finish: (answer, compared) => map((value, i) => (i % 2 === 0 ? value : compared.data[i]), answer),
    });
    // Even places 0.8 + 2*(0.8 - 0.5) = 1.4, odd ones as they are.
    expect(denoised).toBeAllClose(
      map((value, i) => (i % 2 === 0 ? 1.4 : 0.8) * value, x64),
      { abs: 1e-14 },
    );
  });
});
