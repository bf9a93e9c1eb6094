import { UsageError } from "../base/errors.ts";
import { Builder } from "./builder.ts";
import { gradients } from "./gradients.ts";
import type { Dim, Graph } from "./graph.ts";
import { reduceSum } from "./ops/reduce.ts";
import { declareInputs, replay } from "./replay.ts";

/** The graph with named dimensions given their sizes. Throws UsageError for a name that the graph does not have. */
export function bindShapes(graph: Graph, sizes: Readonly<Record<string, number>>): Graph {
  const names = new Set(graph.inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === "string")));
  const unknown = Object.keys(sizes).find((name) => !names.has(name));
  if (unknown !== undefined) {
    throw new UsageError(`no input has a dimension "${unknown}"; there are: ${[...names].join(", ") || "none"}`);
  }
  const bind = (dim: Dim): Dim => (typeof dim === "string" ? (sizes[dim] ?? dim) : dim);
  return { ...graph, inputs: graph.inputs.map((input) => ({ ...input, shape: input.shape.map(bind) })) };
}

/** The same function with equal calls made once, constant parts computed, and without what no output needs. */
export function simplify(graph: Graph): Graph {
  const builder = new Builder(graph.opset);
  const outputs = replay(graph, builder, declareInputs(graph, builder));
  return { ...builder.build(outputs, { name: graph.name, keepInputs: true }), metadata: graph.metadata };
}

/**
 * A graph that also computes the gradient of the sum of `output`'s elements with respect to each of `inputs`, as outputs
 * named "gradient/INPUT". An ordinary graph: it can be differentiated again.
 *
 * Throws UsageError for unknown names, and for an operator without a gradient.
 */
export function differentiate(graph: Graph, output: string, inputs: readonly string[]): Graph {
  const builder = new Builder(graph.opset);
  const declared = declareInputs(graph, builder);
  const outputs = replay(graph, builder, declared);
  if (!outputs[output]) {
    throw new UsageError(`the graph has no output "${output}"; its outputs are ${Object.keys(outputs).join(", ")}`);
  }
  const wrong = inputs.find((name) => !declared[name]);
  if (wrong !== undefined) {
    throw new UsageError(`the graph has no input "${wrong}"; its inputs are ${Object.keys(declared).join(", ")}`);
  }
  const axes = outputs[output].shape.map((_, i) => i);
  const total = axes.length === 0 ? outputs[output] : reduceSum(outputs[output], axes);
  const slopes = gradients(
    total,
    inputs.map((name) => declared[name]),
  );
  const named = Object.fromEntries(inputs.map((name, i) => [`gradient/${name}`, slopes[i]]));
  return { ...builder.build({ ...outputs, ...named }, { name: graph.name }), metadata: graph.metadata };
}
