import type { Graph, Node } from "./graph.ts";
import { type Intercept, builderFor, declareInputs, replay } from "./replay.ts";
import { findRule } from "./rules/index.ts";

/**
 * The same function with every fused operator (com.microsoft's, as ONNX Runtime's optimiser writes them) written as
 * standard ones, which can be differentiated and perturbed. A graph without any is returned as it is.
 *
 * Throws UsageError for a dimension that is not bound, and for a fused operator that has no rule.
 */
export function decompose(graph: Graph): Graph {
  if (!graph.nodes.some(isFused)) return graph;
  const builder = builderFor(graph);
  const outputs = replay(graph, builder, declareInputs(graph, builder), expandFused);
  return { ...builder.build(outputs, { name: graph.name, keepInputs: true }), metadata: graph.metadata };
}

/** What `replay` is told to write fused operators as standard ones. */
export const expandFused: Intercept = (node, inputs) => {
  const builder = inputs.find((input) => input !== null)?.builder;
  const expand = findRule(node.op, node.domain)?.expand;
  if (!expand || !builder) return null;
  const site = { ...node, outputCount: node.outputs.length, opset: builder.opset };
  return builder.scope(node.name || node.op, () => expand(site, inputs));
};

function isFused({ op, domain }: Node): boolean {
  return findRule(op, domain)?.expand !== undefined;
}
