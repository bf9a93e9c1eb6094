import { describe, expect, test } from "vitest";
import type { Tensor } from "../base/tensor.ts";
import { map, tensor } from "../base/tensor.ts";
import type { Denoiser, Labels } from "../diffusion/denoiser.ts";
import { type Visit, visitsOf } from "../diffusion/visits.ts";
import { samplers } from "../diffusion/samplers/index.ts";
import { karras } from "../diffusion/sigmas.ts";
import { perturbationKey } from "../graph/perturb.ts";
import { buildGuidance } from "./build.ts";
import { explainGuidance } from "./explain.ts";
import { type EvaluationCount, guide } from "./guide.ts";
import { methods } from "./methods.ts";
import type { Score } from "./resources.ts";
import { optionsAlone, parseGuidance } from "./spec.ts";
import { type ExplainedModel, standInModel } from "./standIn.ts";

/** A stand-in that answers: each way of asking gets another prediction, a function of one sample alone. */
function answering(spec: string): ExplainedModel {
  const { resources } = standInModel(parseGuidance(spec));
  const guides = Object.keys(resources.guides!).map((name, i) => [name, network(0.3 + 0.1 * i)]);
  const slope = (x: Tensor) => Promise.resolve(map((value) => -value, x));
  const scores = Object.keys(resources.scores!).map((name) => [name, { gradient: slope }]);
  return {
    denoiser: network(0.5),
    resources: {
      ...resources,
      guides: Object.fromEntries(guides) as Record<string, Denoiser>,
      resized: { side: 4, multiple: 1, to: (side) => ({ ...network(0.5), shape: [1, side, side] }) },
      classifier: { logProbabilityGradient: slope },
      cleanClassifier: { logProbabilityGradient: slope },
      scores: Object.fromEntries(scores) as Record<string, Score>,
    },
  };
}

function network(std: number): Denoiser {
  return {
    shape: [1, 4, 4],
    denoise: (x, sigma, branches) =>
      Promise.resolve(
        branches.map(({ condition, perturbation, ...more }) => {
          const key = `${String(condition)} ${perturbationKey(perturbation)} ${JSON.stringify(more)}`;
          const mean = [...key].reduce((hash, letter) => (hash * 31 + letter.charCodeAt(0)) % 1009, 7) / 1009;
          return map((value, i) => (std * value + sigma * mean * Math.cos(i)) / (std + sigma), x);
        }),
      ),
    attended: () => Promise.resolve([tensor(Float64Array.of(0.4, 1.8, 1.2, 0.6), [1, 2, 2])]),
    vjp: (x, sigma, _branch, cotangent) =>
      Promise.resolve({ denoised: x, gradient: map((value) => (std * value) / (std + sigma), cotangent) }),
  };
}

const image = tensor(
  Float64Array.from({ length: 16 }, (_, i) => Math.sin(i * i)),
  [1, 1, 4, 4],
);

/** What `guide` counts at each visit of a run. */
async function counted(spec: string, visits: readonly Visit[]): Promise<EvaluationCount[]> {
  const { denoiser, resources } = answering(spec);
  const labels: Labels = [0];
  const guided = guide(denoiser, labels, buildGuidance(spec, resources));
  const costs: EvaluationCount[] = [];
  for (const { sigma, step } of visits) {
    const before = { ...guided.evaluations };
    await guided.evaluate(image, sigma, step);
    const { networks, gradients } = guided.evaluations;
    costs.push({ networks: networks - before.networks, gradients: gradients - before.gradients });
  }
  return costs;
}

/** Noise levels on both sides of every edge that the specs below have, and on the edges. */
const grid = [80, 5.001, 5, 2.0001, 2, 1.3, 1.0001, 1, 0.5, 0.2001, 0.2, 0.05, 0.002];
const visits = grid.map((sigma, step) => ({ sigma, step }));

const hasInterval = (name: string): boolean => Object.hasOwn(optionsAlone(methods[name]), "interval");
/** Each method alone, with CFG where it needs one to correct, at its default and limited to an interval. */
const alone = Object.values(methods).flatMap(({ name, role }) => {
  const beside = role === "adjust" || role === "condition" ? "cfg:3+" : "";
  return [`${beside}${name}`, ...(hasInterval(name) ? [`${beside}${name}:interval=0.2..2`] : [])];
});
const together = [
  "none",
  "cfg:1",
  "pag:0",
  "cfg:4,interval=0.2..2+pag:3~apg",
  "cfg:4+pag:3+autoguidance:2+classifier:1+pag:1+cfg:2",
  "cfg:3,interval=0.2..1+cfg:1.5,interval=1..5",
  "cfg:steps(1|3|1|2),interval=0.2..5+rescale:0.7",
  "cfg:linear(4)+pag:rows(2)",
  "pag:2,kind=random-mask,seed=1+pag:2,kind=random-mask,seed=2",
  "autoguidance:2,guide=early+autoguidance:2,guide=late,interval=0..1",
  "classifier:1,interval=0.5..2",
  "classifier:linear(2)",
  "cfg:2+classifier:0",
  "classifier:1,base=condition+rescale:0.5,interval=1..5",
  "clean-classifier:2,through=gaussian,interval=0..1",
  "score:2,model=likeness+score:3,model=beauty,through=identity",
  "momentum:0.5+threshold:0.9",
];

