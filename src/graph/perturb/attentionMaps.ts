import { UsageError } from "../../base/errors.ts";
import { attentionLayers } from "../attention.ts";
import { decompose } from "../decompose.ts";
import type { Graph } from "../graph.ts";
import { reduceMean, reduceSum } from "../ops/reduce.ts";
import { reshape } from "../ops/reshape.ts";
import { builderFor, declareInputs, replay } from "../replay.ts";
import type { Value } from "../value.ts";
import type { LayerSelection } from "./perturbation.ts";
import { selectLayers } from "./selectLayers.ts";

interface MapOptions {
  /**
   * map: probabilities [batch, heads, queries, keys]. received: their mean over heads, summed over queries, [batch, keys]: how
   * much each token is looked at, 1 on average in self-attention (the mask of SAG, arXiv:2210.00939, is where it is above 1).
   */
  readonly give?: "map" | "received";
  readonly attention?: "self" | "cross" | "any";
  /** Whether the maps are the only outputs: what comes after the last of them is then not computed. Default: false. */
  readonly alone?: boolean;
}

/** The name of the output that holds a layer's map. */
export function mapOutput(layer: { readonly name: string }, give: "map" | "received" = "map"): string {
  return `attention/${give}/${layer.name}`;
}

/** The graph with attention maps of chosen layers as (further) outputs, see `mapOutput`. Throws UsageError as `selectLayers`. */
export function withAttentionMaps(graph: Graph, layers: LayerSelection, options: MapOptions = {}): Graph {
  const { give = "map", attention = "self", alone = false } = options;
  // An attention that is one operator has no map before it is written out; its name is the one it had.
  const open = decompose(graph);
  const insides = attentionLayers(open);
  const chosen = selectLayers(attentionLayers(graph), layers, attention).map((layer) => {
    return { ...layer, softmax: insides[layer.index].softmax };
  });
  const builder = builderFor(open);
  const inputs = declareInputs(open, builder);
  const maps = new Map<string, Value>();
  const outputs = replay(open, builder, inputs, (node, given, { compute }) => {
    const found = chosen.filter(({ softmax }) => node.outputs.includes(softmax));
    if (found.length === 0) return null;
    const results = compute(given);
    for (const layer of found) {
      const map = headsApart(layer.name, results[node.outputs.indexOf(layer.softmax)], layer.heads);
      maps.set(mapOutput(layer, give), give === "map" ? map : received(map));
    }
    return results;
  });
  const all = { ...(alone ? {} : outputs), ...Object.fromEntries(maps) };
  return { ...builder.build(all, { name: graph.name, keepInputs: true }), metadata: graph.metadata };
}

/** [batch, heads, queries, keys] of a map whose heads may share an axis with the batch. */
function headsApart(name: string, map: Value, heads: number | null): Value {
  const [queries, keys] = map.shape.slice(-2);
  if (map.shape.length === 4) return map;
  if (heads !== null) return reshape(map, [-1, heads, queries, keys]);
  throw new UsageError(`how many heads the attention "${name}" has is not known`);
}

function received(map: Value): Value {
  return reduceSum(reduceMean(map, [1]), [1]);
}
