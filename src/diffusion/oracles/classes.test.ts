import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import { sub, tensor } from "../../base/tensor.ts";
import { mixtureClassifier, mixtureDenoiser } from "./classes.ts";
import { gaussianMixture, joinMixtures } from "./mixture.ts";

const classes = [
  gaussianMixture({
    weights: [2, 1],
    means: [
      [-1, 0],
      [0, 1],
    ],
    stds: [0.4, [0.2, 0.6]],
  }),
  gaussianMixture({
    means: [[1, -0.5]],
    covariances: [
      [
        [0.5, 0.2],
        [0.2, 0.3],
      ],
    ],
  }),
  gaussianMixture({
    means: [
      [0.5, 0.5],
      [2, 2],
    ],
    stds: [0.3, 0.3],
  }),
];
const priors = [0.5, 0.2, 0.3];
const all = joinMixtures(classes, priors);
const SIGMAS = [0.05, 0.4, 3];
const labels = [0, 1, 2, 2, 1];

describe("mixtureDenoiser", () => {
  const denoiser = mixtureDenoiser(classes, priors);

  test("answers each row for its class, -1 and null for all classes, one answer per branch", async () => {
    for (const sigma of SIGMAS) {
      const x = all.sample(philox(0, 0), 3, sigma);
      const [mixed, none] = await denoiser.denoise(x, sigma, [
        { condition: [1, -1, 0] },
        { condition: null },
      ]);
      const [zero, one, joint] = [classes[0], classes[1], all].map(
        (mixture) => mixture.denoised(x, sigma).data,
      );
      expect(mixed).toBeAllClose([...one.slice(0, 2), ...joint.slice(2, 4), ...zero.slice(4, 6)], { abs: 0 });
      expect(none).toBeAllClose(joint, { abs: 0 });
    }
  });

  test("a row that is told another noise level is denoised at that one, whatever the others are told", async () => {
    const x = all.sample(philox(0, 0), 3, 1);
    const [told] = await denoiser.denoise(x, 1, [{ condition: [1, 1, 0], told: [2, 1, 0.3] }]);
    const [two, one, low] = [2, 1, 0.3].map((sigma, i) => classes[[1, 1, 0][i]].denoised(x, sigma).data);
    expect(told).toBeAllClose([...two.slice(0, 2), ...one.slice(2, 4), ...low.slice(4, 6)], { abs: 0 });
  });

  test("refuses noise on embeddings, for it has none", async () => {
    const noise = { keep: 1, amount: 1, rescale: 0, seeds: [0], stream: 0 };
    const x = all.sample(philox(0, 0), 1);
    for (const how of [{ conditionNoise: noise }, { levelNoise: noise }]) {
      await expect(denoiser.denoise(x, 1, [{ condition: [0], ...how }])).rejects.toThrow("no embedding");
    }
  });

  test("has the shape of one sample", () => expect(denoiser.shape).toEqual([2]));

  test("refuses labels that are no class, a wrong number of labels, a perturbation and points of another dimension", async () => {
    const x = all.sample(philox(0, 0), 2);
    const ask = (condition: number[]) => denoiser.denoise(x, 1, [{ condition }]);
    await expect(ask([0, 3])).rejects.toThrow("a label is a whole number from -1 to 2, got 3");
    await expect(ask([0.5, 0])).rejects.toThrow("got 0.5");
    await expect(ask([0])).rejects.toThrow("a batch of 2 takes 2 labels, got 1");
    const perturbation = { kind: "identity", layers: "all" } as const;
    await expect(denoiser.denoise(x, 1, [{ condition: null, perturbation }])).rejects.toThrow("no attention");
    await expect(denoiser.denoise(tensor(new Float64Array(3), [1, 3]), 1, [])).rejects.toThrow("[n, 2]");
  });
});

describe("mixtureClassifier", () => {
  const classifier = mixtureClassifier(classes, priors);

  test("is Bayes' rule and sums to 1", () => {
    for (const sigma of SIGMAS) {
      const x = all.sample(philox(1, 0), 5, sigma);
      const logs = classifier.logProbabilities(x, sigma).data;
      const joint = all.logDensity(x, sigma);
      const perClass = classes.map((mixture) => mixture.logDensity(x, sigma));
      for (let i = 0; i < 5; i++) {
        const want = perClass.map((log, y) => Math.log(priors[y]) + log[i] - joint[i]);
        expect(logs.slice(i * 3, i * 3 + 3)).toBeAllClose(want, { abs: 1e-12 });
        expect(want.reduce((sum, log) => sum + Math.exp(log), 0)).toBeAllClose(1, { abs: 1e-13 });
      }
      expect(classifier.logProbability(x, sigma, labels)).toBeAllClose(
        labels.map((y, i) => logs[i * 3 + y]),
        { abs: 0 },
      );
    }
  });

  test("its gradient is the score of p(x|y) minus the score of p(x), to 1e-12", () => {
    for (const sigma of SIGMAS) {
      const x = all.sample(philox(2, 0), 5, sigma);
      const joint = all.score(x, sigma);
      const conditional = classes.map((mixture) => sub(mixture.score(x, sigma), joint).data);
      const want = labels.flatMap((y, i) => Array.from(conditional[y].slice(2 * i, 2 * i + 2)));
      expect(classifier.gradient(x, sigma, labels)).toBeAllClose(want, { abs: 1e-12, rel: 1e-12 });
    }
  });

  test("its gradient is the gradient of logProbability (central differences)", () => {
    const h = 1e-5;
    for (const sigma of SIGMAS) {
      const x = all.sample(philox(3, 0), 5, sigma);
      const gradient = classifier.gradient(x, sigma, labels).data;
      for (const j of [0, 1]) {
        const moved = (by: number) =>
          tensor(
            x.data.map((value, i) => (i % 2 === j ? value + by : value)),
            x.shape,
          );
        const [up, down] = [h, -h].map((by) => classifier.logProbability(moved(by), sigma, labels));
        expect(up.map((value, i) => (value - down[i]) / (2 * h))).toBeAllClose(
          labels.map((_, i) => gradient[2 * i + j]),
          { abs: 1e-6, rel: 1e-6 },
        );
      }
    }
  });

  test("far away, where every density underflows, it is still exact", () => {
    const two = mixtureClassifier([-1, 1].map((mean) => gaussianMixture({ means: [mean], stds: [0.1] })));
    const x = tensor(Float64Array.of(30), [1, 1]);
    // log p(y = -1) - log p(y = 1) = ((x - 1)^2 - (x + 1)^2) / (2 * 0.01) = -2 x / 0.01
    expect(two.logProbability(x, 0, [0])).toBeAllClose([-6000], { rel: 1e-12 });
    expect(two.gradient(x, 0, [0])).toBeAllClose([-200], { rel: 1e-10 });
  });

  test("equal classes leave the priors and no gradient", () => {
    const same = mixtureClassifier([classes[0], classes[0]], [3, 1]);
    const x = all.sample(philox(4, 0), 2, 1);
    expect(same.logProbability(x, 1, [0, 1])).toBeAllClose([Math.log(0.75), Math.log(0.25)], { abs: 1e-14 });
    expect(same.gradient(x, 1, [0, 1])).toBeAllClose([0, 0, 0, 0], { abs: 1e-14 });
  });

  test("refuses the null label: there is no p(null | x)", () => {
    const x = all.sample(philox(0, 0), 1);
    expect(() => classifier.gradient(x, 1, [-1])).toThrow("a label is a whole number from 0 to 2, got -1");
  });
});
