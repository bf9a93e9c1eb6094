import type { Node } from "../graph.ts";
import { readsOf } from "../subgraphs.ts";
import type { Reading } from "./reading.ts";

/**
 * The nodes in an order in which they can be run: as they stand, but each behind those that it needs.
 * Throws FileError for nodes that wait for one another.
 */
export function sortedNodes(nodes: readonly Node[], reading: Reading): readonly Node[] {
  const maker = new Map<string, number>();
  nodes.forEach(({ outputs }, i) => outputs.forEach((name) => name !== "" && maker.set(name, i)));
  const needs = nodes.map((node) => readsOf(node).flatMap((name) => maker.get(name) ?? []));
  if (needs.every((before, i) => before.every((j) => j < i))) return nodes;

  const order: Node[] = [];
  const state = new Uint8Array(nodes.length);
  for (let i = 0; i < nodes.length; i++) {
    // Nodes that wait for those above them on the stack.
    const stack = state[i] === DONE ? [] : [i];
    while (stack.length > 0) {
      const at = stack[stack.length - 1];
      const next = state[at] === NEW ? needs[at].filter((j) => state[j] !== DONE) : [];
      const circle = next.find((j) => j === at || state[j] === WAITING);
      if (circle !== undefined) {
        const { name, op } = nodes[circle];
        throw reading.wrong(`is damaged: node "${name}" (${op}) waits for its own result`);
      }
      if (next.length > 0) {
        state[at] = WAITING;
        stack.push(...next.reverse());
        continue;
      }
      stack.pop();
      if (state[at] !== DONE) order.push(nodes[at]);
      state[at] = DONE;
    }
  }
  return order;
}

/** A node is WAITING while those that it needs are above it on the stack. */
const [NEW, WAITING, DONE] = [0, 1, 2];
