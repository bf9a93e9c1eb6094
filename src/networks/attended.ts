import type { Tensor } from "../base/tensor.ts";
import { attentionLayers } from "../graph/attention.ts";
import type { Graph } from "../graph/graph.ts";
import { type LayerSelection, mapOutput, selectLayers, withAttentionMaps } from "../graph/perturb.ts";
import { tokenGrid } from "../graph/perturb/tokenGrid.ts";
import type { RuntimeTensor } from "../runtime/runtime.ts";

/** An output of a graph that holds how much each token of a layer is looked at, and the grid that the tokens form. */
export interface AttendedMap {
  readonly output: string;
  readonly grid: readonly [height: number, width: number];
}

/**
 * A network's graph that gives nothing but what the tokens of chosen self-attention layers receive. Throws UsageError for layers
 * that it has not, and for tokens whose grid is not known.
 */
export function attendedGraph(
  graph: Graph,
  layers: LayerSelection,
): { readonly graph: Graph; readonly maps: readonly AttendedMap[] } {
  const chosen = selectLayers(attentionLayers(graph), layers);
  return {
    graph: withAttentionMaps(graph, layers, { give: "received", alone: true }),
    maps: chosen.map((layer) => ({
      output: mapOutput(layer, "received"),
      grid: tokenGrid(layer.name, layer.keys!, undefined, graph.inputs),
    })),
  };
}

/** The pieces of a batch, one behind the other: [batch, height, width] of each layer. */
export function joinPieces(
  maps: readonly AttendedMap[],
  pieces: readonly Readonly<Record<string, RuntimeTensor>>[],
): Tensor[] {
  return maps.map(({ output, grid }) => {
    const data = Float32Array.from(pieces.flatMap((piece) => Array.from(piece[output].data, Number)));
    return { data, shape: [data.length / (grid[0] * grid[1]), ...grid] };
  });
}
