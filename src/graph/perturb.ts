import { UsageError } from "../base/errors.ts";
import { type AttentionLayer, attentionLayers } from "./attention.ts";
import type { Builder } from "./builder.ts";
import type { Graph } from "./graph.ts";
import { greater, where } from "./ops/elementwise.ts";
import { type Intercept, builderFor, declareInputs, replay } from "./replay.ts";
import { check } from "./shapes.ts";
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
  /** Probability of masking a logit, in [0, 1]; for the two masks. Default 0.25. */
  readonly p?: number;
  /** Seed of the masks, default 0; a mask depends on (seed, layer, sigma) and is the same for every row of the batch. */
  readonly seed?: number;
}

/** What takes the place of -inf: its exponential is 0, and a row that is masked everywhere is even instead of NaN. */
const MASKED = -1e30;

/** Probability of masking a logit where none is given. */
const DEFAULT_P = 0.25;

/** The chosen layers. Throws UsageError for a selection that matches none, and lists the layers. */
export function selectLayers(
  layers: readonly AttentionLayer[],
  selection: LayerSelection,
): readonly AttentionLayer[] {
  if (layers.length === 0) throw new UsageError("the network has no attention layer to perturb");
  if (selection === "all") return layers;
  const listing = layers.map(({ index, name }) => `${index} ${name}`).join(", ");
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

/**
 * The name of the input that takes a layer's mask: float32 [1, 1, queries, keys], 1 where the logit is masked. Masks that
 * are drawn in different ways have different names.
 */
export function maskInput(layer: AttentionLayer, { kind, p = DEFAULT_P, seed = 0 }: Perturbation): string {
  return `mask/${kind}/${p}/${seed}/${layer.name}`;
}

/**
 * What `replay` is told to make a perturbed network; masks become inputs of the builder.
 * Throws UsageError for a selection that matches no layer, and for the identity where queries and keys differ in number.
 */
export function perturbing(graph: Graph, builder: Builder, how: Perturbation): Intercept {
  const chosen = selectLayers(attentionLayers(graph), how.layers);
  const bySoftmax = new Map(chosen.map((layer) => [layer.softmax, layer]));
  const byContext = new Map(chosen.map((layer) => [layer.context, layer]));
  return (node, inputs) => {
    if (how.kind === "identity") {
      const layer = byContext.get(node.outputs[0]);
      return layer ? [valuesOf(layer, inputs[0]!, inputs[1]!)] : null;
    }
    const layer = bySoftmax.get(node.outputs[0]);
    if (!layer) return null;
    const logits = inputs[0]!;
    const mask = maskOf(builder, maskInput(layer, how), logits.shape);
    const masked = where(greater(mask, 0.5), MASKED, logits);
    return builder.apply(node.op, [masked], { attributes: node.attributes, name: `${node.name}/masked` });
  };
}

/** The values in the place of map times values. */
function valuesOf(layer: AttentionLayer, map: Value, values: Value): Value {
  const [queries, keys] = map.shape.slice(-2);
  check(
    { name: layer.name },
    queries === keys,
    () => `the identity cannot stand for a map of ${queries} x ${keys}`,
  );
  return values;
}

function maskOf(builder: Builder, name: string, logits: readonly number[]): Value {
  return builder.findInput(name) ?? builder.input(name, "float32", [1, 1, ...logits.slice(-2)]);
}

/** The graph with the attention of the chosen layers perturbed. Masks are further inputs, see `maskInput`. */
export function perturb(graph: Graph, how: Perturbation): Graph {
  const builder = builderFor(graph);
  const inputs = declareInputs(graph, builder);
  const outputs = replay(graph, builder, inputs, perturbing(graph, builder, how));
  return { ...builder.build(outputs, { name: graph.name }), metadata: graph.metadata };
}