test.each([...alone, ...together])("%s asks for what guide counts, at every noise level", async (spec) => {
  const counts = await counted(spec, visits);
  const { ranges, run } = explainGuidance(spec, { visits });
  const predicted = visits.map(({ sigma, step }) =>
    ranges.find(
      ({ low, high, steps }) =>
        low < sigma &&
        sigma <= high &&
        (!steps || (step >= steps.from && (steps.to === null || step <= steps.to))),
    )!,
  );
  predicted.forEach(({ cost, atMost, branches }, i) => {
    if (atMost) expect(counts[i].networks).toBeLessThanOrEqual(cost.networks);
    else expect({ sigma: grid[i], ...counts[i] }).toEqual({ sigma: grid[i], ...cost });
    expect(branches).toHaveLength(cost.networks);
  });
  const total = (key: keyof EvaluationCount): number => counts.reduce((sum, cost) => sum + cost[key], 0);
  if (!run!.atMost) expect(run!.cost).toEqual({ networks: total("networks"), gradients: total("gradients") });
});

test("the ranges are those of the catalogue: what a method adds is what it says it adds", () => {
  for (const { name, role, adds } of Object.values(methods)) {
    if (role === "combine") continue;
    const beside = role === "adjust" || role === "condition" ? "cfg:3+" : "";
    const { cost } = explainGuidance(`${beside}${name}`).ranges[0];
    const without = beside === "" ? 1 : 2;
    expect({ name, ...cost }).toEqual({
      name,
      networks: without + adds.networks,
      gradients: adds.gradients,
    });
  }
});

test("condition annealing is told where it leaves the condition alone, and what the network is told besides", () => {
  const { methods: about, ranges } = explainGuidance("cads:0.3+cfg:3+tsg:2,form=level,noise=0.5");
  expect(about[0].acts).toBe("where sigma > 1.37638");
  expect(ranges.map(({ low, high }) => [low, high])).toEqual([
    [Math.tan(0.3 * Math.PI), Infinity],
    [0, Math.tan(0.3 * Math.PI)],
  ]);
  const [noisy, given] = ranges.map(({ branches }) => branches.map(({ asked }) => asked));
  const noise = "with noise on the condition's embedding";
  expect(noisy[0]).toBe(`with the condition, ${noise}`);
  expect(noisy[1]).toBe("without the condition");
  expect(noisy[2]).toContain("told another noise level");
  expect(noisy[2]).toContain(noise);
  expect(given).toEqual([
    "with the condition",
    "without the condition",
    "with the condition, told another noise level",
  ]);
  expect(ranges.map(({ off }) => off)).toEqual([[], ["cads leaves the condition as it is"]]);
  expect(ranges[0].formulas[1].formula).toContain("sigma~ = sigma*exp(0.5*t^1*n)");
});

test("ranges begin and end at the edges of the intervals, half-open, without gap", () => {
  const { ranges } = explainGuidance("cfg:4,interval=0.2..2+pag:3,interval=1..inf");
  expect(ranges.map(({ low, high, cost }) => [low, high, cost.networks])).toEqual([
    [2, Infinity, 2],
    [1, 2, 3],
    [0.2, 1, 2],
    [0, 0.2, 1],
  ]);
  expect(ranges[0].off).toEqual(["cfg acts where 0.2 < sigma <= 2"]);
  expect(ranges[3].formulas).toEqual([{ method: "strong", formula: "D = strong" }]);
});

