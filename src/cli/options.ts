import { z } from "zod";
import { UsageError } from "../base/errors.ts";
import { deviceChoices } from "../runtime/devices.ts";
import { parseSeeds } from "./seeds.ts";

/** An option's text read by `read`; undefined: it is not what was wanted. */
function reading<T>(wanted: string, read: (text: string) => T | undefined) {
  return z.string().transform((text, context): T => {
    const value = read(text.trim());
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: wanted });
    return z.NEVER;
  });
}

const decimal = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

export const wholeNumber = (least: number, most = Number.MAX_SAFE_INTEGER) =>
  reading(
    `a whole number ${most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `of ${least} or more`}`,
    (text) => {
      const value = /^\d+$/.test(text) ? Number(text) : NaN;
      return Number.isSafeInteger(value) && value >= least && value <= most ? value : undefined;
    },
  );

/** Steps of a sampling; more are a mistake in writing. */
export const stepCount = wholeNumber(1, 100_000);

export const positiveNumber = reading("a number above 0", (text) => {
  const value = decimal.test(text) ? Number(text) : NaN;
  return value > 0 && Number.isFinite(value) ? value : undefined;
});

export const seeds = z.string().transform(parseSeeds);

/** key=value pairs as an object, each key once; values that are numbers become such. */
export const settings = z.array(z.string()).transform((pairs, context): Record<string, number | string> => {
  const entries = pairs.map((pair): [string, number | string] => {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
    if (key === undefined) {
      context.addIssue({ code: "custom", message: "key=value such as churn=40", input: pair });
      return ["", ""];
    }
    const number = decimal.test(value.trim()) ? Number(value) : NaN;
    // What is too large for a number stays a text, which no option takes for one.
    return [key.trim(), Number.isFinite(number) ? number : value.trim()];
  });
  for (const [i, [key]] of entries.entries()) {
    if (key === "noise")
      context.addIssue({ code: "custom", message: "no noise: --generator says whose numbers are drawn" });
    if (entries.findIndex(([other]) => other === key) < i)
      context.addIssue({ code: "custom", message: `each key once, not ${key} twice` });
  }
  return Object.fromEntries(entries);
});

export const device = z.enum(deviceChoices, { error: "auto, cpu, webgpu or cuda" });

/** Options that several commands share. */
export const common = {
  threads: wholeNumber(1, 1024).optional(),
  device: device.optional(),
  json: z.boolean().default(false),
  quiet: z.boolean().default(false),
};

/** Options that are written to a folder. */
export const output = {
  out: z.string().min(1, "the name of a folder").optional(),
  overwrite: z.boolean().default(false),
};

/**
 * A command's options, checked once and read.
 * Throws UsageError: "--steps wants a whole number of 1 or more, got "x"".
 */
export function readOptions<Shape extends z.ZodRawShape>(
  shape: Shape,
  options: unknown,
): z.output<z.ZodObject<Shape, z.core.$strict>> {
  const result = z.strictObject(shape).safeParse(options);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = String(issue.path[0]);
  const came = (options as Record<string, unknown>)[key];
  throw new UsageError(`--${flagOf(key)} wants ${issue.message}, got ${shown(came)}`);
}

/** sigmaMin -> sigma-min */
export function flagOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function shown(value: unknown): string {
  return Array.isArray(value) ? value.map((part) => JSON.stringify(part)).join(" ") : JSON.stringify(value);
}
