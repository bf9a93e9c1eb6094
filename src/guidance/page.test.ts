import { describe, expect, test } from "vitest";
import { exampleCommand, exampleOf } from "./example.ts";
import { methods } from "./methods.ts";
import { methodPage } from "./page.ts";
import { completeSpec, formatGuidance, optionsAlone, parseGuidance } from "./spec.ts";

const catalogue = Object.values(methods);

describe("the example of a method", () => {
  test.each(catalogue)("$name has the method in it, and is seen beside what has not", (method) => {
    const { spec, beside } = exampleOf(method);
    const inIt = (text: string): boolean =>
      parseGuidance(text).some((one) => one.method === method.name || one.combine?.method === method.name);
    expect(inIt(spec)).toBe(true);
    expect(beside[0]).toBe("none");
    expect(beside.some(inIt)).toBe(false);
    expect(formatGuidance(parseGuidance(spec))).toBe(spec);
  });

  test("shows weak methods alone, ways to combine beside extrapolation, corrections beside what they correct", () => {
    expect(exampleOf(methods.cfg)).toEqual({ spec: "cfg:2", beside: ["none"], model: "tree" });
    expect(exampleOf(methods.pag).model).toBe("fashion-mnist");
    expect(exampleOf(methods.apg)).toMatchObject({ spec: "apg:2", beside: ["none", "cfg:2"] });
    expect(exampleOf(methods.rescale)).toMatchObject({
      spec: "cfg:4+rescale:0.7",
      beside: ["none", "cfg:4"],
    });
    expect(exampleCommand(methods.cfgpp)).toBe(
      "fairlead compare tree --guidance none cfg:2 cfgpp:0.6 --sampler euler",
    );
  });
});

describe("the page of a method", () => {
  test.each(catalogue)(
    "$name tells every option with its default, and which one a bare number sets",
    (method) => {
      const { options, facts } = methodPage(method);
      expect(options.map(({ name }) => name)).toEqual(Object.keys(optionsAlone(method)));
      expect(options.filter(({ isStrength }) => isStrength)).toHaveLength(1);
      const strength = options.find(({ isStrength }) => isStrength)!;
      expect(formatGuidance([completeSpec({ method: method.name })])).toBe(
        `${method.name}:${strength.default}`,
      );
      for (const [key, text] of facts) expect({ key, text: text.trim() }).not.toEqual({ key, text: "" });
    },
  );

  test.each(catalogue)("$name tells its forms, the default's formula first of all", (method) => {
    const { forms, formula } = methodPage(method);
    expect(forms !== null).toBe(Object.hasOwn(method.options, "form"));
    if (forms === null) return;
    const formulas = forms.choices.flatMap((choice) => choice.formula ?? []);
    expect(forms.choices.find(({ form }) => form === forms.default)!.formula).toBe(formula);
    expect(forms.choices.map(({ form }) => form)).toEqual(method.options.form.values.choices);
    expect(new Set(formulas).size).toBe(formulas.length);
  });

  test.each(catalogue)("$name has a formula in ASCII, and a source with a number or a name", (method) => {
    const { formula, forms } = methodPage(method);
    for (const text of [formula, ...(forms?.choices.flatMap((choice) => choice.formula ?? []) ?? [])])
      expect(text).toMatch(/^[\x20-\x7e]+$/);
    expect(method.source.length).toBeGreaterThan(3);
  });
});
