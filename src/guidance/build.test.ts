import { describe, expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { tensor } from "../base/tensor.ts";
import type { Labels } from "../diffusion/denoiser.ts";
import { toyClassifier, toyDenoiser } from "../testing/toyModel.ts";
import { buildGuidance } from "./build.ts";
import type { GuidanceResources } from "./resources.ts";
import { guide } from "./guide.ts";
import { everywhere } from "./interval.ts";

const [early, small, unconditional] = [0.6, 0.7, 0.8].map(toyDenoiser);
const labels: Labels = [1];
const moment = { x: tensor([0, 0], [1, 2]), sigma: 1, step: 0, seeds: [0] };
const full: GuidanceResources = {
  conditional: true,
  unconditional,
  guides: { early, small },
  classifier: toyClassifier(0.5),
  attention: ["down.1.attention", "mid.attention", "up.0.attention"],
};
const bare: GuidanceResources = { conditional: true };
const unconditionalModel: GuidanceResources = { ...full, conditional: false, unconditional: undefined };

describe("what is built", () => {
  test("its label is the canonical text", () => {
    expect(buildGuidance("pag:layers=mid + cfg:weight=4.0", full).label).toBe("pag:3+cfg:4");
    expect(buildGuidance("none", bare).label).toBe("none");
  });

  test("specs and their text build the same", () => {
    const [text, specs] = [
      buildGuidance("cfg:4", full),
      buildGuidance([{ method: "cfg", weight: 4, interval: everywhere }], full),
    ];
    expect(specs.terms[0].weight).toBe(4);
    expect(specs.label).toBe(text.label);
  });

  test("CFG takes the separate unconditional network where there is one", () => {
    expect(buildGuidance("cfg:4", full).terms[0].from).toBe(unconditional);
    expect(buildGuidance("cfg:4", bare).terms[0].from).toBeUndefined();
  });

  test("PAG's scale s is weight s + 1", () => {
    const [term] = buildGuidance("pag:2.5,layers=mid|2,kind=off-diagonal-mask,p=0.5,seed=7", full).terms;
    expect(term.weight).toBe(3.5);
    expect(term.weak({ condition: labels }, moment)).toEqual({
      condition: labels,
      perturbation: { kind: "off-diagonal-mask", layers: ["mid", 2], p: 0.5, seed: 7 },
    });
  });

  test("autoguidance takes the guide it names, else the first", () => {
    expect(buildGuidance("autoguidance:2,guide=small", full).terms[0].from).toBe(small);
    expect(buildGuidance("autoguidance:2", full).terms[0].from).toBe(early);
  });

  test("a classifier alone starts from the unconditional prediction, with others from the conditional one", () => {
    const alone = buildGuidance("classifier:1", full);
    expect([alone.strong(labels), alone.from]).toEqual([{ condition: null }, unconditional]);
    const composed = buildGuidance("autoguidance:2+classifier:1", full);
    expect([composed.strong(labels), composed.from]).toEqual([{ condition: labels }, undefined]);
  });

  test("base says otherwise: PAG may perturb the unconditional prediction that a classifier pushes", () => {
    const given = buildGuidance("classifier:1,base=condition", full);
    expect([given.strong(labels), given.from]).toEqual([{ condition: labels }, undefined]);
    const pushed = buildGuidance("pag:3+classifier:1,base=null", full);
    expect([pushed.strong(labels), pushed.from]).toEqual([{ condition: null }, unconditional]);
  });

  test("on an unconditional model everything starts from its one prediction", () => {
    for (const spec of ["none", "pag:3", "autoguidance:2", "classifier:1", "pag:3+classifier:1"]) {
      const built = buildGuidance(spec, unconditionalModel);
      expect([built.strong(labels), built.from]).toEqual([{ condition: null }, undefined]);
      expect(() => guide(toyDenoiser(0.5), labels, built)).not.toThrow();
    }
  });
});

test.each<[string, GuidanceResources, RegExp]>([
  ["cfg:4", unconditionalModel, /cfg needs a network with a condition/],
  ["cfg:4", { ...bare, nullCondition: false }, /trained without condition dropout/],
  ["pag:3", bare, /pag needs self-attention/],
  ["pag:3", { ...bare, attention: [] }, /pag needs self-attention/],
  [
    "pag:3,layers=deep",
    full,
    /no attention layer deep; it has 0 \(down.1.attention\), 1 \(mid.attention\), 2/,
  ],
  ["pag:3,layers=3", full, /no attention layer 3; it has 0/],
  ["autoguidance:2", bare, /autoguidance needs a guide/],
  ["autoguidance:2,guide=late", full, /no guide "late"; its guides: early, small/],
  ["autoguidance:2,guide=toString", full, /no guide "toString"/],
  ["classifier:1", bare, /needs a classifier trained on noised samples/],
  ["classifier:1", { ...bare, classifier: full.classifier, nullCondition: false }, /Write base=condition/],
  ["classifier:1,base=condition", unconditionalModel, /needs a conditional network/],
  ["cfg:4+classifier:1,base=null", full, /cfg has no condition to drop with base=null/],
  ["classifier:1,base=null+classifier:2,base=condition", full, /give the same base/],
  ["pag:0+autoguidance:1", bare, /pag needs self-attention/],
])("%s is refused with what the model lacks", (spec, resources, message) => {
  expect(() => buildGuidance(spec, resources)).toThrow(UsageError);
  expect(() => buildGuidance(spec, resources)).toThrow(message);
});

test("a network that says only that it has attention checks its layers itself", () => {
  expect(() => buildGuidance("pag:3,layers=deep|99", { ...bare, attention: true })).not.toThrow();
});
