import { UsageError } from "../base/errors.ts";
import type { Attribute, Subgraph } from "./graph.ts";
import type { CallSite } from "./rule.ts";

export const int = (value: number): Attribute => ({ kind: "int", value });
export const ints = (value: readonly number[]): Attribute => ({ kind: "ints", value });
export const float = (value: number): Attribute => ({ kind: "float", value });
export const floats = (value: readonly number[]): Attribute => ({ kind: "floats", value });
export const string = (value: string): Attribute => ({ kind: "string", value });

export const graph = (value: Subgraph): Attribute => ({ kind: "graph", value });

type Site = Pick<CallSite, "attributes" | "name">;

/** The attribute, or `fallback` when it is absent. Throws UsageError when it has another kind. */
export function intOf(site: Site, name: string, fallback: number): number {
  return read(site, name, "int", fallback);
}

export function floatOf(site: Site, name: string, fallback: number): number {
  return read(site, name, "float", fallback);
}

export function stringOf(site: Site, name: string, fallback: string): string {
  return read(site, name, "string", fallback);
}

export function intsOf(site: Site, name: string, fallback: readonly number[]): readonly number[] {
  return read(site, name, "ints", fallback);
}

export function floatsOf(site: Site, name: string, fallback: readonly number[]): readonly number[] {
  return read(site, name, "floats", fallback);
}

type ValueOf<K extends Attribute["kind"]> = Extract<Attribute, { kind: K }>["value"];

function read<K extends Attribute["kind"]>(
  site: Site,
  name: string,
  kind: K,
  fallback: ValueOf<K>,
): ValueOf<K> {
  const attribute = site.attributes[name];
  if (!attribute) return fallback;
  if (attribute.kind !== kind) {
    throw new UsageError(`attribute "${name}" of node "${site.name}" is ${attribute.kind}, wanted ${kind}`);
  }
  return attribute.value as ValueOf<K>;
}
