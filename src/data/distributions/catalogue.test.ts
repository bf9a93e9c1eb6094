import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import { joinMixtures, moments } from "../../diffusion/oracles/mixture.ts";
import { distributionByName, distributions } from "./catalogue.ts";

const N = 40_000;
const all = Object.keys(distributions).map((name) => distributionByName(name));

/** Mean of f over points (x, y), and its standard error. */
function average(
  data: ArrayLike<number>,
  f: (x: number, y: number) => number,
): { mean: number; error: number } {
  const values = Array.from({ length: data.length / 2 }, (_, i) => f(data[2 * i], data[2 * i + 1]));
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  return { mean, error: Math.sqrt(variance / values.length) };
}

describe.each(all)("$name", (law) => {
  const { x, labels } = law.sample(philox(11, 0), N);

  test("classes come as often as their priors say (4 standard errors)", () => {
    expect(law.priors.reduce((a, b) => a + b, 0)).toBeAllClose(1, { abs: 1e-12 });
    law.priors.forEach((p, y) => {
      const share = labels.filter((label) => label === y).length / N;
      expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / N));
    });
  });

  test("points asked of one class have that class's mean among points of all (5 standard errors)", () => {
    for (const y of law.classes.keys()) {
      const own = law.sample(philox(12, y), N / 4, y);
      expect(new Set(own.labels)).toEqual(new Set([y]));
      const among = labels.flatMap((label, i) => (label === y ? [x.data[2 * i], x.data[2 * i + 1]] : []));
      for (const f of [(a: number) => a, (_: number, b: number) => b]) {
        const [p, q] = [average(own.x.data, f), average(among, f)];
        expect(Math.abs(p.mean - q.mean)).toBeLessThan(5 * Math.hypot(p.error, q.error));
      }
    }
  });

  test("the standard deviation is near 0.5 and the mean near 0", () => {
    const variance = average(x.data, (a, b) => (a * a + b * b) / 2).mean;
    expect(Math.abs(Math.sqrt(variance) - 0.5)).toBeLessThan(0.1);
    expect(Math.abs(average(x.data, (a, b) => a + b).mean)).toBeLessThan(0.02);
  });

  test("the same stream gives the same points", () => {
    const [one, other] = [11, 11].map((seed) => law.sample(philox(seed, 0), 64));
    expect(one).toEqual(other);
    expect(one.x.data).not.toEqual(law.sample(philox(13, 0), 64).x.data);
  });

  test.skipIf(law.mixtures === null)(
    "samples have the moments of the exact mixture (4 standard errors)",
    () => {
      const { mean, covariance } = moments(joinMixtures(law.mixtures!, law.priors));
      const cases: [(a: number, b: number) => number, number][] = [
        [(a) => a, mean[0]],
        [(_, b) => b, mean[1]],
        [(a) => a * a, covariance[0] + mean[0] ** 2],
        [(a, b) => a * b, covariance[1] + mean[0] * mean[1]],
        [(_, b) => b * b, covariance[3] + mean[1] ** 2],
      ];
      for (const [f, want] of cases) {
        const got = average(x.data, f);
        expect(Math.abs(got.mean - want)).toBeLessThan(4 * got.error);
      }
    },
  );

  test("a class that does not exist is refused with the list", () => {
    expect(() => law.sample(philox(0, 0), 1, law.classes.length)).toThrow(
      `${law.name} has no class ${law.classes.length}; its classes are 0 ${law.classes[0]}, 1`,
    );
  });
});

describe("shapes", () => {
  const sample = (name: string, label: number) =>
    distributionByName(name).sample(philox(3, label), N, label).x.data;

  test("rings: E|x|^2 is radius^2 plus twice the noise's variance", () => {
    [0.4, 0.9].forEach((radius, label) => {
      const { mean, error } = average(sample("rings", label), (a, b) => a * a + b * b);
      expect(Math.abs(mean - (radius ** 2 + 2 * 0.04 ** 2))).toBeLessThan(4 * error);
    });
  });

  test("moons: the mean of a half circle lies 2/pi of the radius from its centre", () => {
    [1, -1].forEach((side, label) => {
      const data = sample("moons", label);
      const [x, y] = [average(data, (a) => a), average(data, (_, b) => b)];
      expect(Math.abs(x.mean + side * 0.3)).toBeLessThan(4 * x.error);
      expect(Math.abs(y.mean - side * 0.6 * (2 / Math.PI - 0.25))).toBeLessThan(4 * y.error);
    });
  });

  test("checkerboard: black squares only, all eight, each half its own", () => {
    for (const label of [0, 1]) {
      const data = sample("checkerboard", label);
      const seen = new Set<string>();
      for (let i = 0; i < data.length; i += 2) {
        seen.add(`${Math.floor(data[i] / 0.43) + 2},${Math.floor(data[i + 1] / 0.43) + 2}`);
      }
      expect([...seen].sort()).toEqual(
        label === 0 ? ["0,0", "1,1", "2,0", "3,1"] : ["0,2", "1,3", "2,2", "3,3"],
      );
    }
  });
});

test("an unknown name is answered with the known ones", () => {
  for (const bad of ["spiral", "toString"]) {
    expect(() => distributionByName(bad)).toThrow(
      `there is no distribution "${bad}"; there are tree, two, eight, grid, rings, moons, checkerboard`,
    );
  }
});
