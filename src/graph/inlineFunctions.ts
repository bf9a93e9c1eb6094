import { UsageError } from "../base/errors.ts";
import type { Attributes, Graph, GraphFunction, Node, Subgraph } from "./graph.ts";
import { definedIn, domainsOf, mapAttributes, mapBodies, renamedNode } from "./subgraphs.ts";

/** A file of a few hundred bytes can describe more nodes than any memory holds, by functions that call functions. */
const MOST_NODES = 100_000;

/** How deep functions call functions. */
const DEEPEST = 64;

const inlined = new WeakMap<Graph, Graph>();

/**
 * The same graph with the nodes of its functions in the place of the calls, also in bodies. The same object each time
 * it is asked for the same graph; the graph itself where it has no functions.
 * Throws UsageError for functions that call themselves, or 64 others in turn, and for more than 100,000 nodes.
 */
export function inlineFunctions(graph: Graph): Graph {
  if (!graph.functions?.length) return graph;
  const known = inlined.get(graph);
  if (known) return known;

  const { functions, domains: imported, ...plain } = graph;
  const nodes = inlineNodes(graph.nodes, inliningOf(graph, functions), []);
  // The standard operators may come from a function only. Where versions differ, the operators used do not.
  const versions = new Map(functions.flatMap(({ opsets }) => Object.entries(opsets)));
  const { "": opset = 0 } = Object.fromEntries(versions);
  for (const [domain, version] of Object.entries(imported ?? {})) versions.set(domain, version);
  const used = [...domainsOf(nodes)].filter((domain) => domain !== "");
  const domains = Object.fromEntries(used.map((domain) => [domain, versions.get(domain) ?? 1]));
  const result: Graph = {
    ...plain,
    nodes,
    opset: graph.opset || opset,
    ...(used.length > 0 && { domains }),
  };
  inlined.set(graph, result);
  return result;
}

interface Inlining {
  definition(node: Node): GraphFunction | undefined;
  /** A name like this one that no value has. */
  fresh(name: string): string;
  /** Throws when there are too many nodes. */
  count(nodes: number): void;
}

function inliningOf(graph: Graph, functions: readonly GraphFunction[]): Inlining {
  const key = ({ domain, overload = "" }: Pick<Node, "domain" | "overload">, name: string): string =>
    JSON.stringify([domain, name, overload]);
  const definitions = new Map(functions.map((definition) => [key(definition, definition.name), definition]));
  const names = new Set<string>();
  collectNames(graph, names);
  let nodes = 0;
  return {
    definition: (node) => definitions.get(key(node, node.op)),
    fresh(name) {
      let free = name;
      for (let i = 1; names.has(free); i++) free = `${name}_${i}`;
      names.add(free);
      return free;
    },
    count(more) {
      nodes += more;
      if (nodes > MOST_NODES)
        throw new UsageError(
          `the functions of "${graph.name}" make more than ${MOST_NODES} nodes: it cannot be read`,
        );
    },
  };
}

function collectNames(body: Subgraph, names: Set<string>): void {
  for (const name of definedIn(body)) names.add(name);
  for (const { attributes } of body.nodes) {
    mapBodies(attributes, (inner) => {
      collectNames(inner, names);
      return inner;
    });
  }
}

function inlineNodes(
  nodes: readonly Node[],
  inlining: Inlining,
  calls: readonly GraphFunction[],
): readonly Node[] {
  inlining.count(nodes.length);
  return nodes.flatMap((node) => {
    const attributes = mapBodies(node.attributes, (body) => ({
      ...body,
      nodes: inlineNodes(body.nodes, inlining, calls),
    }));
    const here = attributes === node.attributes ? node : { ...node, attributes };
    const definition = inlining.definition(node);
    if (!definition) return [here];
    if (calls.includes(definition) || calls.length >= DEEPEST) {
      throw new UsageError(
        `the function "${definition.name}" calls itself, or too many others (at node "${node.name}"): it cannot be run`,
      );
    }
    return inlineNodes(bodyOfCall(here, definition, inlining), inlining, [...calls, definition]);
  });
}

/** The nodes of a function under the names that a call gives, with its attributes in the place of references. */
function bodyOfCall(call: Node, definition: GraphFunction, { fresh }: Inlining): readonly Node[] {
  const at = call.name || call.op;
  const names = new Map<string, string>(definition.inputs.map((name, i) => [name, call.inputs[i] ?? ""]));
  const passed: Node[] = [];
  definition.outputs.forEach((name, i) => {
    const wanted = call.outputs[i];
    if (!wanted) return;
    // An input handed on, or a value that is two outputs.
    if (names.has(name)) passed.push(identity(`${at}/${name}`, names.get(name)!, wanted));
    else names.set(name, wanted);
  });
  for (const name of definition.nodes.flatMap(({ outputs }) => outputs)) {
    if (name !== "" && !names.has(name)) names.set(name, fresh(`${at}/${name}`));
  }
  const nodes = definition.nodes.map((node) => {
    const own = renamedNode(node, names, (name) => fresh(`${at}/${name}`));
    return {
      ...own,
      name: `${at}/${node.name || node.op}`,
      attributes: withArguments(own.attributes, { ...definition.defaults, ...call.attributes }),
      ...(call.metadata && { metadata: { ...call.metadata, ...node.metadata } }),
    };
  });
  return [...nodes, ...passed];
}

function identity(name: string, from: string, to: string): Node {
  return { op: "Identity", domain: "", name, inputs: [from], outputs: [to], attributes: {} };
}

/** Attributes with a call's in the place of references; a reference to one that the call does not give is left out. */
function withArguments(attributes: Attributes, given: Attributes): Attributes {
  const filled = mapAttributes(attributes, (attribute) =>
    attribute.kind === "reference" ? (given[attribute.value] ?? null) : attribute,
  );
  return mapBodies(filled, (body) => ({
    ...body,
    nodes: body.nodes.map((node) => ({ ...node, attributes: withArguments(node.attributes, given) })),
  }));
}
