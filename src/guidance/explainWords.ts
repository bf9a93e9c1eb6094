import type { Branch } from "../diffusion/denoiser.ts";
import type { Interval } from "./interval.ts";
import type { Method } from "./method.ts";
import { methods } from "./methods.ts";
import type { MethodSpec } from "./methods.ts";
import type { WeightSpec } from "./schedules.ts";

/** "where 0.2 < sigma <= 2", "at every sigma". */
export function intervalWords({ low, high }: Interval): string {
  const [from, to] = [low, high].map(sigmaText);
  if (low === 0 && high === Infinity) return "at every sigma";
  if (high === Infinity) return `where sigma > ${from}`;
  return low === 0 ? `where sigma <= ${to}` : `where ${from} < sigma <= ${to}`;
}

/** A noise level, with six digits at most. */
export const sigmaText = (sigma: number): string => String(Number(sigma.toPrecision(6)));

/** What else a branch may say of how its network is asked. */
const fieldWords: Readonly<Record<keyof Omit<Branch<unknown>, "condition" | "perturbation">, string>> = {
  told: "told another noise level",
  conditionNoise: "with noise on the condition's embedding",
  levelNoise: "with noise on the noise level's embedding",
};

/** How a network is asked: "with the condition, identity (layers mid)". `condition` is the one that sampling is given. */
export function branchWords<C>({ condition: asked, perturbation, ...rest }: Branch<C>, condition: C | null) {
  const words = [];
  if (condition !== null) {
    const other = asked === null ? "without the condition" : "with another condition";
    words.push(asked === condition ? "with the condition" : other);
  }
  if (perturbation) {
    const { kind, ...options } = perturbation;
    words.push(`with ${kind}${optionWords(options)}`);
  }
  for (const key of Object.keys(fieldWords) as (keyof typeof fieldWords)[])
    if (rest[key] !== undefined) words.push(fieldWords[key]);
  return words.join(", ");
}

function optionWords(options: object): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.length === 0 ? "" : ` (${given.map(([key, value]) => `${key} ${shown(value)}`).join(", ")})`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join("|");
  if (typeof value === "number" || typeof value === "string") return String(value);
  return JSON.stringify(value);
}

/** The method's formula in the catalogue with the numbers of the spec in it. A schedule stays a name: weight(sigma). */
export function formulaOf({ combine, ...spec }: MethodSpec): string {
  const method = methods[spec.method];
  if (!combine) return withNumbers(method.formulaWith?.(spec) ?? method.formula, numbersOf(spec, method));
  // Ways to combine speak of the weight; a scale is a weight less 1.
  const weight = shifted(spec[method.strength] as WeightSpec, 1 - (method.off ?? 1));
  const other = methods[combine.method];
  const formula = other.formulaWith?.(combine) ?? other.formula;
  return withNumbers(formula, { ...numbersOf(combine, other), weight: numberText("weight", weight)! });
}

function numbersOf(spec: MethodSpec, { options }: Method): Record<string, string> {
  const texts = Object.keys(options).map((key) => [key, numberText(key, spec[key])] as const);
  return Object.fromEntries(texts.filter((pair): pair is readonly [string, string] => pair[1] !== undefined));
}

function withNumbers(formula: string, numbers: Readonly<Record<string, string>>): string {
  return formula.replace(/[A-Za-z_]\w*/g, (word) => (Object.hasOwn(numbers, word) ? numbers[word] : word));
}

function numberText(key: string, value: unknown): string | undefined {
  if (typeof value === "number") return value < 0 ? `(${value})` : String(value);
  const { kind } = (value ?? {}) as { kind?: unknown };
  if (kind === "steps") return `${key}[step]`;
  if (kind === "rows") return `${key}[sample]`;
  return typeof kind === "string" ? `${key}(sigma)` : undefined;
}

function shifted(spec: WeightSpec, by: number): WeightSpec {
  return typeof spec === "number" ? spec + by : spec;
}
