import { describe, expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import type { Labels } from "../../diffusion/denoiser.ts";
import { checkPerturbation } from "../../graph/perturb.ts";
import { evaluateAll, samples } from "../../testing/guidanceModel.ts";
import { recording } from "../../testing/recording.ts";
import { toyDenoiser } from "../../testing/toyModel.ts";
import { buildGuidance } from "../build.ts";
import { compose } from "../guidance.ts";
import { guide } from "../guide.ts";
import { methods } from "../methods.ts";
import type { GuidanceResources } from "../resources.ts";
import { formatGuidance, parseGuidance } from "../spec.ts";
import { pag } from "./perturbedAttention.ts";
import { selfAutoguidance } from "./selfAutoguidance.ts";
import { slg } from "./skipLayers.ts";
import { seg } from "./smoothedEnergy.ts";
import { stg } from "./spatiotemporal.ts";
import { s2 } from "./stochasticBlocks.ts";
import { tpg } from "./tokenPerturbation.ts";

const labels: Labels = [1, 4];
const x = tensor(Float64Array.from([0.3, -2, 1.5, 0.7]), [2, 2]);
const moment = { x, sigma: 1, step: 0, seeds: [0, 1] };
const resources: GuidanceResources = {
  conditional: true,
  attention: ["down.1.attention", "mid.attention", "up.0.attention"],
};
const layers = ["mid"];

// What each asks of the network, and at which weight. The library's function beside the text.
describe.each([
  ["pag:3,kind=soft-identity", 4, { kind: "soft-identity", layers, u: 0.5 }],
  ["pag:3,kind=soft-identity,u=0|1|0.25", 4, { kind: "soft-identity", layers, u: [0, 1, 0.25] }],
  ["pag:3,kind=uniform", 4, { kind: "uniform", layers }],
  ["seg:3", 4, { kind: "blur-queries", layers, sigma: Infinity }],
  ["seg:2,sigma=1.5,layers=all", 3, { kind: "blur-queries", layers: "all", sigma: 1.5 }],
  ["slg:2.8", 3.8, { kind: "skip-block", layers }],
  ["slg:1,kind=skip-attention,layers=1|2", 2, { kind: "skip-attention", layers: [1, 2] }],
  ["slg:1,kind=skip-feed-forward", 2, { kind: "skip-feed-forward", layers }],
  ["stg:1", 2, { kind: "skip-block", layers }],
  ["stg:2,mode=attention", 3, { kind: "identity", layers }],
  ["tpg:3,seed=2", 4, { kind: "shuffle-tokens", layers, seed: 2 }],
  ["s2:0.25", 1.25, { kind: "drop-blocks", layers: "all", p: 0.1, seed: 0 }],
  ["s2:1,p=0.4,layers=up,seed=9", 2, { kind: "drop-blocks", layers: ["up"], p: 0.4, seed: 9 }],
  ["self-autoguidance:2", 2, { kind: "weight-noise", std: 0.02, seed: 0 }],
  ["self-autoguidance:1.5,std=0.3,seed=1", 1.5, { kind: "weight-noise", std: 0.3, seed: 1 }],
  [
    "self-autoguidance:2,damage=attention-dropout,p=0.4,layers=mid",
    2,
    { kind: "attention-dropout", layers, p: 0.4, seed: 0 },
  ],
] as const)("%s", (text, weight, perturbation) => {
  const [term] = buildGuidance(text, resources).terms;

  test(`has weight ${weight} and compares with the network under ${perturbation.kind}, for the same condition`, () => {
    expect(term.weight).toBeAllClose(weight, { abs: 1e-15 });
    const branch = term.weak({ condition: labels }, moment);
    expect(branch).toEqual({ condition: labels, perturbation });
    checkPerturbation(branch.perturbation!);
    expect(term.reference).toBeUndefined();
    expect(term.from).toBeUndefined();
  });

  test("is written back as text that means the same", () => {
    const specs = parseGuidance(text);
    expect(parseGuidance(formatGuidance(specs))).toEqual(specs);
  });
});

test("the library's functions make the terms that the texts make", async () => {
  const evaluate = (guidance: Parameters<typeof guide<Labels>>[2]) => {
    const network = recording(toyDenoiser(0.5));
    return guide(network, labels, guidance)
      .evaluate(x, 0.8)
      .then(({ data }) => ({ data, calls: network.calls }));
  };
  const damage = { kind: "weight-noise", std: 0.2, seed: 3 } as const;
  for (const [text, term] of [
    ["pag:2,kind=soft-identity,u=0.3", pag<Labels>({ scale: 2, layers, kind: "soft-identity", u: 0.3 })],
    ["seg:2,sigma=1.5", seg<Labels>({ weight: 3, layers, sigma: 1.5 })],
    ["seg:2", seg<Labels>({ weight: 3, layers })],
    ["slg:2", slg<Labels>({ scale: 2, layers })],
    ["slg:2,kind=skip-attention", slg<Labels>({ scale: 2, layers, kind: "skip-attention" })],
    ["stg:2", stg<Labels>({ scale: 2, layers })],
    ["stg:2,mode=attention", stg<Labels>({ scale: 2, layers, mode: "attention" })],
    ["tpg:2", tpg<Labels>({ scale: 2, layers })],
    ["s2:2,layers=mid", s2<Labels>({ scale: 2, layers })],
    ["self-autoguidance:3,std=0.2,seed=3", selfAutoguidance<Labels>({ weight: 3, damage })],
    [
      "self-autoguidance:3,std=0.2,seed=3,form=diffusers",
      selfAutoguidance<Labels>({ weight: 3, damage, dropCondition: true }),
    ],
  ] as const) {
    const [read, made] = [await evaluate(buildGuidance(text, resources)), await evaluate(compose([term]))];
    expect(made).toEqual(read);
  }
});

test("the network's own damage is asked without the condition in diffusers' form", () => {
  const [term] = buildGuidance("self-autoguidance:2,form=diffusers", resources).terms;
  expect(term.weak({ condition: labels }, moment)).toMatchObject({ condition: null });
  expect(() =>
    buildGuidance("self-autoguidance:2,form=diffusers", { ...resources, nullCondition: false }),
  ).toThrow(/form=diffusers asks without a condition.*write form=paper/);
});

test.each([
  ["pag:3,u=0.5", /pag has no u with kind=identity/],
  ["pag:3,kind=soft-identity,u=1.5", /u of pag must be a probability/],
  ["pag:3,kind=soft-identity,u=0|x", /u of pag must be a probability/],
  ["seg:3,sigma=0", /sigma of seg must be a number above 0, or inf, got "0"/],
  ["seg:3,form=cfg", /form of seg must be one of paper, strong, diffusers/],
  ["slg:3,kind=skip", /kind of slg must be one of skip-block/],
  ["stg:3,mode=r", /mode of stg must be one of residual, attention/],
  ["tpg:3,seed=-1", /seed of tpg must be a whole number/],
  ["s2:1,p=0", /p=0 drops nothing/],
  ["s2:1,p=2", /p of s2 must be a probability/],
  ["self-autoguidance:2,p=0.5", /self-autoguidance has no p with damage=weight-noise/],
  ["self-autoguidance:2,std=-1", /std of self-autoguidance must be a finite number from 0/],
  ["self-autoguidance:2,std=0", /no damage is left/],
  ["self-autoguidance:2,damage=attention-dropout,p=1", /p=1 leaves nothing/],
])("%s is refused in a sentence", (text, message) => {
  expect(() => buildGuidance(text, resources)).toThrow(message);
});

test.each(["seg:3", "slg:3", "stg:1", "tpg:3", "s2:1", "self-autoguidance:2,damage=attention-dropout"])(
  "%s is refused where a network has no attention, or not that layer",
  (text) => {
    expect(() => buildGuidance(text, { conditional: true })).toThrow(/needs self-attention/);
    const elsewhere = `${text},layers=deep`;
    expect(() => buildGuidance(elsewhere, resources)).toThrow(/no attention layer deep; it has 0/);
  },
);

describe("SEG beside CFG", () => {
  const separate = recording(toyDenoiser(0.7));
  const blurred = { kind: "blur-queries", layers, sigma: Infinity } as const;
  const run = async (text: string, more: Partial<GuidanceResources> = {}) => {
    const network = recording(toyDenoiser(0.5));
    separate.calls.length = 0;
    const guided = guide(network, labels, buildGuidance(text, { ...resources, ...more }));
    const { data } = await guided.evaluate(x, 0.8);
    return { data, calls: network.calls, evaluations: guided.evaluations };
  };
  const predictions = async (network = toyDenoiser(0.5)) => {
    const [c, u, cBlurred, uBlurred] = await network.denoise(x, 0.8, [
      { condition: labels },
      { condition: null },
      { condition: labels, perturbation: blurred },
      { condition: null, perturbation: blurred },
    ]);
    return { c, u, cBlurred, uBlurred };
  };

  test("is Eq. 10 of its paper: (1 - g_cfg + g_seg) u + g_cfg c - g_seg u_blurred", async () => {
    const { c, u, uBlurred } = await predictions();
    const [gCfg, gSeg] = [4, 3];
    const want = c.data.map(
      (_, i) => (1 - gCfg + gSeg) * u.data[i] + gCfg * c.data[i] - gSeg * uBlurred.data[i],
    );
    const { data, calls, evaluations } = await run(`cfg:${gCfg}+seg:${gSeg}`);
    expect(data).toBeAllClose(want, { abs: 1e-13 });
    // The unconditional prediction serves both: 3 evaluations in one call.
    expect(evaluations).toEqual({ networks: 3, gradients: 0 });
    expect(calls).toEqual([
      [{ condition: labels }, { condition: null }, { condition: null, perturbation: blurred }],
    ]);
  });

  test("compares the conditional predictions when asked to, and alone", async () => {
    const { c, u, cBlurred } = await predictions();
    const want = c.data.map((_, i) => {
      return u.data[i] + 4 * (c.data[i] - u.data[i]) + 3 * (c.data[i] - cBlurred.data[i]);
    });
    expect((await run("cfg:4+seg:3,form=strong")).data).toBeAllClose(want, { abs: 1e-13 });
    const alone = c.data.map((value, i) => value + 3 * (value - cBlurred.data[i]));
    expect((await run("seg:3")).data).toBeAllClose(alone, { abs: 1e-13 });
    expect((await run("seg:3,form=strong")).data).toEqual((await run("seg:3")).data);
  });

  test("compares predictions of CFG's own network where it has one", async () => {
    const { c } = await predictions();
    const { u, uBlurred } = await predictions(toyDenoiser(0.7));
    const want = c.data.map((_, i) => {
      return u.data[i] + 4 * (c.data[i] - u.data[i]) + 3 * (u.data[i] - uBlurred.data[i]);
    });
    const got = await run("cfg:4+seg:3", { unconditional: separate });
    expect(got.data).toBeAllClose(want, { abs: 1e-13 });
    expect(separate.calls).toEqual([[{ condition: null }, { condition: null, perturbation: blurred }]]);
    expect(got.evaluations.networks).toBe(3);
  });

  test("pays for the unconditional prediction where CFG does not act, and is free where it is off", async () => {
    expect((await run("cfg:1+seg:3")).evaluations.networks).toBe(3);
    const off = await run("cfg:1+seg:0");
    expect(off.evaluations.networks).toBe(1);
    const { c } = await predictions();
    expect(off.data).toEqual(c.data);
  });
});

// Every option of every weak method of this folder's perturbations, with another value than its default, and beside what.
describe.each([
  ["pag:3", ["layers=up", "kind=uniform", "form=diffusers"]],
  ["pag:3,kind=soft-identity", ["u=0.2", "u=0.1|0.9", "layers=all"]],
  ["pag:3,kind=random-mask", ["p=0.6", "seed=4", "layers=all"]],
  ["seg:3", ["layers=up", "sigma=2", "form=diffusers"]],
  ["cfg:2+seg:3", ["form=strong", "form=diffusers"]],
  ["sag:3", ["sigma=2", "kernel=3", "threshold=0.5"]],
  ["cfg:2+sag:3", ["form=strong"]],
  ["slg:3", ["layers=up", "kind=skip-attention", "kind=skip-feed-forward", "form=diffusers"]],
  ["stg:3", ["layers=up", "mode=attention"]],
  ["tpg:3", ["layers=up", "seed=1"]],
  ["s2:3", ["layers=up", "p=0.5", "seed=1"]],
  ["swg:3", ["where=overlaps", "windows=3"]],
  ["self-autoguidance:3", ["std=0.4", "seed=2", "form=diffusers", "damage=attention-dropout"]],
  ["self-autoguidance:3,damage=attention-dropout", ["p=0.4", "seed=2", "layers=mid"]],
])("no option of %s is swallowed", (spec, options) => {
  test.each(options)("%s", async (option) => {
    const at = [{ x: samples, sigma: 0.9 }];
    const [one, other] = [await evaluateAll(spec, at), await evaluateAll(`${spec},${option}`, at)];
    const most = Math.max(...one.values.map((value, i) => Math.abs(value - other.values[i])));
    // The model makes a number of what is asked; of a swallowed option it makes the same one, bit for bit.
    expect(most).toBeGreaterThan(1e-9);
  });
});

test("each option of each of these methods is tried above", () => {
  // What all terms have, what the model of these tests has one of, and what only a network can tell.
  const elsewhere = ["scale", "weight", "interval", "layers", "window"];
  const tried = {
    pag: ["kind", "u", "p", "seed", "form"],
    seg: ["sigma", "form"],
    sag: ["sigma", "kernel", "threshold", "form"],
    slg: ["kind", "form"],
    stg: ["mode"],
    tpg: ["seed"],
    s2: ["p", "seed"],
    swg: ["windows", "where"],
    "self-autoguidance": ["damage", "std", "p", "seed", "form"],
  };
  for (const [name, options] of Object.entries(tried)) {
    const all = Object.keys(methods[name].options).filter((option) => !elsewhere.includes(option));
    expect(all.sort(), name).toEqual([...options].sort());
  }
});
