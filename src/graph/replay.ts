import { UsageError } from "../base/errors.ts";
import { Builder } from "./builder.ts";
import type { Graph, Node } from "./graph.ts";
import type { Value } from "./value.ts";

/** Replaces what a node would compute: returns its outputs, or null to let it compute them. */
export type Intercept = (node: Node, inputs: readonly (Value | null)[]) => readonly Value[] | null;

/**
 * Applies a graph's nodes to `inputs` (by name) inside another builder and returns its outputs by name.
 * What the builder has computed already is not computed again, so replaying two variants of a network shares all that
 * comes before their first difference.
 *
 * Throws UsageError for a missing input, or an operator without a shape rule.
 */
export function replay(
  graph: Graph,
  builder: Builder,
  inputs: Readonly<Record<string, Value>>,
  intercept?: Intercept,
): Record<string, Value> {
  const values = new Map<string, Value | null>([["", null]]);
  for (const [name, constant] of graph.initializers) values.set(name, builder.constant(constant, name));
  for (const { name } of graph.inputs) {
    if (!inputs[name]) throw new UsageError(`the graph "${graph.name}" has an input "${name}" that was not given`);
    values.set(name, inputs[name]);
  }
  for (const node of graph.nodes) {
    const nodeInputs = node.inputs.map((name) => known(values, name, node));
    const outputs = intercept?.(node, nodeInputs) ?? compute(builder, node, nodeInputs);
    node.outputs.forEach((name, i) => values.set(name, outputs[i]));
  }
  return Object.fromEntries(graph.outputs.map(({ name }) => [name, values.get(name)!]));
}

function known(values: ReadonlyMap<string, Value | null>, name: string, node: Node): Value | null {
  const value = values.get(name);
  if (value === undefined) throw new UsageError(`node "${node.name}" reads "${name}", which nothing before it computes`);
  return value;
}

function compute(builder: Builder, node: Node, inputs: readonly (Value | null)[]): readonly Value[] {
  if (node.op === "Identity") return [inputs[0]!];
  if (node.op === "Constant") return [constantNode(builder, node)];
  return builder.apply(node.op, inputs, {
    attributes: node.attributes,
    domain: node.domain,
    outputs: node.outputs.length,
    name: node.name || node.op,
  });
}

function constantNode(builder: Builder, { name, attributes }: Node): Value {
  const [[kind, attribute]] = Object.entries(attributes);
  switch (attribute.kind) {
    case "tensor":
      return builder.constant(attribute.value, name);
    case "int":
    case "ints":
      return builder.literal(attribute.value, "int64");
    case "float":
    case "floats":
      return builder.literal(attribute.value, "float32");
    default:
      throw new UsageError(`node "${name}" is a Constant given as ${kind}, which has no rule`);
  }
}

/** Declares a graph's inputs in a builder. Throws UsageError for a dimension that is not bound. */
export function declareInputs(graph: Graph, builder: Builder): Record<string, Value> {
  return Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape }) => {
      const open = shape.find((dim) => typeof dim === "string");
      if (open !== undefined) {
        throw new UsageError(`the dimension "${open}" of input "${name}" is not known: bind it first, bindShapes(graph, { ${open}: 1 })`);
      }
      return [name, builder.input(name, dtype, shape as readonly number[])];
    }),
  );
}
