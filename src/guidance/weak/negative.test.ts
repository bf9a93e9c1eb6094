import { describe, expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import type { Labels } from "../../diffusion/denoiser.ts";
import { gaussian } from "../../diffusion/oracles/gaussian.ts";
import { recording } from "../../testing/recording.ts";
import { toyDenoiser } from "../../testing/toyModel.ts";
import { buildGuidance } from "../build.ts";
import { classConditions } from "../conditions.ts";
import { compose } from "../guidance.ts";
import { guide } from "../guide.ts";
import type { GuidanceResources } from "../resources.ts";
import { formatGuidance, parseGuidance } from "../spec.ts";
import { negative } from "./negative.ts";

const classes = ["T-shirt/top", "Trouser", "Pullover", "Ankle boot"];
const resources: GuidanceResources = { conditional: true, ...classConditions(classes) };
const labels: Labels = [0, 2, 3];
const x = tensor(Float64Array.from([0.3, -2, 1.5, 0.7, 4, -0.2]), [3, 2]);
const sigma = 0.8;

function run(spec: string, condition: Labels | null = labels) {
  const network = recording(toyDenoiser(0.5));
  const { evaluate, evaluations } = guide(network, condition, buildGuidance(spec, resources));
  return evaluate(x, sigma).then((denoised) => ({ denoised, evaluations, calls: network.calls }));
}
const denoisedBy = async (spec: string, condition: Labels | null = labels) =>
  (await run(spec, condition)).denoised.data;

describe("a negative condition", () => {
  test("is asked for in every row, in the call of the strong prediction", async () => {
    const { calls, evaluations } = await run("negative:2,condition=3");
    expect(calls).toEqual([[{ condition: labels }, { condition: [3, 3, 3] }]]);
    expect(evaluations).toEqual({ networks: 2, gradients: 0 });
  });

  test("moves the mean of Gaussians of equal spread to m_negative + w*(m - m_negative), exactly", async () => {
    for (const weight of [-1, 0, 0.5, 1, 2, 5]) {
      const denoised = await denoisedBy(`negative:${weight},condition=3`);
      const want = labels.flatMap((label, row) => {
        const mean = 4 + weight * (label + 1 - 4);
        const at = tensor(x.data.slice(2 * row, 2 * row + 2), [2, 1]);
        return Array.from(gaussian({ mean, std: 0.5 }).denoised(at, sigma).data);
      });
      expect(denoised).toBeAllClose(want, { abs: 1e-13 });
    }
  });

  test("leaves rows of that very condition alone, bit for bit", async () => {
    const [denoised, plain] = [await denoisedBy("negative:5,condition=3"), await denoisedBy("none")];
    expect(denoised.slice(4)).toEqual(plain.slice(4));
    expect(denoised.slice(0, 4)).not.toEqual(plain.slice(0, 4));
  });

  test("not given is the null condition: classifier-free guidance bit for bit", async () => {
    expect(await denoisedBy("negative:3")).toEqual(await denoisedBy("cfg:3"));
    expect(await denoisedBy("negative:2+cfg:2")).toBeAllClose(await denoisedBy("cfg:3"), { abs: 1e-14 });
  });

  test("beside cfg adds its own move: c + (w - 1)(c - u) + (v - 1)(c - n)", async () => {
    const [c, u] = [await denoisedBy("none"), await denoisedBy("none", null)];
    const n = await denoisedBy("none", [1, 1, 1]);
    const want = c.map((value, i) => value + 3 * (value - u[i]) + 0.5 * (value - n[i]));
    const { denoised, calls } = await run("cfg:4+negative:1.5,condition=1");
    expect(denoised.data).toBeAllClose(want, { abs: 1e-13 });
    expect(calls).toEqual([[{ condition: labels }, { condition: null }, { condition: [1, 1, 1] }]]);
  });

  test("makes the formulas of other conventions: u + w(c - n), and u + w(c - u) - v(n - u)", async () => {
    const [c, u] = [await denoisedBy("none"), await denoisedBy("none", null)];
    const n = await denoisedBy("none", [1, 1, 1]);
    const composed = c.map((value, i) => u[i] + 3 * (value - n[i]));
    expect(await denoisedBy("cfg:0+negative:4,condition=1")).toBeAllClose(composed, { abs: 1e-13 });
    const signed = c.map((value, i) => u[i] + 5 * (value - u[i]) - 2 * (n[i] - u[i]));
    expect(await denoisedBy("cfg:3+negative:3,condition=1")).toBeAllClose(signed, { abs: 1e-13 });
  });

  test("twice the same is asked for once", async () => {
    const { evaluations, denoised } = await run("negative:2,condition=1+negative:2,condition=trouser");
    expect(evaluations.networks).toBe(2);
    expect(denoised.data).toBeAllClose(await denoisedBy("negative:3,condition=1"), { abs: 1e-13 });
  });

  test("can be moved away from without a condition of one's own", async () => {
    const [u, n] = [await denoisedBy("none", null), await denoisedBy("none", [1, 1, 1])];
    const want = u.map((value, i) => n[i] + 2 * (value - n[i]));
    expect(await denoisedBy("negative:2,condition=1", null)).toBeAllClose(want, { abs: 1e-13 });
  });

  test("combines as any weak prediction does", async () => {
    const { calls } = await run("negative:3,condition=1~apg");
    expect(calls).toEqual([[{ condition: labels }, { condition: [1, 1, 1] }]]);
  });

  test("from the library is any condition at all", async () => {
    const network = recording(toyDenoiser(0.5));
    const term = negative<Labels>({ weight: 2, condition: () => [2, 1, 0] });
    await guide(network, labels, compose([term])).evaluate(x, sigma);
    expect(network.calls).toEqual([[{ condition: labels }, { condition: [2, 1, 0] }]]);
  });
});

describe("its name", () => {
  test.each([
    ["trouser", 1],
    ["T-shirt/top", 0],
    ["ANKLE-BOOT", 3],
    ["ankle_boot", 3],
    ["2", 2],
  ])("%s is class %i", async (name, label) => {
    const { calls } = await run(`negative:2,condition=${name}`);
    expect(calls[0][1]).toEqual({ condition: [label, label, label] });
    const specs = parseGuidance(`negative:2,condition=${name}`);
    expect(parseGuidance(formatGuidance(specs))).toEqual(specs);
  });

  test.each(["bag", "4", "-1"])("%s is refused, and the classes are listed", (name) => {
    expect(() => buildGuidance(`negative:2,condition=${name}`, resources)).toThrow(
      `no class "${name}"; its classes are 0 T-shirt/top, 1 Trouser, 2 Pullover, 3 Ankle boot`,
    );
  });
});

describe("a model without what it needs is told so", () => {
  test.each([
    ["negative:2,condition=1", { conditional: false }, /takes conditions by name; this model's takes none/],
    ["negative:2", { conditional: false }, /takes conditions by name/],
    ["negative:2,condition=1", { conditional: true }, /takes conditions by name/],
    [
      "negative:2",
      { ...resources, nullCondition: false },
      /null condition, which this network was not trained with. Write negative:2,condition=NAME/,
    ],
  ] as const)("%s of %o", (spec, offered, message) => {
    expect(() => buildGuidance(spec, offered)).toThrow(message);
  });

  test("without a null condition there are still negative ones", () => {
    const offered = { ...resources, nullCondition: false };
    expect(() => buildGuidance("negative:2,condition=1", offered)).not.toThrow();
  });
});
