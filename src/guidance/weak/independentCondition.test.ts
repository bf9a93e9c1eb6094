import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import { type Tensor, rows, scale, tensor } from "../../base/tensor.ts";
import type { Branch, Denoiser, Labels } from "../../diffusion/denoiser.ts";
import { noisyEmbedding } from "../../diffusion/embeddingNoise.ts";
import { last } from "../../diffusion/last.ts";
import { heun } from "../../diffusion/samplers/heun.ts";
import { karras } from "../../diffusion/sigmas.ts";
import { recording } from "../../testing/recording.ts";
import { toyDenoiser } from "../../testing/toyModel.ts";
import { buildGuidance } from "../build.ts";
import { classConditions, noiseInNetwork, noiseOnTensor } from "../conditions.ts";
import { compose } from "../guidance.ts";
import { guide } from "../guide.ts";
import type { GuidanceResources } from "../resources.ts";
import { gaussianCondition, icg } from "./independentCondition.ts";

const CLASSES = 4;
const resources: GuidanceResources = {
  conditional: true,
  nullCondition: false,
  ...classConditions(["a", "b", "c", "d"]),
  noisyCondition: noiseInNetwork,
};
const labels: Labels = [1, 3, 0];
const x = tensor(Float64Array.from([0.3, -2, 1.5, 0.7, 4, -0.2]), [3, 2]);
const moment = { x, sigma: 0.8, step: 2, seeds: [11, 5, 8] };

const termOf = (spec: string) => buildGuidance(spec, resources).terms[0];
const drawn = (given: Partial<typeof moment> = {}, spec = "icg:2"): Branch<Labels> =>
  termOf(spec).weak({ condition: labels }, { ...moment, ...given });

describe("the condition that is drawn", () => {
  test("is each class equally often, whatever the sample's own", () => {
    const seeds = Array.from({ length: 4000 }, (_, i) => i);
    const own = seeds.map(() => 2);
    const { condition } = termOf("icg:2").weak({ condition: own }, { ...moment, seeds });
    for (let label = 0; label < CLASSES; label++) {
      const share = condition!.filter((one) => one === label).length / seeds.length;
      expect(share).toBeAllClose(1 / CLASSES, { abs: 4 * Math.sqrt(3 / 16 / seeds.length) });
    }
  });

  test("depends on the row's seed and the step, and on nothing else", () => {
    const { condition } = drawn();
    expect(drawn({ x: scale(3, x), sigma: 7 }).condition).toEqual(condition);
    const turned = drawn({ seeds: [8, 11, 5], x: rows(x, 0, 3) });
    expect(turned.condition).toEqual([2, 0, 1].map((place) => condition![place]));
    expect(drawn({ seeds: [5] }).condition).toEqual([condition![1]]);
    const steps = Array.from({ length: 12 }, (_, step) => drawn({ step }).condition!.join());
    expect(new Set(steps).size).toBeGreaterThan(6);
  });

  test("does not carry noise of the condition that it replaces", () => {
    const noise = { keep: 1, amount: 1, rescale: 0, seeds: [1, 2, 3], stream: 0 };
    const branch = termOf("icg:2").weak({ condition: labels, conditionNoise: noise }, moment);
    expect(branch.conditionNoise).toBeUndefined();
  });

  test("kind=gaussian is an embedding of noise alone, of the mean and the spread of the condition's own", () => {
    const branch = drawn({}, "icg:2,kind=gaussian");
    expect(branch).toMatchObject({ condition: labels, conditionNoise: { keep: 0, seeds: moment.seeds } });
    const e = Array.from({ length: 500 }, (_, i) => 3 + 2 * Math.sin(i));
    const noisy = noisyEmbedding(e, branch.conditionNoise!, 0);
    const moments = (values: ArrayLike<number>): number[] => {
      const list = Array.from(values);
      const mean = list.reduce((a, b) => a + b) / list.length;
      return [mean, list.reduce((a, b) => a + (b - mean) ** 2, 0) / list.length];
    };
    expect(moments(noisy)).toBeAllClose(moments(e), { rel: 1e-12 });
    const correlation = noisy.reduce((sum, value, i) => sum + (value - 3) * (e[i] - 3), 0) / e.length / 2;
    expect(Math.abs(correlation)).toBeLessThan(4 * Math.sqrt(2 / e.length));
    expect(drawn({ step: 3 }, "icg:2,kind=gaussian").conditionNoise!.stream).not.toBe(
      branch.conditionNoise!.stream,
    );
  });
});

