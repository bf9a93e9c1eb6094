import { UsageError } from "../base/errors.ts";
import { methodNamed, methods } from "./methods.ts";
import type { Method, MethodOption, MethodSpec } from "./methods.ts";

/** A method by name with some of its options; the rest take their defaults. */
export interface PartialSpec {
  readonly method: string;
  readonly [key: string]: unknown;
}

/**
 * The methods that a text asks for, with every default filled in; [] for "none".
 *
 *   none | METHOD[:NUMBER][:KEY=VALUE,...] joined by +
 *
 * NUMBER is the method's strength: for cfg and autoguidance `weight` (1 is off), for pag and classifier `scale` (0 is
 * off). Examples: "cfg:4", "cfg:4,interval=0.2..2", "pag:3,layers=mid|0", "cfg:4+pag:scale=3".
 * Throws a UsageError that names what is unknown or wrong and lists what is known.
 */
export function parseGuidance(text: string): readonly MethodSpec[] {
  if (text.trim() === "none") return [];
  // A plus sign inside a number, as in 1e+3, is followed by a digit.
  return text.split(/\+(?!\d)/).map((part) => parseMethod(part.trim(), text));
}

/** The canonical text of a guidance; parsing it gives the same specs. Options at their defaults are left out. */
export function formatGuidance(specs: readonly MethodSpec[]): string {
  return specs.map(formatMethod).join("+") || "none";
}

/**
 * The spec with defaults for what is absent, its options in the catalogue's order.
 * Throws a UsageError for an unknown method, an unknown option, a wrong value, or options that exclude one another.
 */
export function completeSpec(given: PartialSpec): MethodSpec {
  const method = findMethod(given.method);
  const spec: Record<string, unknown> = { method: given.method };
  for (const key of Object.keys(given)) if (key !== "method") findOption(given.method, method, key);

  for (const [key, option] of Object.entries<MethodOption>(method.options)) {
    const isMissing = option.unless !== undefined && spec[option.unless[0]] === option.unless[1];
    if (isMissing && given[key] !== undefined) {
      throw new UsageError(`${given.method} has no ${key} with ${option.unless.join("=")}: leave ${key} out`);
    }
    const value = isMissing ? undefined : (given[key] ?? option.default);
    if (value === undefined) continue;
    if (!option.values.holds(value)) throw wrongValue(given.method, key, option, value);
    spec[key] = value;
  }

  const conflict = method.conflict?.(spec);
  if (conflict !== undefined) throw new UsageError(`${given.method}: ${conflict}`);
  return spec as unknown as MethodSpec;
}

function parseMethod(part: string, whole: string): MethodSpec {
  const [name, ...settings] = part.split(/[:,]/).map((item) => item.trim());
  if (name === "none") throw new UsageError(`none stands alone: write "none", or leave it out of "${whole}"`);
  const method = findMethod(name);
  const given: Record<string, unknown> = {};
  settings.forEach((setting, position) => {
    const at = setting.indexOf("=");
    if (at < 0 && position > 0)
      throw new UsageError(`"${setting}" in "${part}" is not KEY=VALUE; ${known(name, method)}`);
    const key = at < 0 ? method.strength : setting.slice(0, at).trim();
    const value = setting.slice(at + 1).trim();
    const option = findOption(name, method, key);
    if (Object.hasOwn(given, key)) throw new UsageError(`"${part}" gives ${key} twice: give it once`);
    given[key] = option.values.read(value);
    if (given[key] === undefined) throw wrongValue(name, key, option, value);
  });
  return completeSpec({ ...given, method: name });
}

function formatMethod(given: MethodSpec): string {
  const spec = completeSpec({ ...given }) as unknown as Record<string, unknown>;
  const method = findMethod(given.method);
  const settings = Object.entries<MethodOption>(method.options).flatMap(([key, option]) => {
    if (spec[key] === undefined) return [];
    const value = option.values.write(spec[key]);
    if (key === method.strength) return [value];
    const isDefault = option.default !== undefined && value === option.values.write(option.default);
    return isDefault ? [] : [`${key}=${value}`];
  });
  return `${given.method}:${settings.join(",")}`;
}

function findMethod(name: string): Method {
  const method = methodNamed(name);
  if (method !== undefined) return method;
  throw new UsageError(
    `unknown guidance method "${name}"; known: none, ${Object.keys(methods).join(", ")}; ` +
      'write METHOD:NUMBER,KEY=VALUE joined by +, as in "cfg:4+pag:3,layers=mid"',
  );
}

function findOption(name: string, method: Method, key: string): MethodOption {
  if (Object.hasOwn(method.options, key)) return method.options[key];
  throw new UsageError(`${name} has no option "${key}"; ${known(name, method)}`);
}

function known(name: string, method: Method): string {
  return `options of ${name}: ${Object.keys(method.options).join(", ")}`;
}

function wrongValue(method: string, key: string, option: MethodOption, value: unknown): UsageError {
  const isNumber = typeof value === "number"; // JSON has no NaN and no Infinity.
  return new UsageError(
    `${key} of ${method} must be ${option.values.wanted}, got ${isNumber ? String(value) : JSON.stringify(value)}`,
  );
}
