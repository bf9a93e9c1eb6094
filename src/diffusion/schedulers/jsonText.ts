import { FileError } from "../../base/errors.ts";

/** No config is longer; what is, is not read. */
const LONGEST = 4_000_000;

/**
 * The value of a JSON text in which numbers may also be the bare words Infinity, -Infinity and NaN, as Python writes them; they are read
 * as the texts "Infinity", "-Infinity" and "NaN". Reads the text once from end to end.
 * Throws FileError on anything else that is not JSON.
 */
export function parseLooseJson(text: string, what: string): unknown {
  if (text.length > LONGEST)
    throw new FileError(`${what} has ${text.length} characters: a scheduler's config has a few hundred`);
  try {
    return JSON.parse(quoted(text)) as unknown;
  } catch {
    throw new FileError(`${what} is not JSON: give a scheduler_config.json`);
  }
}

/** The text with bare words of infinite numbers in quotes. */
function quoted(text: string): string {
  const parts: string[] = [];
  let [done, at] = [0, 0];
  while (at < text.length) {
    if (text[at] === '"') {
      at++;
      while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
      at++;
      continue;
    }
    const word = ["-Infinity", "Infinity", "NaN"].find((one) => text.startsWith(one, at));
    if (word === undefined) {
      at++;
      continue;
    }
    parts.push(text.slice(done, at), `"${word}"`);
    at += word.length;
    done = at;
  }
  return parts.join("") + text.slice(done);
}
