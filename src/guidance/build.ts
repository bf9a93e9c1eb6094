import { UsageError } from "../base/errors.ts";
import { compose } from "./guidance.ts";
import type { Base, Guidance, Part } from "./guidance.ts";
import { type Interval, inInterval } from "./interval.ts";
import type { CombineMethod, Company } from "./method.ts";
import { methods } from "./methods.ts";
import type { MethodSpec } from "./methods.ts";
import type { GuidanceResources } from "./resources.ts";
import { type WeightSpec, weightOf } from "./schedules.ts";
import { completeSpec, formatGuidance, parseGuidance } from "./spec.ts";
import { isOff, weightAt } from "./weight.ts";

/**
 * The guidance that `spec` asks for (text as for `parseGuidance`, or specs), made from what the model offers; give it
 * to `guide`. Its label is the canonical text.
 * Throws a UsageError that says what the model lacks and what to do, also for a method that is off.
 */
export function buildGuidance<C>(
  spec: string | readonly MethodSpec[],
  resources: GuidanceResources<C>,
): Guidance<C> {
  const given = typeof spec === "string" ? parseGuidance(spec) : spec;
  const specs = given.map((one) => completeSpec({ ...one }));
  const company = { methods: specs.map(({ method }) => method), cfgActs: whenCfgActs(specs) };
  const guidance = compose<C>(
    specs.map((one) => partOf(one, resources, company)),
    {
      label: formatGuidance(specs),
      base: resources.conditional ? undefined : "null",
      unconditional: resources.conditional ? resources.unconditional : undefined,
    },
  );
  checkBase(specs, guidance.base, resources);
  return guidance;
}

function whenCfgActs(specs: readonly MethodSpec[]): Company["cfgActs"] {
  const terms = specs
    .filter(({ method }) => method === "cfg" || method === "negative")
    .map(({ weight, interval }) => ({
      weight: weightOf(weight as WeightSpec),
      interval: interval as Interval,
    }));
  return (sigma, step) =>
    terms.some(({ weight, interval }) => {
      if (!inInterval(sigma, interval)) return false;
      const rows = Array.isArray(weight) ? weight.length : 1;
      return !isOff(weightAt(weight, sigma, step, rows));
    });
}

function partOf<C>(
  { combine, ...spec }: MethodSpec,
  resources: GuidanceResources<C>,
  company: Company,
): Part<C> {
  const method = methods[spec.method];
  switch (method.role) {
    case "weak": {
      const term = method.make(spec, resources, company);
      if (!combine) return term;
      return {
        ...term,
        method: combine.method,
        combine: (methods[combine.method] as CombineMethod).make(combine),
      };
    }
    case "push":
    case "condition":
      return method.make(spec, resources);
    case "adjust":
      return method.make(spec);
    case "combine":
      throw new UsageError(`${spec.method} combines two predictions: complete the spec first`);
  }
}

/** Refuses a strong prediction that the model cannot make, or that another method makes pointless. */
function checkBase<C>(specs: readonly MethodSpec[], base: Base, resources: GuidanceResources<C>): void {
  const pushes = specs.filter(({ method }) => methods[method].role === "push");
  if (!resources.conditional) {
    const pushed = pushes.find((spec) => spec.base === "condition");
    if (!pushed) return;
    throw new UsageError(
      `${pushed.method}: base=condition needs a conditional network; this model's is unconditional`,
    );
  }
  if (base === "condition") return;
  if (specs.some((spec) => spec.method === "cfg")) {
    throw new UsageError("cfg has no condition to drop with base=null: leave out base=null, or cfg");
  }
  if (resources.unconditional === undefined && resources.nullCondition === false) {
    throw new UsageError(
      `${pushes.map(({ method }) => method).join(", ")} starts from an unconditional prediction here, and this model has none (no ` +
        "condition dropout, no unconditional network). Write base=condition",
    );
  }
}
