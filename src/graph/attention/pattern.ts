import { intOf } from "../attributes.ts";
import type { Node } from "../graph.ts";
import { type ContextProduct, type ScoresProduct, contextProduct, scoresProduct } from "./contraction.ts";
import { fusedPattern } from "./fused.ts";
import { type Wiring, orderOf, swapsLast } from "./wiring.ts";

/** The operators of one attention: context = softmax(scores) values. */
export interface Pattern {
  /** Whether one operator does it all; scores, softmax and context are then that node, and there are no logits. */
  readonly fused: boolean;
  readonly scores: ScoresProduct;
  /** The node that gives the map; the last of several where softmax is written out. */
  readonly softmax: Node;
  /** What the softmax is taken of: scores, scaled and masked. */
  readonly logits: string;
  readonly context: ContextProduct;
  /** Whether something that is not zero is added to the scores, or puts other values in their place. */
  readonly masked: boolean;
}

/** How many nodes may lie between scores and softmax, and between softmax and context. */
const REACH = 16;

/**
 * Every attention of a graph, in the order in which the softmaxes run: a softmax over the last axis of a product of two
 * tensors that depend on the inputs, whose result is multiplied with a third; or one operator that does all that.
 */
export function attentionPatterns(wiring: Wiring): readonly Pattern[] {
  return wiring.graph.nodes.flatMap((node) => {
    const fused = fusedPattern(node);
    if (fused) return [fused];
    const logits = softmaxOf(node, wiring);
    if (logits === null) return [];
    const context = contextOf(node.outputs[0], wiring, false, REACH);
    const found = context && scoresOf(logits, wiring, REACH);
    return found ? [{ fused: false, ...found, softmax: node, logits, context }] : [];
  });
}

/** What a node takes the softmax of; null when it does not give one. */
function softmaxOf(node: Node, wiring: Wiring): string | null {
  if (node.op === "Softmax" && node.domain === "") {
    return intOf(node, "axis", wiring.graph.opset < 13 ? 1 : -1) === 0 ? null : node.inputs[0];
  }
  if (node.op !== "Div") return null;
  // exp(x - max x) / sum exp(x - max x)
  const [exp, sum] = node.inputs.map((name) => wiring.producer(name));
  if (exp?.op !== "Exp" || sum?.op !== "ReduceSum" || sum.inputs[0] !== node.inputs[0]) return null;
  const shifted = wiring.producer(exp.inputs[0]);
  const max = shifted?.op === "Sub" ? wiring.producer(shifted.inputs[1]) : undefined;
  return max?.op === "ReduceMax" && max.inputs[0] === shifted!.inputs[0] ? shifted!.inputs[0] : exp.inputs[0];
}

/** Follows a map to its product with values. */
function contextOf(map: string, wiring: Wiring, transposed: boolean, reach: number): ContextProduct | null {
  if (reach === 0) return null;
  for (const reader of wiring.readers(map)) {
    const product = contextProduct(reader, reader.inputs.indexOf(map), transposed);
    if (product && wiring.varies(reader.inputs[product.valueInput])) return product;
    const turned = reader.op === "Transpose" && swapsLast(orderOf(reader));
    if (!turned && !keepsMap(reader, map, wiring)) continue;
    const found = contextOf(reader.outputs[0], wiring, turned !== transposed, reach - 1);
    if (found) return found;
  }
  return null;
}

/** Whether a node hands a map on: as another type or shape, scaled, dropped out, or with NaN replaced. */
function keepsMap(node: Node, map: string, wiring: Wiring): boolean {
  switch (node.op) {
    case "Cast":
    case "Identity":
    case "Dropout":
    case "Reshape":
    case "Squeeze":
    case "Unsqueeze":
      return node.inputs[0] === map;
    case "Mul":
      return node.inputs.some((name) => name !== map && !wiring.varies(name));
    case "Where":
      return node.inputs[2] === map && wiring.producer(node.inputs[0])?.op === "IsNaN";
    default:
      return false;
  }
}

/** Follows logits back to the product of queries and keys. */
function scoresOf(
  value: string,
  wiring: Wiring,
  reach: number,
): { scores: ScoresProduct; masked: boolean } | null {
  const node = wiring.producer(value);
  if (!node || reach === 0) return null;
  const product = scoresProduct(node);
  if (product)
    return wiring.varies(node.inputs[product.keyInput]) ? { scores: product, masked: false } : null;
  const through = (input: number, masked: boolean): ReturnType<typeof scoresOf> => {
    const found = scoresOf(node.inputs[input], wiring, reach - 1);
    return found && { ...found, masked: found.masked || masked };
  };
  switch (node.op) {
    case "Cast":
    case "Identity":
    case "Reshape":
    case "Squeeze":
    case "Unsqueeze":
    case "Clip":
    case "Tanh":
      return through(0, false);
    case "Mul":
    case "Div":
    case "Max":
    case "Min":
      return through(0, false) ?? (node.inputs.length > 1 ? through(1, false) : null);
    case "Add":
    case "Sub":
      return through(0, !isZero(node.inputs[1], wiring)) ?? through(1, !isZero(node.inputs[0], wiring));
    case "Where":
      return through(1, true) ?? through(2, true);
    default:
      return null;
  }
}

/** Whether a value is certainly zero, as the empty mask that PyTorch's baddbmm adds. */
function isZero(value: string, wiring: Wiring): boolean {
  const numbers = wiring.numbers(value);
  if (numbers) return numbers.length > 0 && numbers.every((n) => n === 0);
  const node = wiring.producer(value);
  switch (node?.op) {
    case "Mul":
      return node.inputs.some((name) => isZero(name, wiring));
    case "Cast":
    case "Identity":
    case "Reshape":
    case "Expand":
    case "Unsqueeze":
    case "Squeeze":
      return isZero(node.inputs[0], wiring);
    case "ConstantOfShape":
      return node.attributes.value === undefined;
    default:
      return false;
  }
}
