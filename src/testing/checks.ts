/** Assertions for suites that run in a page or a child process too, where there is no vitest: each throws what is wrong. */

/** Throws unless both are equal, structure and all: arrays by kind and elements, objects by their own entries. */
export function checkEqual(got: unknown, want: unknown, what = "value"): void {
  const [shownGot, shownWant] = [shown(got), shown(want)];
  if (shownGot !== shownWant) throw new Error(`${what}: got ${shownGot}, wanted ${shownWant}`);
}

/** Throws unless |got - want| <= abs + rel |want| for every element; NaN never passes. */
export function checkClose(
  got: ArrayLike<number | bigint>,
  want: ArrayLike<number | bigint>,
  { abs = 0, rel = 0 }: { readonly abs?: number; readonly rel?: number },
  what = "value",
): void {
  if (got.length !== want.length) throw new Error(`${what}: got ${got.length} values, wanted ${want.length}`);
  for (let i = 0; i < got.length; i++) {
    const [a, b] = [Number(got[i]), Number(want[i])];
    if (!(Math.abs(a - b) <= abs + rel * Math.abs(b))) {
      throw new Error(`${what}[${i}]: got ${a}, wanted ${b} within abs ${abs}, rel ${rel}`);
    }
  }
}

/** Throws unless the promise rejects with an error of this class and a message that fits. */
export async function checkRejects(
  promise: Promise<unknown>,
  kind: new (message: string) => Error,
  message: RegExp,
): Promise<void> {
  const error = await promise.then(
    () => null,
    (reason: Error) => reason,
  );
  if (error === null) throw new Error(`nothing was thrown, wanted ${message}`);
  if (!(error instanceof kind) || !message.test(error.message)) {
    throw new Error(`got ${error.name}: ${error.message}, wanted a ${kind.name} with ${message}`);
  }
}

function shown(value: unknown): string {
  if (ArrayBuffer.isView(value)) {
    const elements = Array.from(value as unknown as ArrayLike<number | bigint>, String);
    return `${value.constructor.name}(${elements.join(", ")})`;
  }
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`;
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{ ${entries.map(([key, entry]) => `${key}: ${shown(entry)}`).join(", ")} }`;
  }
  return typeof value === "bigint" ? `${value}n` : String(value);
}
