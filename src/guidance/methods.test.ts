/** What the catalogue says of itself, of every method. */
import { describe, expect, test } from "vitest";
import { methodNamed, methods } from "./methods.ts";
import { completeSpec, formatGuidance, optionsAlone, parseGuidance } from "./spec.ts";
import { rows } from "./conformance/rows.cases.ts";

const all = Object.values(methods);

test("a method is found by its name, and nothing else is", () => {
  for (const method of all) expect(methodNamed(method.name)).toBe(method);
  for (const other of ["", "CFG", "toString", "constructor", "cfg "])
    expect(methodNamed(other)).toBeUndefined();
});

describe.each(all.map((method) => [method.name, method] as const))("%s", (name, method) => {
  test("is named in lower case, digits and dashes, as specs read it", () => {
    expect(name).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
  });

  test("says what it is in whole sentences, and its formula in ASCII", () => {
    for (const text of [
      method.summary,
      method.formula,
      method.needs,
      method.cost,
      method.when,
      method.published,
      method.source,
    ])
      expect(text.length).toBeGreaterThan(0);
    for (const sentence of [method.summary, method.when]) expect(sentence).toMatch(/[.!?]$/);
    expect(method.formula).toMatch(/^[\x20-\x7e]+$/);
  });

  test("costs whole evaluations and gradients", () => {
    for (const count of Object.values(method.adds)) expect(Number.isInteger(count) && count >= 0).toBe(true);
    expect(method.adds.networks + method.adds.gradients > 0).toBe(
      method.role === "weak" || method.role === "push",
    );
  });

  test("has its strength among its options, and an off that the option can take", () => {
    const options = optionsAlone(method);
    expect(Object.keys(options)).toContain(method.strength);
    if (method.off !== null) expect(options[method.strength].values.holds(method.off)).toBe(true);
  });

  test("has defaults that its options can take, and that text can say", () => {
    for (const [key, { meaning, unit, values, default: by }] of Object.entries(method.options)) {
      expect(meaning.length, key).toBeGreaterThan(3);
      expect(unit.length, key).toBeGreaterThan(3);
      expect(values.wanted.length, key).toBeGreaterThan(3);
      if (by === undefined) continue;
      expect(values.holds(by), key).toBe(true);
      expect(values.read(values.write(by)), key).toEqual(by);
    }
  });

  test("takes only options that are in its list, by name", () => {
    expect(() => completeSpec({ method: name, nosuch: 1 })).toThrow(/has no option "nosuch"; options of/);
  });

  test("has a space that its option defaults to, where it has one", () => {
    const { space } = method.options as { space?: { default: unknown } };
    if (space) expect(space.default).toBe(method.space);
  });

  test("is written back as it was read", () => {
    for (const { spec, on = 3 } of rows[name]) {
      const text = spec.replace("$", String(on));
      const specs = parseGuidance(text);
      const canonical = formatGuidance(specs);
      expect(parseGuidance(canonical)).toEqual(specs);
      expect(formatGuidance(parseGuidance(canonical))).toBe(canonical);
    }
  });

  test("is the same as text and as data", () => {
    for (const { spec, on = 3 } of rows[name]) {
      const specs = parseGuidance(spec.replace("$", String(on)));
      expect(
        specs.map((one) => completeSpec(JSON.parse(JSON.stringify(one, infinite), finite) as never)),
      ).toEqual(specs);
    }
  });
});

/** JSON has no Infinity. */
const infinite = (_: string, value: unknown): unknown => (value === Infinity ? "Infinity" : value);
const finite = (_: string, value: unknown): unknown => (value === "Infinity" ? Infinity : value);
