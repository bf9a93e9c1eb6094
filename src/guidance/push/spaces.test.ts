/**
 * Classifier guidance in other parameterisations: what the push sigma^2*s*gradient of x0 is of the others, in the network's own
 * coordinates y = alpha*x0 + s'*noise. Its gradient is with respect to y: grad_y = grad_x/alpha.
 */
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../base/tensor.ts";
import { scale, sub } from "../../base/tensor.ts";
import {
  type Parameterisation,
  fromX0,
  straightPath,
  varianceExploding,
  variancePreserving,
} from "../../diffusion/parameterisation.ts";
import { guidanceModel, guidedModel, labels, samples } from "../../testing/guidanceModel.ts";

const S = 1.7;

/** The moved prediction less the one that is pushed, both as predictions of a kind, at sigma. */
async function moved(kind: Parameterisation, level: { alpha: number; sigma: number }, sigma: number) {
  const model = guidanceModel();
  const y = scale(level.alpha, samples);
  const [pushed, plain] = [
    await guidedModel(`classifier:${S},base=condition`, { model }).evaluate(samples, sigma),
    await guidedModel("none", { model }).evaluate(samples, sigma),
  ];
  const gradient = await model.resources.classifier!.logProbabilityGradient(samples, sigma, labels);
  const of = (d: Tensor): Tensor => fromX0(kind, d, y, level);
  return { by: sub(of(pushed), of(plain)), gradient: scale(1 / level.alpha, gradient) };
}

describe.each([
  ["variance-exploding", varianceExploding],
  ["variance-preserving", variancePreserving],
  ["straight path", straightPath],
] as const)("in the coordinates of the %s form", (_, levelAt) => {
  test.each<[Parameterisation, (level: { alpha: number; sigma: number }) => number]>([
    ["score", () => 1],
    ["eps", ({ sigma }) => -sigma],
    ["x0", ({ alpha, sigma }) => sigma ** 2 / alpha],
  ])("%s moves by its factor times the gradient", async (kind, factor) => {
    for (const sigma of [0.1, 1, 7]) {
      const level = levelAt(sigma);
      const { by, gradient } = await moved(kind, level, sigma);
      expect(by).toBeAllClose(scale(S * factor(level), gradient), { abs: 1e-11, rel: 1e-11 });
    }
  });
});

test("v moves by -s*(sigma/alpha) times the gradient, in the variance-preserving form", async () => {
  for (const sigma of [0.1, 1, 7]) {
    const level = variancePreserving(sigma);
    const { by, gradient } = await moved("v", level, sigma);
    expect(by).toBeAllClose(scale((-S * level.sigma) / level.alpha, gradient), { abs: 1e-11, rel: 1e-11 });
  }
});

test("the flow's velocity moves by -s*t/(1 - t) times the gradient, on the straight path", async () => {
  for (const sigma of [0.1, 1, 7]) {
    const level = straightPath(sigma);
    const t = level.sigma;
    const { by, gradient } = await moved("velocity", level, sigma);
    expect(by).toBeAllClose(scale((-S * t) / (1 - t), gradient), { abs: 1e-11, rel: 1e-11 });
  }
});

test("DDIM's form, eps - sqrt(1 - abar)*s*gradient, is the same prediction", async () => {
  const sigma = 1.3;
  const level = variancePreserving(sigma);
  const abar = level.alpha ** 2;
  const { by, gradient } = await moved("eps", level, sigma);
  expect(by).toBeAllClose(scale(-Math.sqrt(1 - abar) * S, gradient), { abs: 1e-12, rel: 1e-12 });
});
