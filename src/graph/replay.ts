import { UsageError } from "../base/errors.ts";
import { Builder } from "./builder.ts";
import { constantNode } from "./constantNode.ts";
import type { Graph, Node } from "./graph.ts";
import { applyUpgraded, checkOpset } from "./upgrade.ts";
import type { Value } from "./value.ts";

/** Replaces what a node would compute: returns its outputs, or null to let it compute them. */
export type Intercept = (
  node: Node,
  inputs: readonly (Value | null)[],
  replaying: Replaying,
) => readonly Value[] | null;

/** What an intercept can ask for. */
export interface Replaying {
  /** What the node would compute from these inputs. */
  compute(inputs: readonly (Value | null)[]): readonly Value[];
  /** A value that was computed before, by its name in the graph. */
  value(name: string): Value;
}

/**
 * Applies a graph's nodes to `inputs` (by name) inside another builder and returns its outputs by name.
 * What the builder has computed already is not computed again, so replaying two variants of a network shares all that
 * comes before their first difference. Nodes of an older operator set are brought to the builder's.
 *
 * Throws UsageError for a missing input, an operator without a shape rule, or an operator set that does not fit.
 */
export function replay(
  graph: Graph,
  builder: Builder,
  inputs: Readonly<Record<string, Value>>,
  intercept?: Intercept,
): Record<string, Value> {
  checkOpset(graph, builder);
  const values = new Map<string, Value | null>([["", null]]);
  for (const [name, constant] of graph.initializers) values.set(name, builder.constant(constant, name));
  for (const { name } of graph.inputs) {
    if (!inputs[name]) {
      throw new UsageError(`the graph "${graph.name}" has an input "${name}" that was not given`);
    }
    values.set(name, inputs[name]);
  }
  for (const node of graph.nodes) {
    const nodeInputs = node.inputs.map((name) => known(values, name, node.name));
    const replaying: Replaying = {
      compute: (given) => compute(builder, node, given, graph.opset),
      value: (name) => known(values, name, node.name)!,
    };
    const outputs = intercept?.(node, nodeInputs, replaying) ?? replaying.compute(nodeInputs);
    node.outputs.forEach((name, i) => {
      if (name !== "") values.set(name, outputs[i]);
    });
  }
  return Object.fromEntries(graph.outputs.map(({ name }) => [name, known(values, name, `output/${name}`)!]));
}

function known(values: ReadonlyMap<string, Value | null>, name: string, node: string): Value | null {
  const value = values.get(name);
  if (value === undefined) {
    throw new UsageError(`node "${node}" reads "${name}", which nothing before it computes`);
  }
  return value;
}

function compute(
  builder: Builder,
  node: Node,
  inputs: readonly (Value | null)[],
  opset: number,
): readonly Value[] {
  if (node.op === "Identity") return [inputs[0]!];
  if (node.op === "Constant") return [builder.constant(constantNode(node), node.name || node.op)];
  const upgraded = opset < builder.opset ? applyUpgraded(builder, node, inputs, opset) : null;
  return (
    upgraded ??
    builder.apply(node.op, inputs, {
      attributes: node.attributes,
      domain: node.domain,
      outputs: node.outputs.length,
      name: node.name || node.op,
      metadata: node.metadata,
    })
  );
}

/** A builder that graphs of this one's operator set can be replayed in. */
export function builderFor(graph: Graph): Builder {
  return new Builder(Math.max(graph.opset, 18));
}

/** Declares a graph's inputs in a builder. Throws UsageError for a dimension that is not bound. */
export function declareInputs(graph: Graph, builder: Builder): Record<string, Value> {
  return Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape }) => {
      const open = shape.find((dim) => typeof dim === "string");
      if (open !== undefined) {
        throw new UsageError(
          `the dimension "${open}" of input "${name}" is not known: bind it first, bindShapes(graph, { "${open}": 1 })`,
        );
      }
      return [name, builder.input(name, dtype, shape as readonly number[])];
    }),
  );
}
