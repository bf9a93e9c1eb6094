import { UsageError } from "../base/errors.ts";
import type { Method, MethodOption } from "./method.ts";
import { methodNamed, methods } from "./methods.ts";
import type { MethodSpec } from "./methods.ts";

/** A method by name with some of its options; the rest take their defaults. */
export interface PartialSpec {
  readonly method: string;
  readonly [key: string]: unknown;
}

/** The weak method of a way to combine that stands alone: "apg:10" is "cfg:10~apg". */
const DEFAULT_WEAK = "cfg";

/**
 * The methods that a text asks for, with every default filled in; [] for "none".
 *
 *   none | METHOD[:NUMBER][:KEY=VALUE,...] joined by +
 *
 * NUMBER is the method's strength: a `weight` (1 is off) or a `scale` (0 is off), as the catalogue says. A weak method may be
 * followed by ~ and a way to combine: "pag:3~apg:eta=0"; a way to combine alone goes with cfg, and its number is the
 * weight: "apg:10,eta=0". Values in double quotes may hold any of these signs. Examples: "cfg:4", "cfg:4,interval=0.2..2", "pag:3,layers=mid|0", "cfg:4+pag:scale=3".
 * Throws a UsageError that names what is unknown or wrong and lists what is known.
 */
export function parseGuidance(text: string): readonly MethodSpec[] {
  if (text.trim() === "none") return [];
  // A plus sign inside a number, as in 1e+3, is followed by a digit.
  return splitOutside(text, /\+(?!\d)/g).map((part) => parsePart(part.trim(), text));
}

/** The canonical text of a guidance; parsing it gives the same specs. Options at their defaults are left out. */
export function formatGuidance(specs: readonly MethodSpec[]): string {
  return specs.map(formatPart).join("+") || "none";
}

/**
 * The spec with defaults for what is absent, its options in the catalogue's order.
 * Throws a UsageError for an unknown method, an unknown option, a wrong value, or options that exclude one another.
 */
export function completeSpec(given: PartialSpec): MethodSpec {
  const method = findMethod(given.method);
  if (method.role === "combine") {
    const own = pick(given, Object.keys(method.options));
    const rest = Object.fromEntries(Object.entries(given).filter(([key]) => !Object.hasOwn(own, key)));
    return completeSpec({ ...rest, method: DEFAULT_WEAK, combine: { ...own, method: given.method } });
  }
  if (given.combine === undefined) return completeOptions(given, method, method.name);
  const { combine, ...weak } = given;
  return {
    ...completeOptions(weak, method, method.name),
    combine: completeCombine(combine as PartialSpec, method),
  };
}

function completeCombine(given: PartialSpec, weak: Method): MethodSpec {
  const method = findMethod(given.method);
  if (method.role !== "combine" || weak.role !== "weak") {
    throw new UsageError(
      `"${weak.name}~${method.name}" is no weak method and a way to combine; ` +
        `weak methods: ${namesOf("weak")}; ways to combine: ${namesOf("combine")}`,
    );
  }
  return completeOptions(given, method, method.name);
}

function completeOptions(given: PartialSpec, method: Method, name: string): MethodSpec {
  const spec: Record<string, unknown> = { method: name };
  for (const key of Object.keys(given)) if (key !== "method") findOption(method, key);

  for (const [key, option] of Object.entries(method.options)) {
    const [other, values] = option.only ?? ["", []];
    const isMissing = option.only !== undefined && !values.includes(String(spec[other]));
    if (isMissing && given[key] !== undefined) {
      throw new UsageError(`${name} has no ${key} with ${other}=${String(spec[other])}: leave ${key} out`);
    }
    const value = isMissing ? undefined : (given[key] ?? option.default);
    if (value === undefined) continue;
    if (!option.values.holds(value)) throw wrongValue(name, key, option, value);
    spec[key] = value;
  }

  const conflict = method.conflict?.(spec);
  if (conflict !== undefined) throw new UsageError(`${name}: ${conflict}`);
  return spec as unknown as MethodSpec;
}

/** The pieces of a text between the matches of `separator` that are not inside double quotes. */
function splitOutside(text: string, separator: RegExp): string[] {
  const masked = text.replace(/"[^"]*"/g, (quoted) => " ".repeat(quoted.length));
  const ends = [...masked.matchAll(separator)].map((match) => [match.index, match.index + match[0].length]);
  const starts = [0, ...ends.map(([, end]) => end)];
  return starts.map((start, i) => text.slice(start, ends[i]?.[0]));
}

