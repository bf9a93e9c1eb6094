import { UsageError } from "../base/errors.ts";
import { type Perturbation, checkPerturbation } from "../graph/perturb.ts";

/**
 * A perturbation as people type it: KIND[:KEY=VALUE,...], as in "identity:layers=mid" or "blur-queries:sigma=inf,layers=mid|up".
 * Layers default to all. Throws UsageError that lists the kinds, or the options of one.
 */
export function parsePerturbation(text: string): Perturbation {
  const [kind, ...settings] = text.split(/[:,]/).map((part) => part.trim());
  const how: Record<string, unknown> = { kind };
  for (const setting of settings) {
    const [, key, value] = /^([^=]+)=(.*)$/.exec(setting) ?? [];
    if (key === undefined)
      throw new UsageError(`"${setting}" in "${text}" is not KEY=VALUE, as in identity:layers=mid`);
    how[key] = valueOf(key, value);
  }
  if (kind !== "weight-noise") how.layers ??= "all";
  checkPerturbation(how as unknown as Perturbation);
  return how as unknown as Perturbation;
}

const decimal = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

function valueOf(key: string, text: string): unknown {
  if (key === "layers" || key === "weights") return text === "all" ? "all" : text.split("|").map(scalarOf);
  if (key === "grid") return text.split("x").map(scalarOf);
  if (key === "u" && text.includes("|")) return text.split("|").map(scalarOf);
  return scalarOf(text);
}

function scalarOf(text: string): string | number {
  if (text === "inf") return Infinity;
  return decimal.test(text) ? Number(text) : text;
}
