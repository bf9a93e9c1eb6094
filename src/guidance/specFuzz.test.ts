import { expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { type Stream, philox } from "../base/philox.ts";
import { type Method, type MethodOption } from "./method.ts";
import { methods } from "./methods.ts";
import { formatGuidance, parseGuidance } from "./spec.ts";

const pick = <T>(list: readonly T[], stream: Stream): T => list[stream.integer(list.length)];
const all = Object.values(methods) as readonly Method[];
const byRole = (role: Method["role"]) => all.filter((method) => method.role === role);

/** Texts that some option takes; each option takes those that it reads and holds. */
const VALUES = [
  ...[
    "0",
    "1",
    "2",
    "3",
    "0.5",
    "-1.5",
    "1e-3",
    "1e+3",
    ".25",
    "16",
    "inf",
    "true",
    "false",
    "all",
    "mid",
    "up|0|down",
  ],
  ...[
    "linear(4)",
    "cosine(-2)",
    "beta(4|2|1.5)",
    "steps(1|2|0.5)",
    "rows(1|2)",
    "0.2..2",
    "0..inf",
    "1|0.5",
    "early",
  ],
  ...["a/b.onnx", '"a b,c+d~e:f.onnx"', "null", "condition"],
];

function valueOf({ values, default: given }: MethodOption, stream: Stream): string | undefined {
  const texts = [...VALUES, ...(values.choices ?? []).map(String)].filter((text) =>
    values.holds(values.read(text)),
  );
  if (texts.length > 0) return pick(texts, stream);
  return given === undefined ? undefined : values.write(given);
}

function settingsOf(method: Method, stream: Stream): string {
  const settings = Object.entries(method.options).flatMap(([key, option]) => {
    const value = stream.integer(2) === 0 ? valueOf(option, stream) : undefined;
    return value === undefined ? [] : [`${key}=${value}`];
  });
  return [method.name, ...(settings.length > 0 ? [settings.join(",")] : [])].join(":");
}

/** An expression of one to three methods, each with some options; it may contradict itself. */
function expression(stream: Stream): string {
  const parts = Array.from({ length: 1 + stream.integer(3) }, () => {
    const method = pick(all, stream);
    const combine =
      method.role === "weak" && stream.integer(3) === 0 ? pick(byRole("combine"), stream) : undefined;
    return settingsOf(method, stream) + (combine ? `~${settingsOf(combine, stream)}` : "");
  });
  return parts.join("+");
}

const SIGNS = [
  "+",
  "~",
  ":",
  ",",
  "=",
  "|",
  '"',
  "(",
  ")",
  "..",
  " ",
  "\n",
  "\0",
  "-",
  "e",
  "9",
  "NaN",
  "none",
  "__proto__",
  "é",
];

/** The text with one to four pieces lost, doubled, replaced or put in. */
function damaged(text: string, stream: Stream): string {
  let out = text;
  for (let i = 1 + stream.integer(4); i > 0; i--) {
    const at = stream.integer(out.length + 1);
    const end = at + stream.integer(4);
    const piece = pick([pick(SIGNS, stream), "", out.slice(at, end).repeat(2)], stream);
    out = out.slice(0, at) + piece + out.slice(end);
  }
  return out;
}

/** Parses, or is refused in a sentence. */
function parsed(text: string): ReturnType<typeof parseGuidance> | undefined {
  try {
    return parseGuidance(text);
  } catch (error) {
    expect(error, `${JSON.stringify(text)}: ${String(error)}`).toBeInstanceOf(UsageError);
    expect((error as Error).message.length, text).toBeLessThan(1500);
    return undefined;
  }
}

test("2000 random expressions: the canonical text means the same, and is its own canonical text", () => {
  const stream = philox(1, 0);
  const seen = new Set<string>();
  let count = 0;
  for (let i = 0; i < 2000; i++) {
    const text = expression(stream);
    const specs = parsed(text);
    if (specs === undefined) continue;
    const canonical = formatGuidance(specs);
    expect(parseGuidance(canonical), text).toEqual(specs);
    expect(formatGuidance(parseGuidance(canonical)), text).toBe(canonical);
    for (const { method, combine } of specs)
      [method, combine?.method].forEach((name) => name && seen.add(name));
    count++;
  }
  // Some contradict themselves; every method was among the others.
  expect(count).toBeGreaterThan(1000);
  expect([...seen].sort()).toEqual(Object.keys(methods).sort());
});

test("4000 damaged expressions parse to what their canonical text means, or are refused in a sentence", () => {
  const stream = philox(2, 0);
  let refused = 0;
  for (let i = 0; i < 4000; i++) {
    const text = damaged(expression(stream), stream);
    const specs = parsed(text);
    if (specs) expect(parseGuidance(formatGuidance(specs)), JSON.stringify(text)).toEqual(specs);
    else refused++;
  }
  expect(refused).toBeGreaterThan(1000);
  expect(refused).toBeLessThan(4000);
});
