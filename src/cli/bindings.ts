import { z } from "zod";
import { UsageError } from "../base/errors.ts";
import type { Graph } from "../graph/graph.ts";
import { bindShapes } from "../graph/transform.ts";

/** --bind: name=size pairs, joined by commas, given once or more. */
export const bindings = z.array(z.string()).transform((texts, context): Record<string, number> => {
  const sizes: Record<string, number> = {};
  for (const text of texts.flatMap((one) => one.split(","))) {
    const [, name, size] = /^\s*(.+?)\s*=\s*(\d+)\s*$/.exec(text) ?? [];
    if (name === undefined || Number(size) < 1) {
      context.addIssue({ code: "custom", message: "NAME=SIZE such as batch=2,height=64", input: text });
      return z.NEVER;
    }
    sizes[name] = Number(size);
  }
  return sizes;
});

/** The names of a graph's dimensions that have no size, in the order of its inputs. */
export function openDimensions(graph: Graph): string[] {
  return [...new Set(graph.inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === "string")))];
}

/** The graph with dimensions bound, and the batch to 1 where nothing else is said. */
export function bound(graph: Graph, sizes: Readonly<Record<string, number>>): Graph {
  const batch = openDimensions(graph).filter((name) => /batch/i.test(name) && sizes[name] === undefined);
  return bindShapes(graph, { ...Object.fromEntries(batch.map((name) => [name, 1])), ...sizes });
}

/** Throws UsageError that says what to type where dimensions are open. */
export function assertBound(graph: Graph, why: string): void {
  const open = openDimensions(graph);
  if (open.length === 0) return;
  throw new UsageError(
    `${why} needs the size of ${open.join(", ")}: add --bind ${open.map((name) => `${name}=${usual(name)}`).join(",")}`,
  );
}

/** A size that such a dimension often has. */
export function usual(name: string): number {
  if (/height|width/i.test(name)) return 64;
  return /seq|token/i.test(name) ? 77 : 1;
}
