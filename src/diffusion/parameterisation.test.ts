import { expect, test } from "vitest";
import { add, axpby, axpy, scale, sub, tensor } from "../base/tensor.ts";
import type { Parameterisation } from "./parameterisation.ts";
import {
  convert,
  fromX0,
  rescaleLevel,
  straightPath,
  toX0,
  varianceExploding,
  variancePreserving,
} from "./parameterisation.ts";

const x0 = tensor(Float64Array.of(0.3, -1.2, 0.7), [3]);
const noise = tensor(Float64Array.of(-0.9, 0.4, 2.1), [3]);
const LEVELS = [0.01, 0.7, 3, 80].flatMap((sigma) => [
  varianceExploding(sigma),
  variancePreserving(sigma),
  straightPath(sigma),
]);
const KINDS: readonly Parameterisation[] = ["eps", "x0", "v", "score", "velocity"];

/** x = alpha x0 + sigma noise, and every prediction that a perfect network would make of it, by its definition. */
function exact({ alpha, sigma }: { alpha: number; sigma: number }) {
  const x = axpby(alpha, x0, sigma, noise);
  return {
    x,
    eps: noise,
    x0,
    v: axpby(alpha, noise, -sigma, x0),
    score: scale(-1 / sigma, noise),
    velocity: sub(noise, x0),
  };
}

test("every prediction converts to every other one at every level", () => {
  for (const level of LEVELS) {
    const of = exact(level);
    for (const from of KINDS) {
      for (const to of KINDS) {
        // Recovering x0 from the noise loses sigma / alpha in precision, from the score sigma^2 / alpha.
        const abs = 1e-12 * Math.max(1, level.sigma / level.alpha) * Math.max(1, 1 / level.sigma ** 2);
        expect(convert(of[from], from, to, of.x, level)).toBeAllClose(of[to], { abs, rel: 1e-12 });
      }
    }
  }
});

test("toX0 and fromX0 are the two halves of convert", () => {
  const level = variancePreserving(0.7);
  const of = exact(level);
  for (const kind of KINDS) {
    expect(toX0(kind, of[kind], of.x, level)).toBeAllClose(x0, { abs: 1e-14 });
    expect(fromX0(kind, x0, of.x, level)).toBeAllClose(of[kind], { abs: 1e-14 });
  }
});

test("in the variance-preserving form x0 = alpha x - sigma v and eps = sigma x + alpha v", () => {
  const level = variancePreserving(1.7);
  const { x, v } = exact(level);
  expect(level.alpha ** 2 + level.sigma ** 2).toBeAllClose(1, { rel: 1e-15 });
  expect(toX0("v", v, x, level)).toBeAllClose(axpby(level.alpha, x, -level.sigma, v), { abs: 1e-14 });
  expect(convert(v, "v", "eps", x, level)).toBeAllClose(axpby(level.sigma, x, level.alpha, v), {
    abs: 1e-14,
  });
});

test("on the straight path x0 = x - t u and score = -(x + (1 - t) u) / t", () => {
  const level = straightPath(1.7);
  const t = level.sigma;
  const { x, velocity } = exact(level);
  expect(toX0("velocity", velocity, x, level)).toBeAllClose(axpy(-t, velocity, x), { abs: 1e-14 });
  expect(convert(velocity, "velocity", "score", x, level)).toBeAllClose(
    scale(-1 / t, axpy(1 - t, velocity, x)),
    { abs: 1e-13 },
  );
});

test("in the variance-exploding form score = (x0 - x) / sigma^2", () => {
  const level = varianceExploding(2);
  const { x, score } = exact(level);
  expect(score).toBeAllClose(scale(1 / 4, sub(x0, x)), { abs: 1e-15 });
});

test("the three forms are the same sample, scaled", () => {
  for (const sigma of [0.1, 1, 40]) {
    const ve = exact(varianceExploding(sigma)).x;
    for (const level of [variancePreserving(sigma), straightPath(sigma)]) {
      expect(rescaleLevel(ve, varianceExploding(sigma), level)).toBeAllClose(exact(level).x, { abs: 1e-14 });
      expect(level.sigma / level.alpha).toBeAllClose(sigma, { rel: 1e-14 });
    }
  }
});

test("a linear combination may be taken in any parameterisation", () => {
  const level = variancePreserving(0.9);
  const { x } = exact(level);
  const weak = add(x0, noise);
  const guided = axpby(3, x0, -2, weak);
  for (const kind of KINDS) {
    const inKind = axpby(3, fromX0(kind, x0, x, level), -2, fromX0(kind, weak, x, level));
    expect(toX0(kind, inKind, x, level)).toBeAllClose(guided, { abs: 1e-13 });
  }
});

test("an unknown parameterisation is refused by name", () => {
  expect(() => toX0("noise" as never, x0, x0, varianceExploding(1))).toThrow(
    '"noise"; there are: eps, x0, v, score, velocity',
  );
});
