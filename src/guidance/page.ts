import { type Example, exampleCommand, exampleOf } from "./example.ts";
import type { Method, MethodOption } from "./method.ts";
import { completeSpec, optionsAlone } from "./spec.ts";

/** What there is to say of a method, in the order in which it is said. Made of its entry in the catalogue. */
export interface MethodPage {
  readonly name: string;
  readonly summary: string;
  /** What part it plays: "a weak prediction", "a way to combine", ... */
  readonly part: string;
  readonly formula: string;
  /** Readings of it that differ: the paper's, another program's, ...; null: there is one. */
  readonly forms: Forms | null;
  /** Names and texts: what it needs, what it costs, when to use it, ... */
  readonly facts: readonly (readonly [name: string, text: string])[];
  readonly options: readonly OptionRow[];
  readonly example: Example & { readonly command: string };
}

/** The choices of the option `form`. */
export interface Forms {
  readonly meaning: string;
  /** Each choice, and its formula where that is another one or the default's. */
  readonly choices: readonly { readonly form: string; readonly formula: string | null }[];
  readonly default: string;
}

export interface OptionRow {
  readonly name: string;
  readonly meaning: string;
  readonly wanted: string;
  readonly unit: string;
  readonly default: string;
  /** Whether a bare number sets it. */
  readonly isStrength: boolean;
}

/** What the roles of methods are called. */
export const parts: Readonly<Record<Method["role"], { readonly one: string; readonly all: string }>> = {
  weak: { one: "a weak prediction", all: "How a worse prediction is made" },
  combine: {
    one: "a way in which two predictions meet",
    all: "How the two meet (WEAK~NAME, or NAME alone with cfg)",
  },
  push: { one: "a push along a gradient", all: "Gradients" },
  adjust: { one: "a correction of what comes out", all: "Corrections of what comes out" },
  condition: { one: "a change of the condition", all: "Changes of the condition" },
};

/** The page of a method. */
export function methodPage(method: Method): MethodPage {
  const { name, role, summary, formula, needs, cost, when, published, source, space } = method;
  const options = Object.entries(optionsAlone(method)).map(([key, option]) => optionRow(key, option, method));
  return {
    name,
    summary,
    part: parts[role].one,
    formula,
    forms: formsOf(method),
    facts: [
      ["needs", needs],
      ["costs", cost],
      ["when", when],
      ["off", offText(method, options)],
      ["default", defaultText(options)],
      ["published", published],
      ["space", space === "any" ? "any: it is linear, so that all are the same" : space],
      ["source", source],
    ],
    options,
    example: { ...exampleOf(method), command: exampleCommand(method) },
  };
}

function optionRow(
  name: string,
  { meaning, unit, values, default: value }: MethodOption,
  method: Method,
): OptionRow {
  const strength = method.role === "combine" ? "weight" : method.strength;
  return {
    ...{ name, meaning, unit, wanted: values.wanted, isStrength: name === strength },
    default: value === undefined ? "none" : values.write(value),
  };
}

function offText({ strength, off }: Method, options: readonly OptionRow[]): string {
  if (off === null) return "it acts at every strength";
  const bare = options.find(({ isStrength }) => isStrength)?.name === strength;
  return `${strength} ${off}${bare ? "" : `, as in ${strength}=${off}`}`;
}

function defaultText(options: readonly OptionRow[]): string {
  const given = options.filter(({ default: value }) => value !== "none");
  return given.map(({ name, default: value }) => `${name} ${value}`).join(", ");
}

function formsOf(method: Method): Forms | null {
  const { form } = method.options;
  const choices = form?.values.choices as readonly string[] | undefined;
  if (choices === undefined) return null;
  return {
    meaning: form.meaning,
    default: String(form.default),
    choices: choices.map((choice) => {
      const own = method.formulaWith?.(completeSpecOf(method, choice));
      return { form: choice, formula: own ?? (choice === form.default ? method.formula : null) };
    }),
  };
}

/** The method's own options with another form. */
function completeSpecOf({ name, role }: Method, form: string): Readonly<Record<string, unknown>> {
  const spec = completeSpec({ method: name, form });
  return role === "combine" ? spec.combine! : spec;
}
