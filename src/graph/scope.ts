import { UsageError } from "../base/errors.ts";
import type { Value } from "./value.ts";

/** Values by the names they have in the graph that is replayed: those of a body stand before those around it. */
export interface Scope {
  /** The value; null for "", an absent input. Throws UsageError for a name that nothing before `node` computes. */
  get(name: string, node: string): Value | null;
  set(name: string, value: Value): void;
}

export function scopeOf(around: Scope | null = null): Scope {
  const values = new Map<string, Value>();
  return {
    get(name, node) {
      if (name === "") return null;
      const value = values.get(name);
      if (value) return value;
      if (around) return around.get(name, node);
      throw new UsageError(`node "${node}" reads "${name}", which nothing before it computes`);
    },
    set(name, value) {
      values.set(name, value);
    },
  };
}
