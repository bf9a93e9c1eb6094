import { UsageError } from "../../base/errors.ts";
import type { Method, MethodOption } from "../../guidance/method.ts";
import { methodNamed, methods } from "../../guidance/methods.ts";
import { optionsAlone } from "../../guidance/spec.ts";
import { type Io, print, printJson } from "../io.ts";
import { readOptions, common } from "../options.ts";

/** `fairlead methods [NAME]`: the guidance methods, or one with all its options. */
export function runMethods(io: Io, name: string | undefined, given: unknown): number {
  const { json } = readOptions({ json: common.json }, given);
  if (name === undefined) {
    if (json)
      printJson(
        io,
        Object.entries(methods).map(([key, method]) => described(key, method)),
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
  if (json) printJson(io, described(name, method));
  else for (const line of details(name, method)) print(io, line);
  return 0;
}

/** What the roles of methods are, in the order in which they act. */
const roles: Readonly<Record<Method["role"], string>> = {
  weak: "How a worse prediction is made:",
  combine: "How the two meet (WEAK~NAME, or NAME alone with cfg):",
  push: "Gradients:",
  adjust: "Corrections of what comes out:",
  condition: "Changes of the condition:",
};

function overview(): string[] {
  const width = Math.max(...Object.keys(methods).map((name) => name.length));
  const groups = Object.entries(roles).flatMap(([role, title]) => {
    const members = Object.values(methods).filter((method) => method.role === role);
    if (members.length === 0) return [];
    return [title, ...members.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`), ""];
  });
  return [
    ...groups,
    "In --guidance: METHOD:NUMBER,KEY=VALUE joined by +, as in cfg:2, apg:8,eta=0 or cfg:4,interval=0.2..2+pag:scale=3~apg; none is no guidance.",
    "A weight of 1 is off, a scale of 0 is off.",
    "All options of one: fairlead methods NAME",
  ];
}

function details(name: string, method: Method): string[] {
  const { summary, formula, needs, cost, when, published, space, source, strength } = method;
  const about = Object.entries({ formula, space, needs, cost, when, published, source }).map(
    ([key, text]) => `  ${key.padEnd(9)} ${text}`,
  );
  const lines = Object.entries(optionsAlone(method)).flatMap(([key, option]) => {
    const bare = key === strength ? ` (what a bare number sets, as in ${name}:${defaultText(option)})` : "";
    return [
      `  ${key}: ${option.meaning}${bare}`,
      `      ${option.values.wanted}; unit: ${option.unit}; default: ${defaultText(option)}`,
    ];
  });
  return [summary, ...about, "", "Options:", ...lines];
}

function described(name: string, method: Method) {
  const { role, summary, formula, needs, cost, adds, when, published, space, source, strength, off } = method;
  const options = Object.entries(optionsAlone(method)).map(([key, option]) => {
    const { meaning, unit, values } = option;
    return { name: key, meaning, unit, wanted: values.wanted, default: defaultText(option) };
  });
  return {
    ...{ name, role, summary, formula, space, needs, cost, adds, when, published, source, strength, off },
    options,
  };
}

function defaultText({ default: value, values }: MethodOption): string {
  return value === undefined ? "none" : values.write(value);
}