describe("in words", () => {
  test("branches say what they are for, how and of which network they are asked", () => {
    const { ranges } = explainGuidance("cfg:2+pag:1,layers=mid|up+autoguidance:2,guide=early");
    expect(ranges[0].branches).toEqual([
      { for: ["strong"], network: "the network", asked: "with the condition" },
      { for: ["weak of cfg"], network: "the network", asked: "without the condition" },
      {
        for: ["weak of pag"],
        network: "the network",
        asked: "with the condition, with identity (layers mid|up)",
      },
      { for: ["weak of autoguidance"], network: "the guide early", asked: "with the condition" },
    ]);
  });

  test("a prediction that two want is one", () => {
    const { ranges } = explainGuidance("cfg:2+cfg:3,interval=1..2");
    expect(ranges[1].branches[1].for).toEqual(["weak of cfg 1", "weak of cfg 2"]);
  });

  test("formulas have the numbers in them: weights, scales as weights of a way to combine, schedules by name", () => {
    const formulas = (spec: string) => explainGuidance(spec).ranges[0].formulas.map(({ formula }) => formula);
    expect(formulas("cfg:4")).toEqual(["D = D(x; null) + 4*(D(x; condition) - D(x; null))"]);
    expect(formulas("pag:3~power-law:alpha=2")[0]).toContain("(4 - 1)*|strong - weak|^2");
    expect(formulas("cfg:linear(3)")[0]).toContain("weight(sigma)*");
    expect(formulas("cfg:-1")[0]).toContain("(-1)*");
    expect(formulas("classifier:2,form=mean-shift")).toEqual([
      "mean = mean + variance*2 * grad log p(label | mean; next sigma), of each step",
    ]);
    expect(formulas("cfg:4+classifier:2+rescale:0.5")).toEqual([
      "D = D(x; null) + 4*(D(x; condition) - D(x; null))",
      "D = D_base(x) + 2*sigma^2 * grad log p(label | x; sigma)",
      "D = strong + (D_cfg - strong) + (D_classifier - strong)",
      "D' = 0.5*D*std(strong)/std(D) + (1 - 0.5)*D",
    ]);
  });

  test("the order is that of guide: predictions, moves, gradients, corrections as they are written", () => {
    const { order } = explainGuidance("threshold+cfg:4+classifier:1+rescale");
    expect(order).toEqual([
      "every prediction that is wanted is made, equal ones once",
      "cfg moves the strong prediction away from its weak one",
      "classifier adds its gradient",
      "threshold, rescale correct what came out, one after the other in this order",
    ]);
  });

  test("a mean shift comes last: the sampler does it", () => {
    expect(explainGuidance("classifier:1,form=mean-shift+rescale").order.slice(1)).toEqual([
      "rescale corrects what came out",
      "classifier moves the mean of the sampler's step along its gradient",
    ]);
  });

  test("a network that a method makes is named after it", () => {
    const [, weak] = explainGuidance("swg").ranges[0].branches;
    expect(weak.network).toBe("what swg makes of the network");
  });

  test("schedules are shown where they act, in the method's own convention", () => {
    const strengths = (spec: string) => explainGuidance(spec, { sigmas: [10, 1, 0.1] }).methods[0].strengths!;
    // tau(1) = 1/2, and linear is 2 tau: the weight itself.
    expect(strengths("cfg:linear(4)")[1]).toEqual({ sigma: 1, strength: 4 });
    expect(strengths("pag:linear(3)")[1]).toEqual({ sigma: 1, strength: 3 });
    expect(strengths("cfg:cosine(4),interval=0.5..20").map(({ sigma }) => sigma)).toEqual([10, 1]);
    expect(explainGuidance("cfg:4").methods[0].strengths).toBeUndefined();
  });

  test("weights by step make ranges by step", () => {
    const { ranges } = explainGuidance("cfg:steps(1|1|2|1)");
    expect(ranges.map(({ steps, cost }) => [steps, cost.networks])).toEqual([
      [{ from: 0, to: 1 }, 1],
      [{ from: 2, to: 2 }, 2],
      [{ from: 3, to: null }, 1],
    ]);
  });
});

describe("of a run", () => {
  test("the steps and evaluations of the ranges are those of the whole", async () => {
    const heun = await visitsOf(samplers.heun.run, karras({ steps: 32, max: 80 }));
    const { ranges, run } = explainGuidance("cfg:4,interval=0.2..2+pag:3", { visits: heun });
    const sum = (of: (range: (typeof ranges)[number]) => number): number =>
      ranges.reduce((all, range) => all + of(range), 0);
    expect(sum(({ run: part }) => part!.steps)).toBe(32);
    expect(sum(({ run: part }) => part!.visits)).toBe(63);
    expect(sum(({ run: part }) => part!.cost.networks)).toBe(run!.cost.networks);
    const inside = heun.filter(({ sigma }) => sigma > 0.2 && sigma <= 2).length;
    expect(run!.cost.networks).toBe(2 * 63 + inside);
  });
});

describe("refuses", () => {
  test.each([
    ["cfg:4,intervall=0..1", /cfg has no option "intervall"; options of cfg: weight, interval/],
    ["cgf:4", /unknown guidance method "cgf"; known: none, cfg/],
    ["cfg:2+classifier:1,base=null", /cfg has no condition to drop with base=null/],
    ["cfg:rows(1|2)+pag:rows(1|2|3)", /samples take/],
  ])("%s", (spec, message) => {
    expect(() => explainGuidance(spec)).toThrow(message);
  });

  test("what a model lacks", () => {
    const { denoiser } = answering("none");
    const model = { denoiser, resources: { conditional: false } };
    expect(() => explainGuidance("cfg:2", { model })).toThrow(/cfg needs a network with a condition/);
    expect(() => explainGuidance("pag:2", { model })).toThrow(/pag needs self-attention/);
    expect(explainGuidance("momentum", { model }).ranges[0].branches[0].asked).toBe("");
  });
});
