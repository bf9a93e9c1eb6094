import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import { map, rowSize, tensor } from "../../base/tensor.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { Branch, Denoiser, Labels } from "../../diffusion/denoiser.ts";
import { recording } from "../../testing/recording.ts";
import { toyDenoiser } from "../../testing/toyModel.ts";
import { buildGuidance } from "../build.ts";
import { classConditions, noiseInNetwork, noiseOnTensor } from "../conditions.ts";
import { compose } from "../guidance.ts";
import { guide } from "../guide.ts";
import type { GuidanceResources } from "../resources.ts";
import { annealing, cads } from "./conditionAnnealing.ts";

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
const sigmaOf = (t: number): number => Math.tan((Math.PI / 2) * t);
const stable = { tau1: 0.6, tau2: 0.9 };

describe("what is left of the condition", () => {
  test("is all of it up to tau1, nothing from tau2 on, and falls in a straight line in t between", () => {
    const left = (t: number): number => annealing(sigmaOf(t), stable);
    expect([left(0), left(0.3), left(0.6 - 1e-9)]).toEqual([1, 1, 1]);
    expect([left(0.9 + 1e-9), left(0.99)]).toEqual([0, 0]);
    expect([0.65, 0.75, 0.825].map(left)).toBeAllClose([5 / 6, 0.5, 0.25], { abs: 1e-12 });
    expect(left(0.6 + 1e-9)).toBeAllClose(1, { abs: 1e-8 });
    expect(left(0.9 - 1e-9)).toBeAllClose(0, { abs: 1e-8 });
  });

  test("begins at sigma 1.376 and ends at sigma 6.314 for the values of Stable Diffusion", () => {
    expect([sigmaOf(0.6), sigmaOf(0.9)]).toBeAllClose([1.37638192, 6.31375151], { rel: 1e-8 });
    expect([annealing(1.376, stable), annealing(6.314, stable)]).toEqual([1, 0]);
    expect(annealing(1.377, stable)).toBeLessThan(1);
    expect(annealing(6.313, stable)).toBeGreaterThan(0);
  });

  test("is all or nothing where tau1 is tau2", () => {
    expect([0.49, 0.51].map((t) => annealing(sigmaOf(t), { tau1: 0.5, tau2: 0.5 }))).toEqual([1, 0]);
  });
});

const labels: Labels = [1, 3];
const x = tensor(Float64Array.from([0.3, -2, 1.5, 0.7]), [2, 2]);
const seeds = [11, 5];
const resources: GuidanceResources = {
  conditional: true,
  attention: ["mid.0"],
  guides: { early: toyDenoiser(0.8) },
  ...classConditions(["a", "b", "c", "d"]),
  noisyCondition: noiseInNetwork,
  levelEmbedding: true,
};

interface At {
  readonly sigma?: number;
  readonly step?: number;
  readonly condition?: Labels | null;
}

/** The branches that are asked for. */
async function asked(spec: string, { sigma = sigmaOf(0.75), step = 3, condition = labels }: At = {}) {
  const network = recording(toyDenoiser(0.5));
  const guided = guide(network, condition, buildGuidance(spec, resources), { seeds });
  await guided.evaluate(x, sigma, step);
  return { branches: network.calls.flat(), evaluations: guided.evaluations };
}

const noise = {
  keep: Math.SQRT1_2,
  amount: 0.25 * Math.SQRT1_2,
  rescale: 1,
  seeds,
  stream: 2 ** 48 + 2 ** 41 + 3,
};

describe("the strong prediction", () => {
  test("is asked with sqrt(gamma) of the condition and s*sqrt(1 - gamma) of noise, for nothing", async () => {
    const { branches, evaluations } = await asked("cads:0.25");
    expect(branches).toHaveLength(1);
    const { conditionNoise, condition } = branches[0];
    expect(condition).toBe(labels);
    expect({ ...conditionNoise, keep: 0, amount: 0 }).toEqual({ ...noise, keep: 0, amount: 0 });
    expect([conditionNoise!.keep, conditionNoise!.amount]).toBeAllClose([noise.keep, noise.amount], {
      rel: 1e-12,
    });
    expect(evaluations).toEqual({ networks: 1, gradients: 0 });
  });

  test("is asked as without up to tau1, and with noise alone from tau2 on", async () => {
    const at = async (t: number, spec = "cads:0.25") => (await asked(spec, { sigma: sigmaOf(t) })).branches;
    expect(await at(0.59)).toEqual([{ condition: labels }]);
    expect((await at(0.95))[0].conditionNoise).toMatchObject({ keep: 0, amount: 0.25 });
    expect(await at(0.95, "cads:0.25,tau1=1,tau2=1")).toEqual([{ condition: labels }]);
  });

  test("without a condition is asked as it is", async () => {
    expect((await asked("cads:0.25", { condition: null })).branches).toEqual([{ condition: null }]);
  });

  test("is asked with other noise in each step and for each seed, and with the same in one step", async () => {
    const streamAt = async (step: number) =>
      (await asked("cads:0.25", { step })).branches[0].conditionNoise!.stream;
    expect(await streamAt(3)).toBe(await streamAt(3));
    expect(await streamAt(4)).not.toBe(await streamAt(3));
  });
});

