import { type Position, positionOf } from "./attention/modules.ts";
import { type Sizes, shapesOf, sizesOf } from "./attention/sizes.ts";
import { type Structure, blockIndex, structureOf } from "./attention/structure.ts";
import type { Graph } from "./graph.ts";

/** One attention in a graph: context = softmax(scale * query key' + mask) value. */
export interface AttentionLayer extends Sizes {
  /** Position among the attention layers, in the order in which they run. */
  readonly index: number;
  /**
   * The module's name as the exporter left it ("mid_block.attentions.0.transformer_blocks.0.attn1"; of our own networks
   * "mid/attention"), else what its weights' names have in common, else its node's. With "#index" behind it where that is taken.
   */
  readonly name: string;
  /**
   * self: queries and keys are made of one tensor. cross: of two. joint: of image tokens and others (text) that are joined in
   * one sequence, as in SD3.
   */
  readonly kind: "self" | "cross" | "joint";
  /** Where in a UNet, by its name; null when the name does not tell. */
  readonly position: Position;
  /** The block's number in the name ("transformer_blocks.2..."), else how many self-attentions run before it. */
  readonly block: number;
  /** Whether something is added to the scores or hides some of them (a causal mask, padding, a position bias). */
  readonly masked: boolean;
  /**
   * Names of the values: the product of queries and keys, what softmax is taken of, the map, and map times values. Where one
   * operator does it all (Attention, com.microsoft's MultiHeadAttention), the first three are "".
   */
  readonly scores: string;
  readonly logits: string;
  readonly softmax: string;
  readonly context: string;
  /** Names of the operands of the two products. */
  readonly query: string;
  readonly key: string;
  readonly value: string;
}

/**
 * Every attention of a graph, found by structure: a softmax over the last axis of a product of two tensors that depend on
 * the inputs, multiplied with a third; scales, masks, casts, guards against NaN and reshapes may stand between them. Or one
 * operator that does all that.
 *
 * Numbers are null in a graph whose dimensions are not bound (`bindShapes`).
 */
export function attentionLayers(graph: Graph): readonly AttentionLayer[] {
  const known = measured.get(graph);
  if (known) return known;
  const { wiring, layers } = structureOf(graph);
  const shapes = layers.length > 0 ? shapesOf(graph) : null;
  const result = listLayers(graph).map((layer) => ({
    ...layer,
    ...sizesOf(layers[layer.index], shapes, wiring),
  }));
  measured.set(graph, result);
  return result;
}

const measured = new WeakMap<Graph, readonly AttentionLayer[]>();

/** The attention layers without their numbers: no shapes are worked out. */
export function listLayers(graph: Graph): readonly Omit<AttentionLayer, keyof Sizes>[] {
  const { layers } = structureOf(graph);
  const names = layerNames(layers);
  return layers.map((layer) => ({
    index: layer.index,
    name: names[layer.index],
    kind: layer.kind,
    position: positionOf(names[layer.index]),
    block: blockIndex(layer, layers),
    masked: layer.masked,
    scores: layer.fused ? "" : layer.scores.node.outputs[0],
    logits: layer.logits,
    softmax: layer.fused ? "" : layer.softmax.outputs[0],
    context: layer.context.node.outputs[0],
    query: layer.query,
    key: layer.key,
    value: layer.value,
  }));
}

function layerNames(layers: readonly Structure[]): readonly string[] {
  const names: string[] = [];
  for (const { module, softmax, index } of layers) {
    const name = ownName(softmax.name) ?? (module || softmax.name);
    names.push(names.includes(name) ? `${name}#${index}` : name);
  }
  return names;
}

/** Our own networks name their nodes by modules with a slash between them, and none in front. */
function ownName(node: string): string | null {
  return /^[^/].*\//.test(node) ? node.replace(/\/[^/]*$/, "") : null;
}
