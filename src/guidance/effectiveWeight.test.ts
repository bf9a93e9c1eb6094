import { describe, expect, test } from "vitest";
import { philox } from "../base/philox.ts";
import { map, tensor } from "../base/tensor.ts";
import type { Denoiser, Labels } from "../diffusion/denoiser.ts";
import { mixtureClassifier, mixtureDenoiser } from "../diffusion/oracles/classes.ts";
import { gaussianMixture } from "../diffusion/oracles/mixture.ts";
import { samplers } from "../diffusion/samplers/index.ts";
import { karras } from "../diffusion/sigmas.ts";
import { buildGuidance } from "./build.ts";
import { type WayPoint, effectiveWeight } from "./effectiveWeight.ts";
import { compose } from "./guidance.ts";
import type { GuidanceResources } from "./resources.ts";

const classes = [
  gaussianMixture({ means: [[0.5, 0], [1.5, 1]], stds: [0.1, 0.3] }), // prettier-ignore
  gaussianMixture({ means: [[-1.5, 0.3], [-0.5, -1]], stds: [0.1, 0.2] }), // prettier-ignore
];
const denoiser = mixtureDenoiser(classes);
const classifier = mixtureClassifier(classes);
const condition: Labels = Array.from({ length: 64 }, (_, i) => i % 2);
const share = 0.25;

/** The guide's prediction lies a quarter of the way from the unconditional to the conditional one. */
const guideNetwork: Denoiser = {
  shape: [2],
  async denoise(x, sigma, branches) {
    const [none] = await denoiser.denoise(x, sigma, [{ condition: null }]);
    const own = await denoiser.denoise(x, sigma, branches);
    return own.map((full) => map((value, i) => value + share * (full.data[i] - value), none));
  },
};
const resources: GuidanceResources = {
  conditional: true,
  guides: { quarter: guideNetwork },
  classifier: {
    logProbabilityGradient: (x, sigma, labels) => Promise.resolve(classifier.gradient(x, sigma, labels)),
  },
};

const sigmas = karras({ steps: 10, max: 20, min: 0.01 });
/** Points of a sampling by Euler's method, unguided. */
async function waysOf(count: number): Promise<WayPoint[]> {
  const random = philox(7, 0);
  const noise = Float64Array.from({ length: 2 * count }, () => 20 * random.normal());
  const points: WayPoint[] = [];
  const steps = samplers.euler.run(
    async (x, sigma) => (await denoiser.denoise(x, sigma, [{ condition: condition.slice(0, count) }]))[0],
    tensor(noise, [count, 2]),
    sigmas,
  );
  for await (const { x, sigma, next, index } of steps) points.push({ x, sigma, next, step: index });
  return points;
}
const points = await waysOf(64);

/** The points where the two predictions differ by more than rounding. */
const told: WayPoint[] = [];
for (const point of points) {
  const [full, none] = await denoiser.denoise(point.x, point.sigma, [{ condition }, { condition: null }]);
  const most = Math.max(...full.data.map((value, i) => Math.abs(value - none.data[i])));
  if (most > 1e-5) told.push(point);
}

const weightOf = (spec: string): Promise<number> =>
  effectiveWeight({ denoiser, condition, guidance: buildGuidance(spec, resources) }, points);