describe("independent condition guidance", () => {
  test("is classifier-free guidance with the drawn condition in the null one's place", async () => {
    const network = recording(toyDenoiser(0.5));
    const { evaluate, evaluations } = guide(network, labels, buildGuidance("icg:3", resources), {
      seeds: moment.seeds,
    });
    const { data } = await evaluate(x, 0.8, 2);
    const { condition } = drawn();
    expect(network.calls).toEqual([[{ condition: labels }, { condition }]]);
    expect(evaluations).toEqual({ networks: 2, gradients: 0 });
    const [c, weak] = await network.denoise(x, 0.8, [{ condition: labels }, { condition }]);
    const want = c.data.map((value, i) => weak.data[i] + 3 * (value - weak.data[i]));
    expect(data).toBeAllClose(want, { abs: 1e-14 });
  });

  test("sees one condition in all evaluations of a step, as Heun makes two", async () => {
    const network = recording(toyDenoiser(0.5));
    const guided = guide(network, labels, buildGuidance("icg:2", resources), { seeds: moment.seeds });
    await last(heun(guided.evaluate, x, karras({ steps: 6, min: 0.1, max: 4 })));
    const weak = network.calls.map(([, branch]) => branch.condition!.join());
    expect(weak).toHaveLength(11);
    for (let step = 0; step < 5; step++) expect(weak[2 * step]).toBe(weak[2 * step + 1]);
    expect(new Set(weak).size).toBeGreaterThan(3);
  });

  test("on average over draws is guidance away from the mean of all conditions", async () => {
    // Predictions of the toy are linear in the label, so that their mean over y^ is that of label (CLASSES - 1)/2.
    const count = 3000;
    const many = tensor(new Float64Array(2 * count).fill(0.4), [count, 2]);
    const seeds = Array.from({ length: count }, (_, i) => i);
    const condition = seeds.map(() => 3);
    const network = toyDenoiser(0.5);
    const { evaluate } = guide(network, condition, buildGuidance("icg:2", resources), { seeds });
    const guided = (await evaluate(many, 0.8)).data;
    const mean = Array.from(guided).reduce((a, b) => a + b) / guided.length;
    const share = 0.8 ** 2 / (0.5 ** 2 + 0.8 ** 2);
    const of = (label: number): number => (1 - share) * 0.4 + share * (label + 1);
    const middle = (CLASSES - 1) / 2;
    // Standard error: the labels' standard deviation sqrt(5/4) times the share.
    const error = (share * Math.sqrt(1.25)) / Math.sqrt(count);
    expect(Math.abs(mean - (of(middle) + 2 * (of(3) - of(middle))))).toBeLessThan(4 * error);
  });

  test("is the same bits again for the same seeds, and others for others", async () => {
    const run = async (seeds: readonly number[]) => {
      const { evaluate } = guide(toyDenoiser(0.5), labels, buildGuidance("icg:4", resources), { seeds });
      const first = await evaluate(x, 2, 0);
      return [...first.data, ...(await evaluate(x, 1, 1)).data];
    };
    expect(await run([1, 2, 3])).toEqual(await run([1, 2, 3]));
    expect(await run([1, 2, 3])).not.toEqual(await run([4, 5, 6]));
  });

  test("without a condition is refused: the weak prediction would be the strong one", () => {
    const guidance = buildGuidance("icg:2", resources);
    expect(() => guide(toyDenoiser(0.5), null, guidance)).toThrow(/icg would compare.*give a label/);
  });

  test("draws from the stream that is its own", () => {
    const { condition } = drawn();
    const labelAt = (seed: number): number => philox(seed, 2 ** 48 + 2).integer(CLASSES);
    expect(condition).toEqual(moment.seeds.map(labelAt));
  });
});

test("conditions that are tensors become Gaussian ones of their own mean and spread, a row at a time", async () => {
  const y = tensor(Float64Array.of(1, 2, 6, -4, 0, 10), [2, 3]);
  const asked: Branch<Tensor>[] = [];
  const network: Denoiser<Tensor> = {
    shape: [2],
    denoise(at, _sigma, branches) {
      asked.push(...branches);
      return Promise.resolve(branches.map(({ condition }) => (condition === y ? at : scale(0.5, at))));
    },
  };
  const term = icg<Tensor>({ weight: 3, independent: gaussianCondition(noiseOnTensor) });
  const at = rows(x, 0, 2);
  const { data } = await guide(network, y, compose([term]), { seeds: [11, 5] }).evaluate(at, 0.8, 2);
  expect(data).toBeAllClose(scale(2, at), { abs: 1e-14 });
  const how = { keep: 0, amount: 1, rescale: 1, seeds: [11, 5], stream: 2 ** 48 + 2 };
  const want = [0, 1].flatMap((row) =>
    Array.from(noisyEmbedding(y.data.slice(3 * row, 3 * row + 3), how, row)),
  );
  expect(asked.map(({ condition }) => condition!.data)).toEqual([y.data, Float64Array.from(want)]);
});

test.each([
  ["icg:2", { conditional: false }, /icg needs conditions to draw from.*Use tsg, pag or autoguidance/],
  ["icg:2", { conditional: true, noisyCondition: noiseInNetwork }, /icg needs conditions.*Use kind=gaussian/],
  ["icg:2,kind=gaussian", { conditional: true }, /kind=gaussian needs an embedding.*Use tsg/],
  [
    "icg:2,kind=gaussian",
    { conditional: true, ...classConditions(["a"]) },
    /kind=gaussian needs an embedding of the condition.*Use kind=random/,
  ],
] as const)("%s of a model that offers %o is refused", (spec, offered, message) => {
  expect(() => buildGuidance(spec, offered as GuidanceResources)).toThrow(message);
});