/** WEAK[:...][~COMBINE[:...]], or a method of another role. */
function parsePart(part: string, whole: string): MethodSpec {
  const [head, combine, ...more] = splitOutside(part, /~/g).map((piece) => piece.trim());
  if (more.length > 0) throw new UsageError(`"${brief(part)}" combines twice: write one ~, as in cfg:4~apg`);
  const spec = parseSettings(head, whole);
  if (combine === undefined) return completeSpec(spec);
  const { method, ...options } = parseSettings(combine, whole);
  if (findMethod(spec.method).role === "combine")
    throw new UsageError(`"${brief(part)}" combines twice: write WEAK~${method}, as in cfg:4~${method}`);
  return completeSpec({ ...spec, combine: { ...options, method } });
}

function parseSettings(piece: string, whole: string): PartialSpec {
  const [name, ...settings] = splitOutside(piece, /[:,]/g).map((item) => item.trim());
  if (name === "")
    throw new UsageError(
      `"${brief(whole)}" has no method where one is wanted: write none, or METHOD:NUMBER,KEY=VALUE joined by +, as in "cfg:4+pag:3,layers=mid"`,
    );
  if (name === "none")
    throw new UsageError(`none stands alone: write "none", or leave it out of "${brief(whole)}"`);
  const method = findMethod(name);
  const options = optionsAlone(method);
  const strength = method.role === "combine" ? methods[DEFAULT_WEAK].strength : method.strength;
  const given: Record<string, unknown> = {};
  settings.forEach((setting, position) => {
    const at = setting.indexOf("=");
    if (at < 0 && position > 0)
      throw new UsageError(
        `"${brief(setting)}" in "${brief(piece)}" is not KEY=VALUE; ${known(name, options)}`,
      );
    const key = at < 0 ? strength : setting.slice(0, at).trim();
    const value = setting.slice(at + 1).trim();
    const option = Object.hasOwn(options, key) ? options[key] : findOption(method, key);
    if (Object.hasOwn(given, key)) throw new UsageError(`"${brief(piece)}" gives ${key} twice: give it once`);
    given[key] = option.values.read(value);
    // What is wrong is shown as it was written.
    if (!option.values.holds(given[key])) throw wrongValue(name, key, option, value);
  });
  return { ...given, method: name };
}

/** What may be written behind a method: a way to combine also takes cfg's options. */
export function optionsAlone(method: Method): Readonly<Record<string, MethodOption>> {
  return method.role === "combine" ? { ...methods[DEFAULT_WEAK].options, ...method.options } : method.options;
}

function formatPart(given: MethodSpec): string {
  const { combine, ...weak } = completeSpec({ ...given }) as MethodSpec & PartialSpec;
  const method = findMethod(weak.method);
  const settings = settingsOf(weak, method, true);
  if (!combine) return `${weak.method}:${settings.join(",")}`;
  const combined = settingsOf(combine, findMethod(combine.method), false);
  if (weak.method === DEFAULT_WEAK) return `${combine.method}:${[...settings, ...combined].join(",")}`;
  return `${weak.method}:${settings.join(",")}~${[combine.method, ...(combined.length > 0 ? [combined.join(",")] : [])].join(":")}`;
}

function settingsOf(spec: MethodSpec, method: Method, withStrength: boolean): string[] {
  return Object.entries(method.options).flatMap(([key, option]) => {
    if (spec[key] === undefined) return [];
    const value = option.values.write(spec[key]);
    if (withStrength && key === method.strength) return [value];
    const isDefault = option.default !== undefined && value === option.values.write(option.default);
    return isDefault ? [] : [`${key}=${value}`];
  });
}

function pick(given: PartialSpec, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([key]) => keys.includes(key)));
}

const namesOf = (role: Method["role"]): string =>
  Object.values(methods)
    .filter((method) => method.role === role)
    .map(({ name }) => name)
    .join(", ");

function findMethod(name: string): Method {
  const method = methodNamed(name);
  if (method !== undefined) return method;
  throw new UsageError(
    `unknown guidance method "${brief(name)}"; known: none, ${Object.keys(methods).join(", ")}; ` +
      'write METHOD:NUMBER,KEY=VALUE joined by +, as in "cfg:4+pag:3,layers=mid"',
  );
}

function findOption(method: Method, key: string): MethodOption {
  if (Object.hasOwn(method.options, key)) return method.options[key];
  throw new UsageError(
    `${method.name} has no option "${brief(key)}"; ${known(method.name, optionsAlone(method))}`,
  );
}

function known(name: string, options: Readonly<Record<string, unknown>>): string {
  return `options of ${name}: ${Object.keys(options).join(", ")}`;
}

function wrongValue(method: string, key: string, option: MethodOption, value: unknown): UsageError {
  const isNumber = typeof value === "number"; // JSON has no NaN and no Infinity.
  return new UsageError(
    `${key} of ${method} must be ${option.values.wanted}, got ${isNumber ? String(value) : brief(JSON.stringify(value))}`,
  );
}

/** A text short enough for a sentence. */
const brief = (text: string): string => (text.length > 80 ? `${text.slice(0, 77)}...` : text);
