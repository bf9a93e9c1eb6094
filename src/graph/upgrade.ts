import { UsageError } from "../base/errors.ts";
import { int, intOf, intsOf } from "./attributes.ts";
import { axisOf } from "./shapes.ts";
import type { Builder } from "./builder.ts";
import type { Attribute, Graph, Node } from "./graph.ts";
import type { Value } from "./value.ts";

/** The oldest operator set that graphs are read in. */
const OLDEST = 11;

/** Throws UsageError when a graph's operator set is none that `builder` can hold. */
export function checkOpset(graph: Graph, builder: Builder): void {
  const { opset, name } = graph;
  if (opset < OLDEST) {
    throw new UsageError(`"${name}" is of opset ${opset}: export it again with opset ${OLDEST} or later`);
  }
  if (opset > builder.opset) {
    throw new UsageError(
      `"${name}" is of opset ${opset}, its builder of ${builder.opset}: use new Builder(${opset})`,
    );
  }
}

/**
 * Applies a node of an older operator set as it is written now; returns null for one that has not changed since.
 *
 * Axes and sizes were attributes and are inputs now (Squeeze, Unsqueeze, ReduceSum and Split since 13, the other
 * reductions since 18), and Softmax before 13 took all axes from `axis` on as one.
 */
export function applyUpgraded(
  builder: Builder,
  node: Node,
  inputs: readonly (Value | null)[],
  opset: number,
): readonly Value[] | null {
  const { op, attributes, name } = node;
  if (op === "Softmax" || op === "LogSoftmax") {
    return opset < 13 ? flatSoftmax(builder, node, inputs[0]!) : null;
  }
  const moved = op === "Split" ? "split" : "axes";
  const changed = op.startsWith("Reduce") || ["Squeeze", "Unsqueeze", "Split"].includes(op);
  if (!changed || inputs.length > 1 || (op !== "Split" && !attributes[moved])) return null;
  const numbers = builder.literal(intsOf(node, moved, evenPieces(node, inputs[0]!)), "int64");
  return builder.apply(op, [inputs[0], numbers], {
    attributes: without(attributes, moved),
    outputs: node.outputs.length,
    name: name || op,
  });
}

/** Sizes of a Split that says none. */
function evenPieces(node: Node, x: Value): number[] {
  if (node.op !== "Split") return [];
  const axis = axisOf(node, intOf(node, "axis", 0), x.shape.length);
  return node.outputs.map(() => x.shape[axis] / node.outputs.length);
}

function flatSoftmax(builder: Builder, node: Node, x: Value): readonly Value[] {
  const axis = axisOf(node, intOf(node, "axis", 1), x.shape.length);
  const rows = x.shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const [flat] = builder.apply("Reshape", [x, builder.literal([rows, -1], "int64")]);
  const [y] = builder.apply(node.op, [flat], { attributes: { axis: int(-1) }, name: node.name || node.op });
  return builder.apply("Reshape", [y, builder.literal(x.shape, "int64")]);
}

function without(attributes: Readonly<Record<string, Attribute>>, name: string): Record<string, Attribute> {
  return Object.fromEntries(Object.entries(attributes).filter(([key]) => key !== name));
}
