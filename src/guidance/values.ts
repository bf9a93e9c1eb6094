import type { LayerSelection } from "../graph/perturb.ts";
import type { Interval } from "./interval.ts";
import type { WeightSpec } from "./schedules.ts";

/** A kind of option value: how it is read from text, checked and written back. */
export interface ValueKind<T> {
  /** For errors: "a finite number". */
  readonly wanted: string;
  /** All values, where they are few and have names. */
  readonly choices?: readonly T[];
  /** The value that the text means, still to be checked; undefined if it means none. */
  read(text: string): T | undefined;
  holds(value: unknown): value is T;
  /** Text that `read` turns into an equal value. */
  write(value: T): string;
}

const decimal = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

function readNumber(text: string): number | undefined {
  return decimal.test(text) ? Number(text) : undefined;
}

function isFinite(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

export const finiteNumber: ValueKind<number> = {
  wanted: "a finite number",
  read: readNumber,
  holds: isFinite,
  write: String,
};

/** Numbers in parentheses behind a word: beta(4|2|2). */
const shapes = /^(linear|cosine|beta|steps|rows)\((.*)\)$/;

/** A number, or a schedule by name. */
export const weightValues: ValueKind<WeightSpec> = {
  wanted: "a finite number or a schedule, such as linear(4)",
  read(text) {
    const [, kind, list] = shapes.exec(text) ?? [];
    if (kind === undefined) return readNumber(text);
    const numbers = list.split("|").map((item) => readNumber(item.trim()) ?? NaN);
    const [weight, a, b] = numbers;
    if (kind === "steps" || kind === "rows") return { kind, weights: numbers };
    if (numbers.length !== (kind === "beta" ? 3 : 1)) return undefined;
    return kind === "beta" ? { kind, weight, a, b } : { kind: kind as "linear" | "cosine", weight };
  },
  holds(value): value is WeightSpec {
    if (isFinite(value)) return true;
    const { kind, ...rest } = (value ?? {}) as Record<string, unknown>;
    if (kind === "steps" || kind === "rows") {
      const { weights } = rest;
      return Array.isArray(weights) && weights.length > 0 && weights.every(isFinite);
    }
    if (kind === "linear" || kind === "cosine") return isFinite(rest.weight);
    if (kind !== "beta") return false;
    return isFinite(rest.weight) && isFinite(rest.a) && isFinite(rest.b) && rest.a >= 1 && rest.b >= 1;
  },
  write(value) {
    if (typeof value === "number") return String(value);
    const { kind } = value;
    if (kind === "steps" || kind === "rows") return `${kind}(${value.weights.join("|")})`;
    if (kind === "beta") return `beta(${value.weight}|${value.a}|${value.b})`;
    return `${kind}(${value.weight})`;
  },
};

export const probability: ValueKind<number> = {
  wanted: "a probability from 0 to 1",
  read: readNumber,
  holds: (value): value is number => isFinite(value) && value >= 0 && value <= 1,
  write: String,
};

/** Probabilities joined by "|". */
export const probabilityList: ValueKind<readonly number[]> = {
  wanted: 'a probability from 0 to 1, or some joined by "|"',
  read: (text) => numberList.read(text),
  holds: (value): value is readonly number[] => numberList.holds(value) && value.every(probability.holds),
  write: (values) => values.join("|"),
};

/** Numbers joined by "|". */
export const numberList: ValueKind<readonly number[]> = {
  wanted: 'finite numbers joined by "|"',
  read: (text) => text.split("|").map((item) => readNumber(item.trim()) ?? NaN),
  holds: (value): value is readonly number[] =>
    Array.isArray(value) && value.length > 0 && value.every(isFinite),
  write: (values) => values.join("|"),
};

export const nonNegative: ValueKind<number> = {
  wanted: "a finite number from 0",
  read: readNumber,
  holds: (value): value is number => isFinite(value) && value >= 0,
  write: String,
};

export const positive: ValueKind<number> = {
  wanted: "a finite number above 0",
  read: readNumber,
  holds: (value): value is number => isFinite(value) && value > 0,
  write: String,
};

export const shareBelowOne: ValueKind<number> = {
  wanted: "a number above 0 and below 1",
  read: readNumber,
  holds: (value): value is number => isFinite(value) && value > 0 && value < 1,
  write: String,
};

export const oddNumber: ValueKind<number> = {
  wanted: "an odd number from 1",
  read: readNumber,
  holds: (value): value is number => isWhole(value) && value % 2 === 1,
  write: String,
};

export const positiveOrInf: ValueKind<number> = {
  wanted: "a number above 0, or inf",
  read: (text) => (text === "inf" ? Infinity : readNumber(text)),
  holds: (value): value is number => value === Infinity || (isFinite(value) && value > 0),
  write: (value) => (value === Infinity ? "inf" : String(value)),
};

/** Numbers of axes joined by "|". */
export const axisList: ValueKind<readonly number[]> = {
  ...numberList,
  wanted: 'whole numbers from 0 joined by "|"',
  holds: (value): value is readonly number[] => numberList.holds(value) && value.every(isWhole),
};

export const wholeNumber: ValueKind<number> = {
  wanted: "a whole number from 0",
  read: readNumber,
  holds: isWhole,
  write: String,
};

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** low..high in units of sigma; high may be "inf". */
export const sigmaInterval: ValueKind<Interval> = {
  wanted: "LOW..HIGH with 0 <= LOW < HIGH, as in 0.2..2 or 1..inf",
  read(text) {
    const match = /^(.+?)\.\.(.+)$/.exec(text);
    if (match === null) return undefined;
    const low = readNumber(match[1]);
    const high = match[2] === "inf" ? Infinity : readNumber(match[2]);
    return low === undefined || high === undefined ? undefined : { low, high };
  },
  holds(value): value is Interval {
    const { low, high } = (value ?? {}) as Partial<Interval>;
    return isFinite(low) && (isFinite(high) || high === Infinity) && low >= 0 && high > low;
  },
  write: ({ low, high }) => `${low}..${high === Infinity ? "inf" : high}`,
};

const word = /^[A-Za-z0-9._/-]+$/;
const digits = /^\d+$/;

/** Names, positions and indices joined by "|"; or "all". */
export const layerSelection: ValueKind<LayerSelection> = {
  wanted: 'layers joined by "|" (down, mid, up, part of a name, or an index from 0), or all',
  read(text) {
    if (text === "all") return "all";
    return text.split("|").map((layer) => (digits.test(layer) ? Number(layer) : layer));
  },
  holds(value): value is LayerSelection {
    if (value === "all") return true;
    return Array.isArray(value) && value.length > 0 && value.every(isLayer);
  },
  write: (layers) => (layers === "all" ? "all" : layers.join("|")),
};

function isLayer(layer: unknown): boolean {
  if (typeof layer === "number") return isWhole(layer);
  return typeof layer === "string" && word.test(layer) && !digits.test(layer) && layer !== "all";
}

/** A name of letters, digits and . _ / - */
export const name: ValueKind<string> = {
  wanted: "a name of letters, digits and . _ / -",
  read: (text) => text,
  holds: (value): value is string => typeof value === "string" && word.test(value),
  write: (value) => value,
};

const plainPath = /^[^\s"+~:,|]+$/;

/** A path. In double quotes it may hold what separates the parts of a spec, and spaces; a double quote it never holds. */
export const path: ValueKind<string> = {
  wanted:
    'a path, in double quotes if it has spaces or any of + ~ : , | in it, as in model="my models/a.onnx"',
  read: (text) => /^"(.*)"$/.exec(text)?.[1] ?? text,
  holds: (value): value is string => typeof value === "string" && value.trim() !== "" && !/["\n]/.test(value),
  write: (value) => (plainPath.test(value) ? value : `"${value}"`),
};

export function choice<T extends string>(...choices: readonly T[]): ValueKind<T> {
  return {
    wanted: `one of ${choices.join(", ")}`,
    choices,
    read: (text) => choices.find((one) => one === text),
    holds: (value): value is T => choices.includes(value as T),
    write: (value) => value,
  };
}
