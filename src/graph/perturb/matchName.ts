import { UsageError } from "../../base/errors.ts";

/**
 * What tells whether names match a pattern: a regular expression between slashes, or a part of the name. A dot and a slash
 * count alike in parts, and a number is never a part of a longer one: "blocks.1" is not in "blocks.12".
 */
export function nameMatcher(pattern: string): (name: string) => boolean {
  const expression = /^\/(.*)\/$/s.exec(pattern);
  if (expression) {
    try {
      const compiled = new RegExp(expression[1]);
      return (name) => compiled.test(name);
    } catch (error) {
      throw new UsageError(`${pattern} is not a regular expression: ${(error as Error).message}`);
    }
  }
  const part = dotted(pattern);
  const escaped = part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const whole = new RegExp(
    `${/^\d/.test(part) ? "(?<!\\d)" : ""}${escaped}${/\d$/.test(part) ? "(?!\\d)" : ""}`,
  );
  return (name) => whole.test(dotted(name));
}

const dotted = (name: string): string => name.replaceAll("/", ".");
