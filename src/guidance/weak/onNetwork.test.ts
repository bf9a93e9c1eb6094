/** The weak methods on a real network, small and untrained, through the runtime. */
import { afterAll, describe, expect, test } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import { type Tensor, map, rows } from "../../base/tensor.ts";
import type { Labels } from "../../diffusion/denoiser.ts";
import { last } from "../../diffusion/last.ts";
import { heun } from "../../diffusion/samplers/heun.ts";
import { karras } from "../../diffusion/sigmas.ts";
import { networkDenoiser } from "../../networks/networkDenoiser.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { tinyConfig, tinyParameters } from "../../testing/tinyModel.ts";
import { preconditioningOf } from "../../training/modelConfig.ts";
import { buildGuidance } from "../build.ts";
import { guide } from "../guide.ts";
import type { GuidanceResources } from "../resources.ts";

let compiled = 0;
const inner = nodeRuntime({ threads: 1 });
const runtime: Runtime = {
  ...inner,
  compile(graph, options) {
    compiled += 1;
    return inner.compile(graph, options);
  },
};

const config = tinyConfig({ features: [8, 8], attention: [true, true] });
const denoiser = networkDenoiser(runtime, {
  network: config.network,
  parameters: tinyParameters(config),
  preconditioning: preconditioningOf(config.objective)!,
});
afterAll(() => denoiser.dispose());
const resources: GuidanceResources = {
  conditional: true,
  attention: denoiser.attention.map(({ name }) => name),
  resized: { side: 8, ...denoiser.resized! },
};

const x = seededNoise([1, 2, 3], 0, [3, 1, 8, 8]);
const labels: Labels = [0, 1, 2];
const sigma = 0.7;

const run = async (spec: string, at = x, of = labels, level = sigma) => {
  const guided = guide(denoiser, of, buildGuidance(spec, resources));
  return { denoised: await guided.evaluate(at, level), evaluations: guided.evaluations };
};

const farthest = (a: Tensor, b: Tensor): number =>
  Math.max(...Array.from(a.data, (value, i) => Math.abs(value - b.data[i])));

const specs = [
  "pag:$,kind=soft-identity,u=0.4",
  "pag:$,kind=uniform",
  "seg:$",
  "seg:$,sigma=0.8,layers=all",
  "slg:$",
  "slg:$,kind=skip-attention,layers=all",
  "stg:$,mode=attention",
  "tpg:$",
  "s2:$",
  "self-autoguidance:$",
  "self-autoguidance:$,damage=attention-dropout",
  "sag:$",
  "swg:$",
  "swg:$,where=overlaps",
];
const offOf = (spec: string): number => (spec.startsWith("self-autoguidance") ? 1 : 0);
const at = (spec: string, strength: number): string => spec.replace("$", String(strength));

describe.each(specs)("%s", (spec) => {
  const off = offOf(spec);

  test("off is the network's prediction bit for bit, for one evaluation; on costs one more and does something", async () => {
    const [plain] = await denoiser.denoise(x, sigma, [{ condition: labels }]);
    const none = await run(at(spec, off));
    expect(none.denoised.data).toEqual(plain.data);
    expect(none.evaluations).toEqual({ networks: 1, gradients: 0 });
    const some = await run(at(spec, off + 2));
    expect(some.evaluations).toEqual({ networks: 2, gradients: 0 });
    const most = farthest(some.denoised, plain);
    expect(most).toBeGreaterThan(2e-3);
    expect(most).toBeLessThan(10);
  });

  // The weak predictions of sag and of swg where windows overlap are more than what a network answers: see their own tests.
  test.skipIf(/sag|overlaps/.test(spec))(
    "is the strong prediction and scale times its distance from the weak one that the network gives",
    async () => {
      const guidance = buildGuidance(at(spec, off + 2), resources);
      const [term] = guidance.terms;
      const strong = { condition: labels };
      const branch = term.weak(strong, { x, sigma, step: 0, seeds: [0, 1, 2] });
      const [[plain], [weak]] = [
        await denoiser.denoise(x, sigma, [strong]),
        await (term.from ?? denoiser).denoise(x, sigma, [branch]),
      ];
      const want = map((value, i) => value + 2 * (value - weak.data[i]), plain);
      expect((await run(at(spec, off + 2))).denoised).toBeAllClose(want, { abs: 2e-5 });
    },
  );

  test("a sample alone is the sample of a batch, to rounding, and the same when asked again", async () => {
    const { denoised: together } = await run(at(spec, off + 2));
    for (const i of [0, 1, 2]) {
      const { denoised } = await run(at(spec, off + 2), rows(x, i, i + 1), [labels[i]]);
      expect(denoised).toBeAllClose(rows(together, i, i + 1), { abs: 2e-5 });
    }
    expect((await run(at(spec, off + 2))).denoised.data).toEqual(together.data);
  });
});

