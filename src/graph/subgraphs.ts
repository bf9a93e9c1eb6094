import type { Attribute, Attributes, Node, Subgraph } from "./graph.ts";

/** The bodies in attributes (of If, Loop, Scan), in their order. */
export function bodiesOf(attributes: Attributes): readonly Subgraph[] {
  return Object.values(attributes).flatMap((attribute) => {
    if (attribute.kind === "graph") return [attribute.value];
    return attribute.kind === "graphs" ? attribute.value : [];
  });
}

/** The attributes with their bodies changed; the attributes themselves where there are none. */
export function mapBodies(attributes: Attributes, change: (body: Subgraph) => Subgraph): Attributes {
  if (bodiesOf(attributes).length === 0) return attributes;
  return mapAttributes(attributes, (attribute) => {
    if (attribute.kind === "graph") return { ...attribute, value: change(attribute.value) };
    if (attribute.kind === "graphs") return { ...attribute, value: attribute.value.map(change) };
    return attribute;
  });
}

/** The attributes with each changed, or left out where `change` gives null. */
export function mapAttributes(
  attributes: Attributes,
  change: (attribute: Attribute) => Attribute | null,
): Attributes {
  const changed = Object.entries(attributes).map(([name, attribute]) => [name, change(attribute)] as const);
  return Object.fromEntries(changed.filter((entry): entry is [string, Attribute] => entry[1] !== null));
}

/** All that a node reads: its inputs, and values of the graph around it that its bodies read by name. */
export function readsOf(node: Node): readonly string[] {
  const inputs = node.inputs.filter((name) => name !== "");
  const captured = capturedIn(node.attributes);
  return captured.length > 0 ? [...new Set([...inputs, ...captured])] : inputs;
}

/** Names that the bodies in attributes read and do not define. */
export function capturedIn(attributes: Attributes): readonly string[] {
  return [...new Set(bodiesOf(attributes).flatMap((body) => [...capturedBy(body)]))];
}

/** Names that a body reads and does not define. */
export function capturedBy(body: Subgraph): ReadonlySet<string> {
  const own = new Set(definedIn(body));
  const reads = [...body.nodes.flatMap(readsOf), ...body.outputs.map(({ name }) => name)];
  return new Set(reads.filter((name) => !own.has(name)));
}

/** Names that a body gives to values: inputs, constants, and what its nodes compute. */
export function definedIn({ inputs, initializers, sparse, nodes }: Subgraph): readonly string[] {
  return [
    ...inputs.map(({ name }) => name),
    ...initializers.keys(),
    ...(sparse?.keys() ?? []),
    ...nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== "")),
  ];
}

/** Domains of all nodes, those in bodies included. */
export function domainsOf(nodes: readonly Pick<Node, "domain" | "attributes">[]): ReadonlySet<string> {
  return new Set(
    nodes.flatMap(({ domain, attributes }) => [
      domain,
      ...bodiesOf(attributes).flatMap((body) => [...domainsOf(body.nodes)]),
    ]),
  );
}

/**
 * A body with other names: what it captures is called as `captured` says, what it defines as `fresh` does, and so on
 * in the bodies inside it. Notes of its file that name values are left out.
 */
export function renamed(
  body: Subgraph,
  captured: ReadonlyMap<string, string>,
  fresh: (name: string) => string,
): Subgraph {
  const names = new Map(captured);
  for (const name of definedIn(body)) names.set(name, fresh(name));
  const nameOf = (name: string): string => names.get(name) ?? name;
  const typed = <T extends { readonly name: string }>(type: T): T => ({ ...type, name: nameOf(type.name) });
  const { name, inputs, outputs, nodes, initializers, sparse, overridable, types, doc } = body;
  const keyed = <T>(map: ReadonlyMap<string, T>): Map<string, T> =>
    new Map([...map].map(([key, value]) => [nameOf(key), value]));
  return {
    name,
    inputs: inputs.map(typed),
    outputs: outputs.map(typed),
    nodes: nodes.map((node) => renamedNode(node, names, fresh)),
    initializers: keyed(initializers),
    ...(sparse && { sparse: keyed(sparse) }),
    ...(overridable && { overridable: overridable.map(typed) }),
    ...(types && { types: new Map([...types.values()].map(typed).map((type) => [type.name, type])) }),
    ...(doc && { doc }),
  };
}

/** A node whose values are called as `names` says, and what its bodies define as `fresh` does. */
export function renamedNode(
  node: Node,
  names: ReadonlyMap<string, string>,
  fresh: (name: string) => string,
): Node {
  const nameOf = (name: string): string => names.get(name) ?? name;
  return {
    ...node,
    inputs: node.inputs.map(nameOf),
    outputs: node.outputs.map(nameOf),
    attributes: mapBodies(node.attributes, (body) => renamed(body, names, fresh)),
  };
}
