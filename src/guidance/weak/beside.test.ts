import { describe, expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import type { Labels } from "../../diffusion/denoiser.ts";
import { toyDenoiser } from "../../testing/toyModel.ts";
import { buildGuidance } from "../build.ts";
import { guide } from "../guide.ts";
import type { GuidanceResources } from "../resources.ts";
import { weightAt } from "../weight.ts";
import { weightOfScale } from "./beside.ts";

const labels: Labels = [1, 4];
const x = tensor(Float64Array.from([0.3, -2, 1.5, 0.7]), [2, 2]);
const sigma = 0.8;
const resources: GuidanceResources = { conditional: true, attention: ["mid.0"] };
const network = toyDenoiser(0.5);

const run = async (spec: string, step = 0) => {
  const guided = guide(network, labels, buildGuidance(spec, resources));
  return { data: (await guided.evaluate(x, sigma, step)).data, evaluations: guided.evaluations };
};

/** Conditional, unconditional and perturbed predictions; the toy makes every perturbation the same Gaussian. */
async function predictions() {
  const perturbation = { kind: "identity", layers: ["mid"] } as const;
  const [c, u, p, up] = await network.denoise(x, sigma, [
    { condition: labels },
    { condition: null },
    { condition: labels, perturbation },
    { condition: null, perturbation },
  ]);
  return { c: c.data, u: u.data, p: p.data, up: up.data };
}

describe.each(["pag", "slg", "seg"])("%s in diffusers' form", (method) => {
  test("alone is p + k*(c - p): the scale is a weight", async () => {
    const { c, p } = await predictions();
    for (const k of [-1, 0.5, 2.8, 3]) {
      const want = Array.from(c, (value, i) => p[i] + k * (value - p[i]));
      expect((await run(`${method}:${k},form=diffusers`)).data).toBeAllClose(want, { abs: 1e-14 });
    }
  });

  test("alone is off at 1 as a weight is, and at 0 as their guiders are", async () => {
    const { c } = await predictions();
    for (const k of [0, 1]) {
      const off = await run(`${method}:${k},form=diffusers`);
      expect(off.data).toEqual(c);
      expect(off.evaluations).toEqual({ networks: 1, gradients: 0 });
    }
  });

  test("beside CFG is u + w*(c - u) + k*(c - p)", async () => {
    const { c, u, p } = await predictions();
    const want = Array.from(c, (value, i) => u[i] + 4 * (value - u[i]) + 2.8 * (value - p[i]));
    const got = await run(`cfg:4+${method}:2.8,form=diffusers`);
    expect(got.data).toBeAllClose(want, { abs: 1e-13 });
    expect(got.evaluations).toEqual({ networks: 3, gradients: 0 });
  });

  test("beside CFG that is off, by its weight or its interval, is p + k*(c - p) as alone", async () => {
    const alone = await run(`${method}:2.8,form=diffusers`);
    for (const cfg of ["cfg:1", "cfg:rows(1|1)", "cfg:4,interval=1..5", "cfg:steps(1|4)"])
      expect(await run(`${cfg}+${method}:2.8,form=diffusers`), cfg).toEqual(alone);
    // Where it acts again, so does its convention.
    const beside = await run(`cfg:4+${method}:2.8,form=diffusers`);
    for (const cfg of ["cfg:4,interval=0.5..5", "cfg:steps(4|1)", "cfg:rows(4|4)", "negative:4"])
      expect(await run(`${cfg}+${method}:2.8,form=diffusers`), cfg).toEqual(beside);
    expect(await run(`cfg:steps(1|4)+${method}:2.8,form=diffusers`, 1)).toEqual(beside);
  });

  test("has scales of rows in both conventions, and a row's 0 is off in both", async () => {
    const { c, u, p } = await predictions();
    for (const [cfg, w, off] of [
      ["cfg:1", 1, 0],
      ["cfg:4", 4, 1],
    ] as const) {
      const { data } = await run(`${cfg}+${method}:rows(0|2),form=diffusers`);
      const want = Array.from(c, (value, i) => {
        const guided = u[i] + w * (value - u[i]);
        return i < 2 ? guided : guided + (1 + off) * (value - p[i]);
      });
      expect(data).toBeAllClose(want, { abs: 1e-13 });
    }
  });

  test("differs from the paper's form alone, by one unit of scale", async () => {
    const [theirs, ours] = [await run(`${method}:3.8,form=diffusers`), await run(`${method}:2.8`)];
    expect(theirs.data).toBeAllClose(ours.data, { abs: 1e-14 });
  });
});

test("beside CFG the paper's SEG compares unconditional predictions, and PAG conditional ones", async () => {
  const { c, u, p, up } = await predictions();
  const cfg = Array.from(c, (value, i) => u[i] + 4 * (value - u[i]));
  const seg = cfg.map((value, i) => value + 3 * (u[i] - up[i]));
  const pag = cfg.map((value, i) => value + 3 * (c[i] - p[i]));
  expect((await run("cfg:4+seg:3")).data).toBeAllClose(seg, { abs: 1e-13 });
  expect((await run("cfg:4+pag:3")).data).toBeAllClose(pag, { abs: 1e-13 });
  expect((await run("cfg:4+seg:3,form=strong")).data).toBeAllClose(pag, { abs: 1e-13 });
  expect((await run("cfg:4+seg:3,form=diffusers")).data).toBeAllClose(pag, { abs: 1e-13 });
});

test("a way to combine that stands for CFG is CFG: apg beside seg", async () => {
  const { u, up } = await predictions();
  const [alone, beside] = [await run("apg:4,eta=1"), await run("apg:4,eta=1+seg:3")];
  const want = Array.from(alone.data, (value, i) => value + 3 * (u[i] - up[i]));
  expect(beside.data).toBeAllClose(want, { abs: 1e-13 });
});

describe("the weight that a scale means", () => {
  const alone = { methods: ["pag"], cfgActs: () => false };
  const beside = { methods: ["pag", "cfg"], cfgActs: () => true };
  const at = (spec: Parameters<typeof weightOfScale>[0], form: string, company: typeof alone, step = 0) =>
    weightAt(weightOfScale(spec, form, company), 1, step, 3);

  test("is one more, or in diffusers' form itself, alone", () => {
    expect(at(3, "paper", alone)).toBe(4);
    expect(at(3, "diffusers", alone)).toBe(3);
    expect(at(3, "diffusers", beside)).toBe(4);
    expect(at(0, "paper", alone)).toBe(1);
    expect(at(0, "diffusers", alone)).toBe(1);
  });

  test("of rows is each row's, and of steps each step's; a 0 among them is off", () => {
    const rows = { kind: "rows", weights: [0, 1, 2.5] } as const;
    expect(at(rows, "paper", alone)).toEqual([1, 2, 3.5]);
    expect(at(rows, "diffusers", alone)).toEqual([1, 1, 2.5]);
    const steps = { kind: "steps", weights: [0, 3] } as const;
    expect([0, 1, 2].map((step) => at(steps, "diffusers", alone, step))).toEqual([1, 3, 3]);
    expect([0, 1, 2].map((step) => at(steps, "paper", alone, step))).toEqual([1, 4, 4]);
  });

  test("of a schedule has its shape above the scale's own off", () => {
    // At sigma 1 half of the time is left: linear is 2 * 0.5.
    const linear = { kind: "linear", weight: 3 } as const;
    expect(at(linear, "paper", alone)).toBeCloseTo(4, 12);
    expect(at(linear, "diffusers", alone)).toBeCloseTo(3, 12);
  });
});
