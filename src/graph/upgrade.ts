import { UsageError } from "../base/errors.ts";
import { floatOf, int, intOf, intsOf } from "./attributes.ts";
import { axisOf } from "./shapes.ts";
import type { Builder } from "./builder.ts";
import type { Graph, Node } from "./graph.ts";
import { type Change, type Upgrade, applyMoved } from "./upgradeCall.ts";
import { spatialChanges } from "./upgradeSpatial.ts";
import type { Value } from "./value.ts";

/** The oldest operator set that graphs are read in. */
const OLDEST = 7;

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
 * Mostly, axes, sizes and bounds were attributes and are inputs now; and Softmax before 13 took all axes from `axis` on as
 * one. Source: the operators' changelog of ONNX.
 */
export function applyUpgraded(
  builder: Builder,
  node: Node,
  inputs: readonly (Value | null)[],
  opset: number,
): readonly Value[] | null {
  if (node.domain !== "" && node.domain !== "ai.onnx") return null;
  const change = changes[node.op];
  return change && opset < change.since ? change.upgrade(builder, node, inputs) : null;
}

/** Integers that were attributes become inputs behind the first, in this order; null where one is absent. */
const integersMoved =
  (...names: readonly string[]): Upgrade =>
  (builder, node, [x, ...rest]) => {
    const lists = names.map((name) => {
      const attribute = node.attributes[name];
      if (!attribute) return null;
      return builder.literal(attribute.kind === "int" ? [attribute.value] : intsOf(node, name, []), "int64");
    });
    const inputs = rest.length > 0 ? rest : lists;
    const count = inputs.reduce((n, input, i) => (input ? i + 1 : n), 0);
    return applyMoved(builder, node, [x, ...inputs.slice(0, count)], names);
  };

/** Numbers of x's type that were attributes become inputs behind it; null where one is absent. */
const numbersMoved =
  (...names: readonly string[]): Upgrade =>
  (builder, node, [x]) => {
    const numbers = names.map((name) =>
      node.attributes[name] ? builder.literal(floatOf(node, name, 0), x!.dtype) : null,
    );
    return applyMoved(builder, node, [x, ...numbers], names);
  };

/** A Split into equal parts says their sizes. */
const splitSizes: Upgrade = (builder, node, [x, sizes]) => {
  if (sizes) return applyMoved(builder, node, [x, sizes], []);
  const axis = axisOf(node, intOf(node, "axis", 0), x!.shape.length);
  const even = node.outputs.map(() => x!.shape[axis] / node.outputs.length);
  return applyMoved(builder, node, [x, builder.literal(intsOf(node, "split", even), "int64")], ["split"]);
};

/** A softmax over all axes from `axis` (1) on. */
const flatSoftmax: Upgrade = (builder, node, [x]) => {
  const rank = x!.shape.length;
  const given = intOf(node, "axis", 1);
  const axis = given === rank ? rank : axisOf(node, given, rank);
  const rows = x!.shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const [flat] = builder.apply("Reshape", [x, builder.literal([rows, -1], "int64")]);
  const [y] = builder.apply(node.op, [flat], { attributes: { axis: int(-1) }, name: node.name || node.op });
  return builder.apply("Reshape", [y, builder.literal(x!.shape, "int64")]);
};

const reductions = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"];

const changes: Readonly<Record<string, Change>> = {
  ...spatialChanges,
  Softmax: { since: 13, upgrade: flatSoftmax },
  LogSoftmax: { since: 13, upgrade: flatSoftmax },
  Hardmax: { since: 13, upgrade: flatSoftmax },
  Squeeze: { since: 13, upgrade: integersMoved("axes") },
  Unsqueeze: { since: 13, upgrade: integersMoved("axes") },
  ReduceSum: { since: 13, upgrade: integersMoved("axes") },
  ...Object.fromEntries(
    reductions.map((name) => [`Reduce${name}`, { since: 18, upgrade: integersMoved("axes") }]),
  ),
  Split: { since: 18, upgrade: splitSizes },
  Slice: { since: 10, upgrade: integersMoved("starts", "ends", "axes") },
  TopK: { since: 10, upgrade: integersMoved("k") },
  Clip: { since: 11, upgrade: numbersMoved("min", "max") },
  // Before 12 whether it trains was not said: it does not.
  Dropout: { since: 12, upgrade: (builder, node, [x]) => applyMoved(builder, node, [x], ["ratio"]) },
  Scatter: {
    since: 11,
    upgrade: (builder, node, inputs) => applyMoved(builder, node, inputs, [], "ScatterElements"),
  },
};
