import { FileError } from "../base/errors.ts";
import type { ParameterLayout } from "./objective.ts";
import { type SafetensorsEntry, floatEntry, toFloat32 } from "./safetensors.ts";

/** The parameters in a flat array as named entries, each name with `prefix` before it. */
export function namedEntries(
  layout: ParameterLayout,
  flat: Float32Array,
  { prefix = "", storage = "F32" }: { prefix?: string; storage?: "F32" | "F16" } = {},
): [string, SafetensorsEntry][] {
  return layout.entries.map(({ name, shape, offset, size }) => [
    prefix + name,
    floatEntry(flat.subarray(offset, offset + size), shape, storage),
  ]);
}

/**
 * The flat array of named entries, in the order of `layout`. The names and shapes must be exactly those of the layout.
 *
 * `file` names it in errors. Throws FileError saying the first name or shape that does not fit.
 */
export function flatParameters(
  layout: ParameterLayout,
  entries: ReadonlyMap<string, SafetensorsEntry>,
  file: string,
  prefix = "",
): Float32Array {
  const other = (what: string): FileError =>
    new FileError(
      `this checkpoint is of another network: ${file} ${what}; use it with the network it was trained for`,
    );
  const flat = new Float32Array(layout.size);
  const wanted = new Set<string>();
  for (const { name, shape, offset } of layout.entries) {
    const entry = entries.get(prefix + name);
    if (!entry) throw other(`has no parameter "${name}" of shape [${shape.join(", ")}]`);
    if (entry.shape.join() !== shape.join()) {
      throw other(`has "${name}" of shape [${entry.shape.join(", ")}] where [${shape.join(", ")}] is wanted`);
    }
    flat.set(toFloat32(entry, name), offset);
    wanted.add(prefix + name);
  }
  const extra = [...entries.keys()].find((key) => key.startsWith(prefix) && !wanted.has(key));
  if (extra !== undefined)
    throw other(`has a parameter "${extra.slice(prefix.length)}" that the network has not`);
  return flat;
}
