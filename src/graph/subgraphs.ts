import type { Node, Subgraph } from "./graph.ts";

/** The bodies inside a node's attributes (of If, Loop, Scan), in their order. */
export function bodiesOf(node: Pick<Node, "attributes">): readonly Subgraph[] {
  return Object.values(node.attributes).flatMap((attribute) => {
    if (attribute.kind === "graph") return [attribute.value];
    return attribute.kind === "graphs" ? attribute.value : [];
  });
}

/** All that a node reads: its inputs, and values of the graph around it that its bodies read by name. */
export function readsOf(node: Node): readonly string[] {
  const inputs = node.inputs.filter((name) => name !== "");
  const captured = bodiesOf(node).flatMap((body) => [...capturedBy(body)]);
  return captured.length > 0 ? [...new Set([...inputs, ...captured])] : inputs;
}

/** Names that a body reads and does not define. */
export function capturedBy(body: Subgraph): ReadonlySet<string> {
  const own = definedIn(body);
  const reads = [...body.nodes.flatMap(readsOf), ...body.outputs.map(({ name }) => name)];
  return new Set(reads.filter((name) => !own.has(name)));
}

/** Names that a body gives to values: inputs, constants, and what its nodes compute. */
export function definedIn(body: Subgraph): ReadonlySet<string> {
  const { inputs, overridable = [], initializers, sparse, nodes } = body;
  return new Set([
    ...[...inputs, ...overridable].map(({ name }) => name),
    ...initializers.keys(),
    ...(sparse?.keys() ?? []),
    ...nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== "")),
  ]);
}
