import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { seededNoise } from "../base/philox.ts";
import { rows } from "../base/tensor.ts";
import type { Branch, Labels } from "../diffusion/denoiser.ts";
import type { Perturbation } from "../graph/perturb.ts";
import { lanesRuntime } from "../runtime/lanes.ts";
import { nodeRuntime } from "../runtime/node.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { tinyConfig, tinyParameters } from "../testing/tinyModel.ts";
import { preconditioningOf } from "../training/modelConfig.ts";
import { networkDenoiser } from "./networkDenoiser.ts";

const config = tinyConfig();
const preconditioning = preconditioningOf(config.objective)!;
const parameters = tinyParameters(config);
const denoiserOn = (runtime: Runtime, maxRows?: number) =>
  networkDenoiser(runtime, { network: config.network, parameters, preconditioning, maxRows });

const x = seededNoise([1, 2, 3, 4, 5], 0, [5, 1, 8, 8]);
const labels: Labels = [0, 1, 2, 0, -1];
const sigma = 0.7;
const identity: Perturbation = { kind: "identity", layers: ["mid"] };
const masked: Perturbation = { kind: "random-mask", layers: "all", p: 0.5, seed: 3 };
const branches: Branch<Labels>[] = [
  { condition: labels },
  { condition: null },
  { condition: labels, perturbation: identity },
  { condition: null, perturbation: masked },
];

describe("the plan of a denoiser", () => {
  const denoiser = denoiserOn(nodeRuntime({ threads: 1 }), 4);
  afterAll(() => denoiser.dispose());

  test("two plain conditions are one batch of two evaluations", () => {
    const { steps, evaluations } = denoiser.plan([{ condition: labels }, { condition: null }], 5);
    expect(evaluations).toBeAllClose(2, { rel: 1e-12 });
    expect(steps[0]).toContain("2 conditions as one batch of 10 rows");
    expect(steps[0]).toContain("in 4 runs");
  });

  test("a perturbed branch costs what comes after the first perturbed layer", () => {
    const plan = denoiser.plan([{ condition: labels }, { condition: labels, perturbation: identity }], 5);
    expect(plan.evaluations).toBeGreaterThan(1);
    expect(plan.evaluations).toBeLessThan(2);
    expect(plan.steps.join(" ")).toContain("all before it shared");
  });
});

describe("a network as a denoiser", () => {
  const denoiser = denoiserOn(nodeRuntime({ threads: 1 }));
  afterAll(() => denoiser.dispose());

  test("branches asked for together equal each asked for alone", async () => {
    const together = await denoiser.denoise(x, sigma, branches);
    for (const [i, branch] of branches.entries()) {
      const [alone] = await denoiser.denoise(x, sigma, [branch]);
      expect(together[i]).toBeAllClose(alone, { abs: 1e-6 });
    }
  });

  test("the null condition is every label -1, and each perturbation changes the prediction", async () => {
    const [withNull, withMinusOne, ...others] = await denoiser.denoise(x, sigma, [
      { condition: null },
      { condition: labels.map(() => -1) },
      ...branches.slice(2),
    ]);
    expect(withMinusOne).toBeAllClose(withNull, { abs: 1e-6 });
    for (const other of others) expect(other).not.toBeAllClose(withNull, { abs: 1e-4 });
  });

  test("a row does not depend on the other rows, nor on how many run at once", async () => {
    const [whole] = await denoiser.denoise(x, sigma, [{ condition: labels }]);
    const small = denoiserOn(nodeRuntime({ threads: 1 }), 2);
    const [inPieces] = await small.denoise(x, sigma, [{ condition: labels }]);
    const [third] = await denoiser.denoise(rows(x, 2, 3), sigma, [{ condition: labels.slice(2, 3) }]);
    expect(inPieces).toBeAllClose(whole, { abs: 1e-6 });
    expect(third).toBeAllClose(rows(whole, 2, 3), { abs: 1e-6 });
    await small.dispose();
  });

  test("as sigma goes to 0, D goes to x", async () => {
    const [denoised] = await denoiser.denoise(x, 1e-5, [{ condition: null }]);
    expect(denoised).toBeAllClose(x, { abs: 1e-3 });
  });

  test("masks are drawn anew at each noise level, and are the same when asked again", async () => {
    const masks: number[][] = [];
    const inner = nodeRuntime({ threads: 1 });
    const recording: Runtime = {
      ...inner,
      async compile(graph) {
        const program = await inner.compile(graph);
        const run: typeof program.run = (feeds, fetches) => {
          for (const [name, { data }] of Object.entries(feeds)) {
            if (name.startsWith("mask") && name.includes("mid")) masks.push(Array.from(data, Number));
          }
          return program.run(feeds, fetches);
        };
        return { ...program, run };
      },
    };
    const spied = denoiserOn(recording);
    const one = rows(x, 0, 1);
    for (const s of [0.7, 0.7, 0.8]) await spied.denoise(one, s, [{ condition: null, perturbation: masked }]);
    await spied.denoise(one, 0.7, [{ condition: null, perturbation: { ...masked, seed: 4 } }]);
    await spied.dispose();
    const [first, again, otherSigma, otherSeed] = masks;
    expect(again).toEqual(first);
    expect(otherSigma).not.toEqual(first);
    expect(otherSeed).not.toEqual(first);
    const share = first.reduce((a, b) => a + b, 0) / first.length;
    expect(share).toBeAllClose(0.5, { abs: 4 * Math.sqrt(0.25 / first.length) });
  });

  test("names its attention layers, and refuses labels and shapes that do not fit in one sentence", async () => {
    expect(denoiser.attention.map(({ name, position }) => [name, position])).toEqual([
      ["down.0.0/attention", "down"],
      ["mid.0/attention", "mid"],
      ["up.0.0/attention", "up"],
    ]);
    const ask = (condition: Labels) => denoiser.denoise(x, sigma, [{ condition }]);
    await expect(ask([0, 1, 2, 3, 0])).rejects.toThrow(
      "classes 0 to 2 (and -1 for the null condition), got 3",
    );
    await expect(ask([0])).rejects.toThrow(UsageError);
    await expect(denoiser.denoise(rows({ data: x.data, shape: [5, 64] }, 0, 5), 1, [])).rejects.toThrow(
      "[1, 8, 8]",
    );
  });
});

describe("lanes", () => {
  let runtime: Runtime;
  beforeAll(() => {
    runtime = lanesRuntime({ lanes: 2 });
  });
  afterAll(() => runtime.dispose());

  test("give what one thread gives", async () => {
    const [inLanes, alone] = [denoiserOn(runtime, 2), denoiserOn(nodeRuntime({ threads: 1 }), 2)];
    const got = await inLanes.denoise(x, sigma, branches);
    const want = await alone.denoise(x, sigma, branches);
    for (const [i, tensor] of got.entries()) expect(tensor.data).toEqual(want[i].data);
    await inLanes.dispose();
    await alone.dispose();
  });
});
