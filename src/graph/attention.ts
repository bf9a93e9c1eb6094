import type { Graph, Node } from "./graph.ts";

/** One attention in a graph. */
export interface AttentionLayer {
  /** Position among the attention layers, in the order in which they run. */
  readonly index: number;
  /** The module's name, as far as node names tell: "mid.0/attention"; with "#index" behind it where that is taken. */
  readonly name: string;
  /** Where in a UNet, by its name; null when the name does not tell. */
  readonly position: "down" | "mid" | "up" | null;
  /** Name of what the softmax gives: the attention map. */
  readonly softmax: string;
  /** Name of the product of the attention map and the values. */
  readonly context: string;
}

/** Every attention of a graph: a Softmax whose result is the left operand of a MatMul (directly or through Cast). */
export function attentionLayers(graph: Graph): readonly AttentionLayer[] {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  const layers: AttentionLayer[] = [];
  for (const softmax of graph.nodes) {
    if (softmax.op !== "Softmax") continue;
    const context = contextOf(softmax, readers);
    if (!context) continue;
    const module = moduleOf(softmax.name);
    const name = layers.some((layer) => layer.name === module) ? `${module}#${layers.length}` : module;
    layers.push({
      index: layers.length,
      name,
      position: positionOf(name),
      softmax: softmax.outputs[0],
      context: context.outputs[0],
    });
  }
  return layers;
}

function contextOf(node: Node, readers: ReadonlyMap<string, readonly Node[]>): Node | null {
  for (const reader of readers.get(node.outputs[0]) ?? []) {
    if (reader.op === "MatMul" && reader.inputs[0] === node.outputs[0]) return reader;
    if (reader.op === "Cast") return contextOf(reader, readers);
  }
  return null;
}

function moduleOf(nodeName: string): string {
  return nodeName.replace(/^\//, "").replace(/\/[^/]*$/, "");
}

function positionOf(name: string): AttentionLayer["position"] {
  const found = /(?:^|[/._])(down|mid|middle|up)(?:$|[/._])/.exec(name)?.[1];
  return found === "middle" ? "mid" : ((found as AttentionLayer["position"]) ?? null);
}
