import type { Graph, GraphFunction, Subgraph } from "../graph.ts";
import { mapBodies } from "../subgraphs.ts";
import { sortedNodes } from "./sortedNodes.ts";
import { type Reading, inside } from "./reading.ts";

/** Names that can be read: those of a body, and of the graphs around it. */
interface Scope {
  readonly names: ReadonlySet<string>;
  readonly around: Scope | null;
}

/**
 * The graph with its nodes, and those of bodies and functions, in an order in which they can be run.
 * Throws FileError for names that are missing, doubled or in a circle, and for operators of no known version.
 */
export function checkGraph(graph: Graph, reading: Reading): Graph {
  const versions = { ...graph.domains, ...(graph.opset > 0 && { "": graph.opset }) };
  const functions = graph.functions?.map((definition) => checkFunction(definition, reading));
  const twice = firstTwice(graph.outputs.map(({ name }) => name));
  if (twice !== undefined) throw reading.wrong(`is damaged: it has two outputs "${twice}"`);
  return { ...checkBody(graph, null, versions, reading), ...(functions && { functions }) };
}

function checkFunction(definition: GraphFunction, reading: Reading): GraphFunction {
  const inFunction = inside(reading, `a function "${definition.name}"`);
  const untyped = (name: string) => ({ name, dtype: "float32", shape: [] }) as const;
  const body: Subgraph = {
    name: definition.name,
    inputs: definition.inputs.map(untyped),
    outputs: definition.outputs.map(untyped),
    nodes: definition.nodes,
    initializers: new Map(),
  };
  return { ...definition, nodes: checkBody(body, null, definition.opsets, inFunction).nodes };
}

function checkBody<B extends Subgraph>(
  body: B,
  around: Scope | null,
  versions: Readonly<Record<string, number>>,
  reading: Reading,
): B {
  const scope = { names: namesOf(body, reading), around };
  const nodes = body.nodes.map((node) => {
    if (!Object.hasOwn(versions, node.domain))
      throw reading.wrong(`says no version of the operators of "${node.domain}": it is damaged or cut short`);
    for (const name of node.inputs) {
      if (name !== "" && !isKnown(name, scope))
        throw reading.wrong(
          `is damaged: node "${node.name}" (${node.op}) reads "${name}", which nothing computes`,
        );
    }
    const attributes = mapBodies(node.attributes, (inner) =>
      checkBody(inner, scope, versions, inside(reading, `a node "${node.name}" (${node.op})`)),
    );
    return attributes === node.attributes ? node : { ...node, attributes };
  });
  const lost = body.outputs.find(({ name }) => !isKnown(name, scope));
  if (lost) throw reading.wrong(`is damaged: nothing computes the output "${lost.name}"`);
  return { ...body, nodes: sortedNodes(nodes, reading) };
}

/** All names that a body defines. Throws FileError for one that is defined twice, or empty. */
function namesOf(
  { inputs, overridable = [], initializers, sparse, nodes }: Subgraph,
  reading: Reading,
): Set<string> {
  const given = [...inputs.map(({ name }) => name), ...initializers.keys(), ...(sparse?.keys() ?? [])];
  if (given.includes("")) throw reading.wrong("is damaged: it has an input or an initializer without a name");
  const names = [...given, ...nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== ""))];
  const twice = firstTwice(names) ?? firstTwice(overridable.map(({ name }) => name));
  if (twice !== undefined) throw reading.wrong(`is damaged: two values are called "${twice}"`);
  return new Set(names);
}

function firstTwice(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

function isKnown(name: string, scope: Scope | null): boolean {
  for (let at = scope; at; at = at.around) if (at.names.has(name)) return true;
  return false;
}
