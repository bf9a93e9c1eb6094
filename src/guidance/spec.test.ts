import { expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { everywhere } from "./interval.ts";
import { methods } from "./methods.ts";
import type { Method } from "./method.ts";
import type { MethodSpec } from "./methods.ts";
import { completeSpec, formatGuidance, optionsAlone, parseGuidance } from "./spec.ts";

const cfg4: MethodSpec = { method: "cfg", weight: 4, interval: everywhere };
const apg0: MethodSpec = { method: "apg", eta: 0, cap: 0, momentum: 0, space: "x0", form: "paper" };
const pag3: MethodSpec = {
  method: "pag",
  scale: 3,
  interval: everywhere,
  layers: ["mid"],
  kind: "identity",
  form: "paper",
};

test.each<[string, readonly MethodSpec[]]>([
  ["none", []],
  ["cfg", [{ ...cfg4, weight: 2 }]],
  ["cfg:4", [cfg4]],
  ["cfg:weight=4", [cfg4]],
  ["cfg:0", [{ ...cfg4, weight: 0 }]],
  ["cfg:-1.5", [{ ...cfg4, weight: -1.5 }]],
  ["cfg:1e+3", [{ ...cfg4, weight: 1000 }]],
  ["cfg:4,interval=0.2..2", [{ ...cfg4, interval: { low: 0.2, high: 2 } }]],
  ["cfg:4:interval=0.2..2", [{ ...cfg4, interval: { low: 0.2, high: 2 } }]],
  ["cfg:4,interval=1..inf", [{ ...cfg4, interval: { low: 1, high: Infinity } }]],
  ["pag", [pag3]],
  ["pag:scale=3,layers=mid", [pag3]],
  [
    "pag:3,layers=mid|0|2,kind=random-mask,p=0.5,seed=1",
    [{ ...pag3, layers: ["mid", 0, 2], kind: "random-mask", p: 0.5, seed: 1 }],
  ],
  [
    "pag:layers=all,kind=off-diagonal-mask",
    [{ ...pag3, layers: "all", kind: "off-diagonal-mask", p: 0.25, seed: 0 }],
  ],
  ["autoguidance", [{ method: "autoguidance", weight: 2, interval: everywhere }]],
  [
    "autoguidance:2.2,guide=ema-0.05/early",
    [{ method: "autoguidance", weight: 2.2, interval: everywhere, guide: "ema-0.05/early" }],
  ],
  ["classifier", [{ method: "classifier", scale: 1, interval: everywhere, form: "score" }]],
  [
    "classifier:2,base=null",
    [{ method: "classifier", scale: 2, interval: everywhere, base: "null", form: "score" }],
  ],
  [
    'score:10,model="my models/a+b:c~d, e.onnx",target=cat.png+cfg:2',
    [
      {
        method: "score",
        ...{ scale: 10, interval: everywhere, model: "my models/a+b:c~d, e.onnx", target: "cat.png" },
        ...{ input: "signed", through: "denoiser" },
      },
      { method: "cfg", weight: 2, interval: everywhere },
    ],
  ],
  [
    "classifier:form=mean-shift",
    [{ method: "classifier", scale: 1, interval: everywhere, form: "mean-shift", at: "mean" }],
  ],
  ["cfg:4+pag:scale=3", [cfg4, pag3]],
  ["cfg:4~apg:eta=0.5", [{ ...cfg4, combine: { ...apg0, eta: 0.5 } }]],
  ["apg:4,eta=0.5", [{ ...cfg4, combine: { ...apg0, eta: 0.5 } }]],
  [
    "pag:3~apg+rescale:0.5",
    [
      { ...pag3, combine: apg0 },
      { method: "rescale", amount: 0.5, interval: everywhere, space: "v" },
    ],
  ],
  ["cfg:linear(4)", [{ ...cfg4, weight: { kind: "linear", weight: 4 } }]],
  ["cfg:beta(4|2|3)", [{ ...cfg4, weight: { kind: "beta", weight: 4, a: 2, b: 3 } }]],
  ["cfg:rows(1|2|4)", [{ ...cfg4, weight: { kind: "rows", weights: [1, 2, 4] } }]],
  [" cfg:4 + pag:3 , layers=mid ", [cfg4, pag3]],
  ["cfg:+4+cfg:1e+3+pag", [cfg4, { ...cfg4, weight: 1000 }, pag3]],
])("%s means what it says", (text, specs) => {
  expect(parseGuidance(text)).toEqual(specs);
  expect(parseGuidance(formatGuidance(specs))).toEqual(specs);
});

test("paths keep their spaces and signs in quotes, and plain ones need none", () => {
  const written = (model: string) => formatGuidance([completeSpec({ method: "score", scale: 2, model })]);
  expect(written("a/b-c.onnx")).toBe("score:2,model=a/b-c.onnx");
  expect(written("C:\\a b.onnx")).toBe('score:2,model="C:\\a b.onnx"');
  expect(() => written('a"b')).toThrow(/model of score must be a path/);
});

test.each([
  ["none", "none"],
  ["cfg", "cfg:2"],
  ["cfg:4.0:interval=.2..2.50", "cfg:4,interval=0.2..2.5"],
  ["pag:layers=mid,kind=identity", "pag:3"],
  ["pag:kind=random-mask,layers=0|up,p=0.25,scale=1", "pag:1,layers=0|up,kind=random-mask"],
  ["cfg:1e+21+pag", "cfg:1e+21+pag:3"],
])("%s is written as %s", (text, canonical) => {
  expect(formatGuidance(parseGuidance(text))).toBe(canonical);
  expect(formatGuidance(parseGuidance(canonical))).toBe(canonical);
});

test.each([
  ["", /"" has no method where one is wanted: write none, or METHOD/],
  ["nope", /unknown guidance method "nope".*none, cfg, .*pag, .*autoguidance/],
  ["cgf:4", /unknown guidance method "cgf".*none, cfg, .*pag, .*autoguidance/],
  ["constructor:4", /unknown guidance method "constructor"/],
  ["cfg:4++pag", /"cfg:4\+\+pag" has no method where one is wanted/],
  ["cfg:4+", /"cfg:4\+" has no method where one is wanted/],
  ["none+cfg:4", /none stands alone/],
  ["cfg:scale=4", /cfg has no option "scale".*weight, interval/],
  ["cfg:4,layers=mid", /cfg has no option "layers"/],
  ["cfg:toString=4", /cfg has no option "toString"/],
  ["cfg:4,5", /"5" in "cfg:4,5" is not KEY=VALUE/],
  ["cfg:4,weight=5", /weight twice/],
  ["cfg:", /weight of cfg must be a finite number or a schedule, such as linear\(4\), got ""/],
  ["cfg:four", /weight of cfg must be a finite number or a schedule, such as linear\(4\), got "four"/],
  ["cfg:NaN", /finite number or a schedule, such as linear\(4\), got "NaN"/],
  ["cfg:Infinity", /finite number or a schedule, such as linear\(4\), got "Infinity"/],
  ["cfg:1e999", /finite number/],
  ["cfg:0x10", /finite number or a schedule, such as linear\(4\), got "0x10"/],
  ["cfg:4,interval=2", /interval of cfg must be LOW\.\.HIGH.*got "2"/],
  ["cfg:4,interval=2..1", /interval of cfg must be LOW\.\.HIGH/],
  ["cfg:4,interval=1..1", /interval of cfg must be LOW\.\.HIGH/],
  ["cfg:4,interval=-1..1", /0 <= LOW < HIGH/],
  ["pag:3,layers=", /layers of pag must be/],
  ["pag:3,layers=mid||up", /layers of pag must be/],
  ["pag:3,layers=all|mid", /layers of pag must be/],
  [
    "pag:3,kind=blur",
    /kind of pag must be one of identity, soft-identity, uniform, random-mask, off-diagonal-mask, got "blur"/,
  ],
  ["pag:3,p=0.25", /pag has no p with kind=identity/],
  ["pag:3,kind=random-mask,p=1.25", /p of pag must be a probability/],
  ["pag:3,kind=random-mask,p=1", /masks everything/],
  ["pag:3,kind=random-mask,seed=-1", /seed of pag must be a whole number/],
  ["pag:3,kind=random-mask,seed=1.5", /seed of pag must be a whole number/],
  ["autoguidance:2,guide=", /guide of autoguidance must be a name/],
  ["cfg:4~pag", /"cfg~pag" is no weak method and a way to combine; weak methods: cfg, pag/],
  ["rescale:0.5~apg", /"rescale~apg" is no weak method/],
  ["apg:4~cfgpp", /combines twice: write WEAK~cfgpp/],
  ["cfg:4~apg~apg", /combines twice/],
  ["cfg:4~apg:weight=3", /apg has no option "weight"|twice/],
  ["cfg:beta(4|2)", /weight of cfg must be a finite number or a schedule/],
  ["cfg:rows(1|x)", /weight of cfg must be/],
  ["score:1,model=", /model of score must be a path/],
  ['score:1,model="a', /model of score must be a path, in double quotes/],
  ["score:1,model=a b+cfg:2,model=c", /cfg has no option "model"/],
  ["classifier:1,base=nothing", /base of classifier must be one of null, condition/],
])("%s is refused with a sentence that names the fault", (text, message) => {
  expect(() => parseGuidance(text)).toThrow(UsageError);
  expect(() => parseGuidance(text)).toThrow(message);
});

test("specs written by hand are checked like text", () => {
  expect(completeSpec({ method: "cfg", weight: 4 })).toEqual(cfg4);
  expect(() => completeSpec({ method: "cfg", weight: NaN })).toThrow(
    /finite number or a schedule, such as linear\(4\), got NaN/,
  );
  expect(() => completeSpec({ method: "cfg", wieght: 4 })).toThrow(/no option "wieght"/);
  expect(() => completeSpec({ method: "cfg", interval: { low: 2, high: 1 } })).toThrow(/LOW\.\.HIGH/);
  expect(() => formatGuidance([{ ...pag3, layers: ["a+b"] }])).toThrow(/layers of pag/);
  expect(() => formatGuidance([{ ...pag3, layers: ["7"] }])).toThrow(/layers of pag/);
});

test("the catalogue is complete: every method's defaults hold, and its strength is one of its options", () => {
  for (const [name, method] of Object.entries<Method>(methods)) {
    const options = optionsAlone(method);
    expect(Object.keys(options)).toContain(method.strength);
    expect(parseGuidance(formatGuidance([completeSpec({ method: name })]))).toEqual([
      completeSpec({ method: name }),
    ]);
    expect(completeSpec({ method: name })).toMatchObject({ interval: everywhere });
    const off = method.off ?? (method.role === "combine" ? 1 : null);
    if (off !== null) expect(options[method.strength].meaning).toMatch(new RegExp(`${off} is off`));
  }
});

test.each([
  ["cfg:4,interval=2..1", 'got "2..1"'],
  ["cfg:steps(1|x)", 'got "steps(1|x)"'],
  ["cfg:1e999", 'got "1e999"'],
  ["pag:3,layers=", 'got ""'],
])("what is wrong in %s is shown as it was written", (text, shown) => {
  expect(() => parseGuidance(text)).toThrow(shown);
});

test.each(["", " ", "+", "cfg:2+", "+cfg:2", "cfg:2++pag:1", "cfg:2~", "~apg"])(
  '"%s" lacks a method, and is told so',
  (text) => {
    expect(() => parseGuidance(text)).toThrow("has no method where one is wanted: write none, or METHOD");
  },
);

test("a sentence about a long text is short", () => {
  for (const text of ["(".repeat(9999), `cfg:${"x".repeat(9999)}`, `cfg:2,${"y".repeat(9999)}`]) {
    expect(() => parseGuidance(text)).toThrow(/^[^]{1,700}$/);
  }
});
