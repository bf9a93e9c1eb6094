import { methods } from "./methods.ts";
import type { MethodSpec } from "./methods.ts";
import type { WeightSpec } from "./schedules.ts";

/**
 * The guidance with the strengths of its weak methods and gradients `factor` times as far from off; corrections and changes of the
 * condition stay. Numbers are rounded to four digits. null where nothing has a strength.
 *
 *   strength' = off + factor*(strength - off)
 */
export function scaleStrength(specs: readonly MethodSpec[], factor: number): readonly MethodSpec[] | null {
  let found = false;
  const scaled = specs.map((spec) => {
    const { role, strength, off } = methods[spec.method];
    if (role !== "weak" && role !== "push") return spec;
    found = true;
    const zero = offOf(spec, off);
    const value = scaleWeight(spec[strength] as WeightSpec, (one) => rounded(zero + factor * (one - zero)));
    return { ...spec, [strength]: value };
  });
  return found ? scaled : null;
}

/** Where a strength moves nothing away from the weak prediction's own: CFG++ is never off, and 0 is its weak prediction. */
function offOf({ combine }: MethodSpec, off: number | null): number {
  return combine && methods[combine.method].off === null ? 0 : (off ?? 0);
}

function scaleWeight(spec: WeightSpec, scale: (weight: number) => number): WeightSpec {
  if (typeof spec === "number") return scale(spec);
  if (spec.kind === "steps" || spec.kind === "rows") return { ...spec, weights: spec.weights.map(scale) };
  return { ...spec, weight: scale(spec.weight) };
}

const rounded = (value: number): number => Number(value.toPrecision(4));