describe("closed forms", () => {
  test.each([0, 0.5, 1, 2, 7.5, -1])("CFG of weight %s has that effective weight", async (w) => {
    expect(await weightOf(`cfg:${w}`)).toBeAllClose(w, { abs: 1e-9 });
  });

  test("no guidance has 1, Bayes' rule by an exact classifier too: of scale s on the unconditional one it is CFG of weight s", async () => {
    expect(await weightOf("none")).toBeAllClose(1, { abs: 1e-9 });
    for (const s of [0.5, 1, 3]) {
      expect(await weightOf(`classifier:${s}`)).toBeAllClose(s, { rel: 1e-6 });
      expect(await weightOf(`classifier:${s},base=condition`)).toBeAllClose(1 + s, { rel: 1e-6 });
    }
  });

  test("a guide a share of the way has share + w (1 - share)", async () => {
    for (const w of [1, 2, 4])
      expect(await weightOf(`autoguidance:${w}`)).toBeAllClose(share + w * (1 - share), { abs: 1e-9 });
  });

  test("an interval counts where it acts, 1 elsewhere, in the mean over the steps", async () => {
    const acting = told.filter(({ sigma }) => sigma > 0.2 && sigma <= 5).length / told.length;
    expect(await weightOf("cfg:4,interval=0.2..5")).toBeAllClose(1 + 3 * acting, { abs: 1e-9 });
  });

  test("weights by step are their mean", async () => {
    const mean = told.reduce((sum, { step }) => sum + step + 1, 0) / told.length;
    expect(await weightOf("cfg:steps(1|2|3|4|5|6|7|8|9|10)")).toBeAllClose(mean, { abs: 1e-9 });
  });

  test("CFG++ of lambda is CFG of weight lambda * sigma/(sigma - next), step by step", async () => {
    const factors = told.map(({ sigma, next }) => sigma / (sigma - next));
    const mean = factors.reduce((a, b) => a + b) / factors.length;
    expect(await weightOf("cfgpp:0.6")).toBeAllClose(0.6 * mean, { rel: 1e-9 });
  });

  test("what goes across CFG's way does not count", async () => {
    const across = compose<Labels>([
      {
        method: "across",
        scale: 1,
        interval: { low: 0, high: Infinity },
        base: "condition",
        async gradient({ x, sigma }) {
          const [full, none] = await denoiser.denoise(x, sigma, [{ condition }, { condition: null }]);
          // A quarter turn of the difference, per row of two numbers.
          return map((_, i) => {
            const other = i % 2 === 0 ? i + 1 : i - 1;
            return (i % 2 === 0 ? 100 : -100) * (full.data[other] - none.data[other]);
          }, x);
        },
      },
    ]);
    expect(await effectiveWeight({ denoiser, condition, guidance: across }, points)).toBeAllClose(1, {
      abs: 1e-8,
    });
  });
});

test("a memory goes from point to point: momentum's weight depends on their order", async () => {
  const guidance = buildGuidance("cfg:2+momentum:0.5", resources);
  const first = await effectiveWeight({ denoiser, condition, guidance }, points.slice(0, 1));
  expect(first).toBeAllClose(2, { abs: 1e-9 });
  expect(await weightOf("cfg:2+momentum:0.5")).not.toBeAllClose(2, { abs: 1e-3 });
});

test("a separate unconditional network is what CFG's way begins at", async () => {
  const unconditional: Denoiser = {
    shape: [2],
    denoise: (x, _, branches) => Promise.resolve(branches.map(() => map((value) => 0.1 * value, x))),
  };
  const guidance = buildGuidance("cfg:3", { ...resources, unconditional });
  const weight = await effectiveWeight({ denoiser, unconditional, condition, guidance }, points);
  expect(weight).toBeAllClose(3, { abs: 1e-9 });
});

test("where the condition changes nothing there is no way to go", async () => {
  const same: Denoiser = { shape: [2], denoise: (x, _, branches) => Promise.resolve(branches.map(() => x)) };
  const guidance = buildGuidance("none", resources);
  await expect(effectiveWeight({ denoiser: same, condition, guidance }, points)).rejects.toThrow(
    /no effective weight can be told: .* the same everywhere/,
  );
});

test("guidance of the sampler's mean has none", async () => {
  const guidance = { ...buildGuidance("none", resources), shiftsMean: true };
  await expect(effectiveWeight({ denoiser, condition, guidance }, points)).rejects.toThrow(
    /moves the mean of the sampler's steps and not the prediction/,
  );
});
