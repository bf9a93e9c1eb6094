import { expect, test } from "vitest";
import { tensor } from "../base/tensor.ts";
import type { Tensor } from "../base/tensor.ts";
import { type Space, convertAt } from "./spaces.ts";

const [x0, noise] = [tensor(Float64Array.of(0.3, -1.2), [1, 2]), tensor(Float64Array.of(0.7, 1.9), [1, 2])];

test.each<[Space, (sigma: number, i: number) => number]>([
  ["x0", (_, i) => x0.data[i]],
  ["eps", (_, i) => noise.data[i]],
  // Variance preserving: alpha = cos, sigma_vp = sin of the angle whose tangent is sigma.
  ["v", (sigma, i) => Math.cos(Math.atan(sigma)) * noise.data[i] - Math.sin(Math.atan(sigma)) * x0.data[i]],
  ["velocity", (_, i) => noise.data[i] - x0.data[i]],
])("%s of the true x0 is what its definition says, and comes back", (space, want) => {
  for (const sigma of [0.002, 0.5, 1, 80]) {
    const x: Tensor = { data: x0.data.map((value, i) => value + sigma * noise.data[i]), shape: [1, 2] };
    const { to, from } = convertAt(space, x, sigma);
    const wanted = [0, 1].map((i) => want(sigma, i));
    expect(to(x0)).toBeAllClose(wanted, { abs: 1e-12 });
    expect(from(to(x0))).toBeAllClose(x0, { abs: 1e-10 });
  }
});
