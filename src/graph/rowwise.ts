import type { Graph, Node } from "./graph.ts";
import { builderFor, declareInputs, replay } from "./replay.ts";
import { readsOf } from "./subgraphs.ts";
import { bindShapes } from "./transform.ts";

/**
 * The values of a graph that are a batch of rows, one block of memory a row: for twice the rows they are twice as long along
 * the first axis and otherwise the same, and so was what they are computed from.
 *
 * `dim` is the name that the inputs have for the number of rows, `size` a number to bind it to; rows are taken not to depend
 * on one another.
 */
export function rowwiseValues(graph: Graph, dim: string, size: number): ReadonlySet<string> {
  const [one, two] = [size, 2 * size].map((rows) => shapesOf(bindShapes(graph, { [dim]: rows })));
  const known = (name: string): boolean => one.has(name);
  const doubled = (name: string): boolean => {
    const [a, b] = [one.get(name)!, two.get(name)!];
    return b[0] === 2 * a[0] && a.slice(1).join() === b.slice(1).join();
  };
  const fixed = (name: string): boolean => one.get(name)!.join() === two.get(name)!.join();

  const found = new Set(graph.inputs.map(({ name }) => name).filter(doubled));
  for (const node of graph.nodes) {
    const inputs = readsOf(node).filter(known);
    const fed = inputs.some((name) => found.has(name));
    if (!inputs.every((name) => found.has(name) || fixed(name)) || !(fed || makesRows(node))) continue;
    for (const name of node.outputs) if (known(name) && doubled(name)) found.add(name);
  }
  return found;
}

/** Whether a node makes equal rows out of one thing for all. */
function makesRows({ op, domain }: Node): boolean {
  return domain === "" && (op === "Expand" || op === "ConstantOfShape");
}

/** Shapes of all inputs and of what nodes compute. */
function shapesOf(graph: Graph): ReadonlyMap<string, readonly number[]> {
  const builder = builderFor(graph);
  const inputs = declareInputs(graph, builder);
  const shapes = new Map(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  for (const [name, { shape }] of graph.initializers) shapes.set(name, shape);
  replay(graph, builder, inputs, (node, operands, { compute }) => {
    const results = compute(operands);
    node.outputs.forEach((name, i) => shapes.set(name, results[i].shape));
    return results;
  });
  return shapes;
}