test.each([
  "tpg:2",
  "s2:2",
  "self-autoguidance:3,std=0.1",
  "self-autoguidance:3,damage=attention-dropout,p=0.4",
])("%s: a seed decides what is drawn", async (spec) => {
  const { data } = (await run(spec)).denoised;
  expect((await run(`${spec},seed=0`)).denoised.data).toEqual(data);
  const others = await Promise.all(
    [1, 2, 3, 4].map(async (seed) => (await run(`${spec},seed=${seed}`)).denoised),
  );
  expect(others.some((other) => other.data.some((value, i) => Math.abs(value - data[i]) > 1e-3))).toBe(true);
});

describe("S2", () => {
  test("takes one graph for all of its choices, which change with the noise level", async () => {
    // Of two layers one is dropped.
    const spec = "s2:2,layers=down.0|mid";
    await run(spec);
    const before = compiled;
    const dropped = new Set<string>();
    for (let level = 0.5; level < 0.9; level += 0.05) {
      const { denoised } = await run(spec, x, labels, level);
      const choices = await Promise.all(
        ["down.0", "mid"].map(async (layers) => {
          const { denoised: skipped } = await run(`slg:2,layers=${layers}`, x, labels, level);
          return { layers, far: farthest(skipped, denoised) };
        }),
      );
      const [nearest] = choices.sort((a, b) => a.far - b.far);
      expect(nearest.far).toBeLessThan(2e-5);
      dropped.add(nearest.layers);
    }
    expect(dropped).toEqual(new Set(["down.0", "mid"]));
    // Only the two of SLG.
    expect(compiled - before).toBeLessThanOrEqual(4);
  });
});

describe("a sampling", () => {
  const sigmas = karras({ steps: 4, min: 0.05, max: 20 });
  const start = (rowSeeds: readonly number[]): Tensor => {
    const noise = seededNoise(rowSeeds, 3, [rowSeeds.length, 1, 8, 8]);
    return map((value) => 20 * value, noise);
  };
  const sampling = async (spec: string, seeds: readonly number[]) => {
    const of = seeds.map((seed) => seed % 3);
    const guided = guide(denoiser, of, buildGuidance(spec, resources), { seeds });
    return { x: await last(heun(guided.evaluate, start(seeds), sigmas)), evaluations: guided.evaluations };
  };

  test.each(specs)(
    "by %s costs two predictions an evaluation, and a sample is its seed's alone",
    async (spec) => {
      const asked = at(spec, offOf(spec) + 1);
      const together = await sampling(asked, [5, 6, 7]);
      // Heun evaluates twice a step, once in the last.
      expect(together.evaluations).toEqual({ networks: 2 * 7, gradients: 0 });
      expect(together.x.data.every(Number.isFinite)).toBe(true);
      const alone = await sampling(asked, [6]);
      // A token near SAG's threshold may fall on its other side by rounding.
      expect(alone.x).toBeAllClose(rows(together.x, 1, 2), { abs: spec.startsWith("sag") ? 2e-2 : 2e-4 });
    },
  );

  test("within an interval is guided there alone", async () => {
    const [low, high] = [sigmas[2], sigmas[1]];
    const { evaluations } = await sampling(`seg:2,interval=${low}..${high}`, [5]);
    // Of seven evaluations two are at sigmas[1], one ends the first step there and one begins the second.
    expect(evaluations).toEqual({ networks: 7 + 2, gradients: 0 });
  });

  test("by several at once asks for each once", async () => {
    const { evaluations } = await sampling("cfg:2+pag:1+seg:1+sag:0.5+swg:0.2+s2:0.25", [5]);
    // Per evaluation: c and u, PAG's, SEG's of u, SAG's of a degraded sample, SWG's windows, S2's.
    expect(evaluations).toEqual({ networks: 7 * 7, gradients: 0 });
  });
});
