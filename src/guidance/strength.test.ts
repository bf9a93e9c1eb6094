import { describe, expect, test } from "vitest";
import { methods } from "./methods.ts";
import { formatGuidance, parseGuidance } from "./spec.ts";
import { scaleStrength } from "./strength.ts";

describe("scaled strengths", () => {
  const scaled = (spec: string, factor: number): string | null => {
    const found = scaleStrength(parseGuidance(spec), factor);
    return found && formatGuidance(found);
  };

  test("move their distance from off: weights from 1, scales from 0, lambda from 0", () => {
    expect(scaled("cfg:3", 0.5)).toBe("cfg:2");
    expect(scaled("pag:3", 2)).toBe("pag:6");
    expect(scaled("cfg:3+pag:3+rescale:0.7", 2)).toBe("cfg:5+pag:6+rescale:0.7");
    expect(scaled("cfgpp:0.6", 0.5)).toBe("cfgpp:0.3");
    expect(scaled("classifier:1", 3)).toBe("classifier:3");
    expect(scaled("apg:3,eta=0.5", 2)).toBe("apg:5,eta=0.5");
    expect(scaled("cfg:2", 0)).toBe("cfg:1");
  });

  test("of schedules too, and are numbers of four digits", () => {
    expect(scaled("cfg:linear(4)", 2)).toBe("cfg:linear(7)");
    expect(scaled("cfg:steps(1|2|4)", 2)).toBe("cfg:steps(1|3|7)");
    expect(scaled("pag:beta(3|2|2)", 1 / 3)).toBe("pag:beta(1|2|2)");
    expect(scaled("cfg:2", 1 / 3)).toBe("cfg:1.333");
  });

  test("corrections alone have none", () => {
    expect(scaled("none", 2)).toBeNull();
    expect(scaled("momentum:0.5+threshold", 2)).toBeNull();
  });
});

test.each(Object.values(methods))("$name at factor 1 is itself, at factor 0 off", ({ name, role, off }) => {
  const spec = formatGuidance(parseGuidance(name));
  const at = (factor: number) => scaleStrength(parseGuidance(name), factor);
  if (role === "adjust" || role === "condition") {
    expect(at(1)).toBeNull();
    return;
  }
  expect(formatGuidance(at(1)!)).toBe(spec);
  const [{ method, ...options }] = at(0)!;
  const { strength } = methods[method];
  expect(options[strength]).toBe(off ?? 0);
});
