import type { Node } from "../graph.ts";
import { readsOf } from "../subgraphs.ts";
import type { Reading } from "./reading.ts";

/**
 * The nodes in an order in which they can be run: as they stand if that is one, else each as early as it can be.
 * Throws FileError for nodes that wait for one another.
 */
export function sortedNodes(nodes: readonly Node[], reading: Reading): readonly Node[] {
  const maker = new Map<string, number>();
  nodes.forEach(({ outputs }, i) => outputs.forEach((name) => name !== "" && maker.set(name, i)));
  const needs = nodes.map((node) => readsOf(node).flatMap((name) => maker.get(name) ?? []));
  if (needs.every((before, i) => before.every((j) => j < i))) return nodes;

  const waiting = needs.map((before) => new Set(before).size);
  const followers = nodes.map((): number[] => []);
  needs.forEach((before, i) => new Set(before).forEach((j) => followers[j].push(i)));
  const order = nodes.flatMap((_, i) => (waiting[i] === 0 ? [i] : []));
  for (const i of order) for (const next of followers[i]) if (--waiting[next] === 0) order.push(next);
  if (order.length < nodes.length) {
    const stuck = nodes[inCircle(waiting, needs)];
    throw reading.wrong(`is damaged: node "${stuck.name}" (${stuck.op}) waits for its own result`);
  }
  return order.map((i) => nodes[i]);
}

/** A node of a circle: going from one that waits to one that it waits for, the first that comes again. */
function inCircle(waiting: readonly number[], needs: readonly (readonly number[])[]): number {
  const seen = new Set<number>();
  let at = waiting.findIndex((count) => count > 0);
  while (seen.size !== seen.add(at).size) at = needs[at].find((j) => waiting[j] > 0)!;
  return at;
}