describe("weak predictions", () => {
  const weakOf = async (spec: string): Promise<Branch<Labels>> =>
    (await asked(`${spec}+cads:0.25`)).branches[1];

  test("of the same condition see the noise", async () => {
    for (const spec of ["pag:2", "tsg:2", "tsg:2,form=level"]) {
      expect((await weakOf(spec)).conditionNoise, spec).toMatchObject({ stream: noise.stream });
    }
    const guideNetwork = recording(toyDenoiser(0.8));
    const offered = { ...resources, guides: { early: guideNetwork } };
    const guidance = buildGuidance("autoguidance:2+cads:0.25", offered);
    await guide(toyDenoiser(0.5), labels, guidance, { seeds }).evaluate(x, sigmaOf(0.75), 3);
    expect(guideNetwork.calls[0][0].conditionNoise).toMatchObject({ stream: noise.stream });
  });

  test("that drop the condition or take another do not", async () => {
    for (const spec of ["cfg:2", "negative:2,condition=0", "icg:2"]) {
      expect((await weakOf(spec)).conditionNoise, spec).toBeUndefined();
    }
  });

  test("are the same wherever the change is written", async () => {
    const [before, after] = [await asked("cads:0.25+cfg:2+pag:2"), await asked("cfg:2+pag:2+cads:0.25")];
    expect(before.branches).toEqual(after.branches);
  });
});

describe("conditions that are tensors", () => {
  const y: Tensor = tensor(
    Float64Array.from({ length: 2 * 600 }, (_, i) => 2 + Math.sin(i * i)),
    [2, 3, 200],
  );
  /** Predicts the mean of its condition's row everywhere. */
  const network = recording<Tensor>({
    shape: [2],
    denoise: (at, _sigma, branches) =>
      Promise.resolve(
        branches.map(({ condition }) =>
          map((_, i) => {
            if (condition === null) return 0;
            const size = rowSize(condition);
            const row = condition.data.subarray(Math.floor(i / 2) * size, (Math.floor(i / 2) + 1) * size);
            return sum(row) / size;
          }, at),
        ),
      ),
  } satisfies Denoiser<Tensor>);
  const change = (mix: number) => cads<Tensor>({ noise: 0.5, ...stable, mix, noisy: noiseOnTensor });

  test("get the noise themselves: y' = sqrt(gamma)*y + s*sqrt(1 - gamma)*n", async () => {
    const { evaluate } = guide<Tensor>(network, y, compose([change(0)]), { seeds });
    await evaluate(x, sigmaOf(0.825), 6);
    const [branch] = network.calls.at(-1)!;
    expect(branch.conditionNoise).toBeUndefined();
    const got = branch.condition!;
    expect(got.shape).toEqual(y.shape);
    const want = seeds.flatMap((seed, row) => {
      const stream = philox(seed, 2 ** 48 + 2 ** 41 + 6);
      return Array.from(
        y.data.subarray(600 * row, 600 * row + 600),
        (value) => 0.5 * value + 0.5 * Math.sqrt(0.75) * stream.normal(),
      );
    });
    expect(got.data).toBeAllClose(want, { abs: 1e-12 });
  });

  test("keep mean and standard deviation of each row with mix 1, even where only noise is left", async () => {
    const stats = (values: ArrayLike<number>): number[] => {
      const mean = sum(values) / values.length;
      return [mean, Math.sqrt(sum(Array.from(values, (value) => (value - mean) ** 2)) / values.length)];
    };
    for (const t of [0.7, 0.95]) {
      const { evaluate } = guide<Tensor>(network, y, compose([change(1)]), { seeds });
      await evaluate(x, sigmaOf(t), 6);
      const got = network.calls.at(-1)![0].condition!;
      for (const row of [0, 1]) {
        const part = (of: Tensor) => stats(of.data.subarray(600 * row, 600 * row + 600));
        expect(part(got)).toBeAllClose(part(y), { rel: 1e-12 });
      }
      expect(got.data).not.toBeAllClose(y.data, { abs: 0.1 });
    }
  });

  test("of null stay null, and are left alone up to tau1", async () => {
    const { evaluate } = guide<Tensor>(network, y, compose([change(1)]), { seeds });
    await evaluate(x, sigmaOf(0.5), 6);
    expect(network.calls.at(-1)![0].condition).toBe(y);
    expect(noiseOnTensor({ condition: null }, noise)).toEqual({ condition: null });
    expect(() => noiseOnTensor({ condition: y }, { ...noise, seeds: [1, 2, 3] })).toThrow(
      "a condition of 2 rows takes 2 seeds, got 3",
    );
  });
});

test.each([
  ["cads:0.25", { conditional: false }, /cads needs the embedding of a condition/],
  ["cads:0.25", { conditional: true }, /this model's network makes none/],
  ["cads:0.25,tau1=0.9,tau2=0.6", resources, /tau1 is at most tau2, got 0.9 and 0.6/],
  ["cads:0.25,tau2=1.5", resources, /tau2 of cads must be a probability/],
  ["cads:x", resources, /noise of cads must be a finite number/],
] as const)("%s of %o is refused", (spec, offered, message) => {
  expect(() => buildGuidance(spec, offered as GuidanceResources)).toThrow(message);
});
