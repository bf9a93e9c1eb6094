import { UsageError } from "../../base/errors.ts";
import type { Method, MethodOption } from "../../guidance/method.ts";
import { methodNamed, methods } from "../../guidance/methods.ts";
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

function overview(): string[] {
  const width = Math.max(...Object.keys(methods).map((name) => name.length));
  return [
    ...Object.entries<Method>(methods).map(([name, { summary }]) => `${name.padEnd(width)}  ${summary}`),
    "",
    "In --guidance: METHOD:NUMBER,KEY=VALUE joined by +, as in cfg:2 or cfg:4,interval=0.2..2+pag:scale=3; none is no guidance.",
    "A weight of 1 is off (cfg, autoguidance); a scale of 0 is off (pag, classifier).",
    "All options of one: fairlead methods NAME",
  ];
}

function details(
  name: string,
  { summary, formula, needs, cost, source, strength, options }: Method,
): string[] {
  const about = Object.entries({ formula, needs, cost, source }).map(
    ([key, text]) => `  ${key.padEnd(8)} ${text}`,
  );
  const lines = Object.entries(options).flatMap(([key, option]) => {
    const bare = key === strength ? ` (what a bare number sets, as in ${name}:${defaultText(option)})` : "";
    return [
      `  ${key}: ${option.meaning}${bare}`,
      `      ${option.values.wanted}; unit: ${option.unit}; default: ${defaultText(option)}`,
    ];
  });
  return [summary, ...about, "", "Options:", ...lines];
}

function described(name: string, method: Method) {
  const { summary, formula, needs, cost, source, strength } = method;
  const options = Object.entries(method.options).map(([key, option]) => {
    const { meaning, unit, values } = option;
    return { name: key, meaning, unit, wanted: values.wanted, default: defaultText(option) };
  });
  return { name, summary, formula, needs, cost, source, strength, options };
}

function defaultText({ default: value, values }: MethodOption): string {
  return value === undefined ? "none" : values.write(value);
}
