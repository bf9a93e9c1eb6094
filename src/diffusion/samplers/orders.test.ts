/** Orders of what the catalogue's defaults do not show: other orders, and samplers of noise without it. */
import { expect, test } from "vitest";
import { samplers } from "./index.ts";
import type { Sampler, SamplerName } from "./index.ts";
import { gridErrors } from "./samplers.cases.ts";

const VARIANTS: readonly (readonly [SamplerName, Readonly<Record<string, unknown>>, order: number])[] = [
  ["ddim", { eta: 0 }, 1],
  ["euler-ancestral", { eta: 0 }, 1],
  ["dpm2-ancestral", { eta: 0 }, 2],
  ["lms", { order: 1 }, 1],
  ["lms", { order: 2 }, 2],
  ["lms", { order: 3 }, 3],
  ["ipndm", { order: 1 }, 1],
  ["ipndm", { order: 2 }, 2],
  ["ipndm", { order: 3 }, 2],
  ["pndm", { start: "heun" }, 2],
  ["tcd", { eta: 0 }, 1],
  ["dpmpp-2s-ancestral", { eta: 0 }, 2],
  ["dpmpp-sde", { eta: 0 }, 2],
  ["dpmpp-2m-sde", { eta: 0 }, 2],
  ["dpmpp-2m-sde", { eta: 0, solver: "heun" }, 2],
  ["dpmpp-3m-sde", { eta: 0 }, 2], // its second step is of order 2, the first of order 1
  ["dpm-multistep", { order: 1 }, 1],
  ["dpm-multistep", { order: 3 }, 3],
  ["dpm-multistep", { solver: "heun" }, 2],
  ["dpm-multistep", { algorithm: "dpmsolver" }, 2],
  ["dpm-singlestep", { order: 1 }, 1],
  ["dpm-singlestep", { order: 3 }, 3],
  ["unipc", { order: 1 }, 2], // the corrector adds one
  ["unipc", { variant: "bh1" }, 3],
  ["unipc", { predictX0: false }, 3],
  ["deis", { order: 1 }, 1],
  ["deis", { order: 3 }, 3],
  ["res-multistep-ancestral", { eta: 0 }, 2],
  ["dpm-fast", { eta: 0 }, 3],
];

test.each(VARIANTS)("%s with %j converges with order %i", async (name, options, order) => {
  const errors = await Promise.all(gridErrors(samplers[name], options));
  for (const [i, after] of errors.slice(1).entries()) {
    const before = errors[i];
    const seen = Math.log(before.error / after.error) / Math.log(after.evaluations / before.evaluations);
    expect(seen).toBeAllClose(order, { abs: 0.12 });
  }
});

test("no sampler whose order depends on an option is forgotten", () => {
  const named = new Set<string>(VARIANTS.map(([name]) => name));
  const depending = Object.values(samplers as Readonly<Record<string, Sampler>>).filter(
    // An adaptive sampler's order of steps is tested by its tolerances.
    ({ options }) => !("rtol" in options) && ("eta" in options || "order" in options),
  );
  expect(depending.map(({ name }) => name).filter((name) => !named.has(name))).toEqual([]);
});
