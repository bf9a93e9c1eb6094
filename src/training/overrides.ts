import { UsageError } from "../base/errors.ts";
import { type Json, type JsonObject, isJsonObject } from "./json.ts";

/**
 * `config` with each "a.b=value" applied in turn; the original is left as it is.
 *
 * The value is read as JSON where it is JSON (numbers, true, null, lists, objects), else as the text itself. Parts of
 * the key that are whole numbers index into lists ("ema.0.decay=0.99"). Whether the key exists is for the schema to say.
 * Throws UsageError when an override has no "=", no key, or leads through something that has no keys.
 */
export function applyOverrides(config: JsonObject, overrides: readonly string[]): JsonObject {
  return overrides.reduce((result, override) => {
    const equals = override.indexOf("=");
    if (equals <= 0)
      throw new UsageError(`--set wants key=value such as training.batchSize=64, got "${override}"`);
    const path = override.slice(0, equals).trim().split(".");
    if (path.includes(""))
      throw new UsageError(`--set ${override}: the key has an empty part between its dots`);
    return withValue(result, path, valueOf(override.slice(equals + 1)), override) as JsonObject;
  }, config);
}

function valueOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function withValue(
  node: Json | undefined,
  [key, ...rest]: readonly string[],
  value: Json,
  override: string,
): Json {
  if (key === undefined) return value;
  if (Array.isArray(node)) {
    const index = Number(key);
    if (!/^\d+$/.test(key) || index > node.length) {
      throw new UsageError(
        `--set ${override}: "${key}" is no position in a list of ${node.length} (0 to ${node.length})`,
      );
    }
    return Object.assign([...(node as readonly Json[])], {
      [index]: withValue(node[index], rest, value, override),
    });
  }
  if (node !== undefined && !isJsonObject(node)) {
    throw new UsageError(
      `--set ${override}: what stands before ".${key}" is ${JSON.stringify(node)}, which has no keys`,
    );
  }
  const below = node !== undefined && Object.hasOwn(node, key) ? node[key] : undefined;
  return { ...node, [key]: withValue(below, rest, value, override) };
}
