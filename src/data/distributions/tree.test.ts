import { describe, expect, test } from "vitest";
import { covarianceOf } from "../../diffusion/oracles/component.ts";
import { joinMixtures, moments } from "../../diffusion/oracles/mixture.ts";
import { tree } from "./tree.ts";

const { classes, priors } = tree();
const [a, b] = classes;
const FLOAT32 = 2 ** -23;

describe("the tree has the paper's Gaussians", () => {
  // Golden values of an independent run of the paper's construction, kept there in float32.
  const golden = [
    { k: 0, weight: 0.0321495347, mean: [0.0213441085, 0.0633343086] },
    { k: 7, weight: 0.0321495347, mean: [0.2351561934, 0.288670361] },
    { k: 8, weight: 0.0080353571, mean: [0.250074923, 0.3197105118] }, // this y: a second run, in float64
    { k: 1015, weight: 1.6415948e-4, mean: [0.4817638993, -0.596559763] },
  ];
  test.each(golden)("A[$k]: weight and mean", ({ k, weight, mean }) => {
    expect(a.weights[k]).toBeAllClose(weight, { rel: FLOAT32 });
    expect(a.components[k].mean).toBeAllClose(mean, { rel: FLOAT32 });
  });

  test("A[0] and A[8]: covariance", () => {
    expect(covarianceOf(a.components[0])).toBeAllClose(
      [3.46759771e-4, 1.0357843e-4, 1.0357843e-4, 3.85146181e-4],
      { rel: FLOAT32 },
    );
    expect(covarianceOf(a.components[8])).toBeAllClose(
      [1.57075861e-4, 9.9684767e-6, 9.9684767e-6, 1.25680759e-4],
      { rel: FLOAT32 },
    );
  });

  test("1016 Gaussians a class, weights sum to 1", () => {
    for (const { weights, components } of classes) {
      expect(components).toHaveLength(1016);
      expect(weights.reduce((sum, w) => sum + w, 0)).toBeAllClose(1, { abs: 1e-12 });
    }
  });
});

describe("moments of the tree", () => {
  const std = (covariance: Float64Array) => [Math.sqrt(covariance[0]), Math.sqrt(covariance[3])];

  test("class A: mean and covariance", () => {
    const { mean, covariance } = moments(a);
    expect(mean).toBeAllClose([0.371851, 0.3646066], { abs: 5e-8 });
    expect(covariance).toBeAllClose([0.1109294, -0.0163933, -0.0163933, 0.1166137], { abs: 5e-8 });
    expect(std(covariance)).toBeAllClose([0.3330607, 0.3414875], { abs: 5e-8 });
  });

  test("class B: mean and standard deviation", () => {
    const { mean, covariance } = moments(b);
    expect(mean).toBeAllClose([-0.3394297, -0.3314716], { abs: 5e-8 });
    expect(std(covariance)).toBeAllClose([0.3677453, 0.3746218], { abs: 5e-8 });
  });

  test("both classes: mean 0 and standard deviation 0.5", () => {
    const { mean, covariance } = moments(joinMixtures(classes, priors));
    expect(mean).toBeAllClose([-0.000141, 0.000565], { abs: 5e-7 });
    expect(std(covariance)).toBeAllClose([0.4998545, 0.4998982], { abs: 5e-8 });
  });
});
