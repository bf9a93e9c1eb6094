import { UsageError } from "../base/errors.ts";
import { type AttentionLayer, attentionLayers } from "./attention.ts";
import type { Builder } from "./builder.ts";
import type { Graph } from "./graph.ts";
import { greater, where } from "./ops/elementwise.ts";
import { type Intercept, builderFor, declareInputs, replay } from "./replay.ts";
import type { Value } from "./value.ts";

/** Which attention layers: names (substring of the layer's name), positions ("down", "mid", "up"), indices in execution order, or "all". */
export type LayerSelection = "all" | readonly (string | number)[];

/**
 * How the self-attention map A = softmax(QK'/sqrt(d)) of the selected layers is replaced.
 * identity: A = I, so the result is V (PAG, arXiv:2403.17377, Eq. 13).
 * random-mask: logits are set to -inf with probability p, everywhere.
 * off-diagonal-mask: the same, the diagonal always kept. p = 1 is the identity.
 */
export interface Perturbation {
  readonly kind: "identity" | "random-mask" | "off-diagonal-mask";
  readonly layers: LayerSelection;
  /** Probability of masking a logit, in [0, 1]; for the two masks. */
  readonly p?: number;
  /** Seed of the masks; a mask depends on (seed, layer, sigma) and is the same for every row of the batch. */
  readonly seed?: number;
}

/** What takes the place of -inf: its exponential is 0, and a row that is masked everywhere is even instead of NaN. */
const MASKED = -1e30;

/** The chosen layers. Throws UsageError for a selection that matches none, and lists the layers. */
export function selectLayers(
  layers: readonly AttentionLayer[],
  selection: LayerSelection,
): readonly AttentionLayer[] {
  if (selection === "all") return layers;
  const listing = layers.map(({ index, name }) => `${index} ${name}`).join(", ") || "none";
  const chosen = selection.flatMap((wanted) => {
    const found = layers.filter((layer) =>
      typeof wanted === "number"
        ? layer.index === wanted
        : layer.position === wanted || layer.name.includes(wanted),
    );
    if (found.length === 0)
      throw new UsageError(`no attention layer is called "${wanted}"; the layers are: ${listing}`);
    return found;
  });
  return layers.filter((layer) => chosen.includes(layer));
}

/** The name of the input that takes a layer's mask: float32 [1, 1, queries, keys], 1 where the logit is masked. */
export function maskInput(layer: AttentionLayer): string {
  return `mask/${layer.name}`;
}

/** What `replay` is told to make a perturbed network; masks become inputs of the builder. */
export function perturbing(graph: Graph, builder: Builder, { kind, layers }: Perturbation): Intercept {
  const chosen = selectLayers(attentionLayers(graph), layers);
  const bySoftmax = new Map(chosen.map((layer) => [layer.softmax, layer]));
  const byContext = new Map(chosen.map((layer) => [layer.context, layer]));
  return (node, inputs) => {
    if (kind === "identity") return byContext.has(node.name) ? [inputs[1]!] : null;
    const layer = bySoftmax.get(node.name);
    if (!layer) return null;
    const logits = inputs[0]!;
    const masked = where(greater(maskOf(builder, layer, logits.shape), 0.5), MASKED, logits);
    return builder.apply(node.op, [masked], { attributes: node.attributes, name: `${node.name}/masked` });
  };
}

function maskOf(builder: Builder, layer: AttentionLayer, logits: readonly number[]): Value {
  const shape = [1, 1, logits[logits.length - 2], logits[logits.length - 1]];
  return builder.findInput(maskInput(layer)) ?? builder.input(maskInput(layer), "float32", shape);
}

/** The graph with the attention of the chosen layers perturbed. Masks are further inputs, see `maskInput`. */
export function perturb(graph: Graph, how: Perturbation): Graph {
  const builder = builderFor(graph);
  const inputs = declareInputs(graph, builder);
  const outputs = replay(graph, builder, inputs, perturbing(graph, builder, how));
  return { ...builder.build(outputs, { name: graph.name }), metadata: graph.metadata };
}
