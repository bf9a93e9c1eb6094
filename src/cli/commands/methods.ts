import { UsageError } from "../../base/errors.ts";
import type { Method } from "../../guidance/method.ts";
import { methodNamed, methods } from "../../guidance/methods.ts";
import { type Forms, methodPage, parts } from "../../guidance/page.ts";
import { type Io, print, printJson } from "../io.ts";
import { readOptions, common } from "../options.ts";

/** `fairlead methods [NAME]`: the guidance methods, or one with all its options. */
export function runMethods(io: Io, name: string | undefined, given: unknown): number {
  const { json } = readOptions({ json: common.json }, given);
  if (name === undefined) {
    if (json)
      printJson(
        io,
        Object.values(methods).map((method) => described(method)),
      );
    else for (const line of overview()) print(io, line);
    return 0;
  }
  const method = methodNamed(name);
  if (method === undefined) {
    throw new UsageError(
      `there is no guidance method "${name}"; there are ${Object.keys(methods).join(", ")}`,
    );
  }
  if (json) printJson(io, described(method));
  else for (const line of details(method)) print(io, line);
  return 0;
}

function overview(): string[] {
  const width = Math.max(...Object.keys(methods).map((name) => name.length));
  const groups = Object.entries(parts).flatMap(([role, { all }]) => {
    const members = Object.values(methods).filter((method) => method.role === role);
    if (members.length === 0) return [];
    return [`${all}:`, ...members.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`), ""];
  });
  return [
    ...groups,
    "In --guidance: METHOD:NUMBER,KEY=VALUE joined by +, as in cfg:2, apg:8,eta=0 or cfg:4,interval=0.2..2+pag:scale=3~apg; none is no guidance.",
    "A weight of 1 is off, a scale of 0 is off.",
    "All options of one: fairlead methods NAME",
  ];
}

function details(method: Method): string[] {
  const { name, summary, part, formula, forms, facts, options, example } = methodPage(method);
  const lines = options.flatMap((option) => [
    `  ${option.name}: ${option.meaning}${option.isStrength ? ` (what a bare number sets, as in ${name}:${option.default})` : ""}`,
    `      ${option.wanted}; unit: ${option.unit}; default: ${option.default}`,
  ]);
  const width = Math.max(...facts.map(([key]) => key.length));
  return [
    summary,
    ...[["is", part], ["formula", formula], ...facts].map(([key, text]) => `  ${key.padEnd(width)}  ${text}`),
    "",
    "Options:",
    ...lines,
    ...(forms ? ["", ...formLines(forms)] : []),
    "",
    `To see it at work: ${example.command}`,
    `What it asks for: fairlead explain "${example.spec}"`,
  ];
}

function formLines({ meaning, choices, default: usual }: Forms): string[] {
  return [
    `Forms: ${meaning}`,
    ...choices.map(({ form, formula }) => {
      const own = formula === null ? "" : `: ${formula}`;
      return `  form=${form}${form === usual ? " (default)" : ""}${own}`;
    }),
  ];
}

function described(method: Method) {
  const { role, adds, space, strength, off, needs, cost, when, published, source } = method;
  const { name, summary, formula, forms, options, example } = methodPage(method);
  return {
    ...{ name, role, summary, formula, space, needs, cost, adds, when, published, source, strength, off },
    ...{ forms, options, example },
  };
}
