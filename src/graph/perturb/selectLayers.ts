import { UsageError } from "../../base/errors.ts";
import type { AttentionLayer } from "../attention.ts";
import { nameMatcher } from "./matchName.ts";
import type { LayerSelection } from "./perturbation.ts";

type Attention = "self" | "cross" | "any";

type Listed = Pick<AttentionLayer, "index" | "name" | "kind" | "position">;

/**
 * The chosen layers, in the order in which they run. "self" means self-attention and joint attention; cross-attention has to
 * be asked for. Throws UsageError for a part of a selection that matches none, and lists the layers.
 */
export function selectLayers<L extends Listed>(
  layers: readonly L[],
  selection: LayerSelection,
  attention: Attention = "self",
): readonly L[] {
  if (layers.length === 0) throw new UsageError("the network has no attention layer to perturb");
  const meant = layers.filter(
    ({ kind }) => attention === "any" || (kind === "cross") === (attention === "cross"),
  );
  const listing = layers
    .map(({ index, name, kind }) => `${index} ${name}${kind === "self" ? "" : ` (${kind})`}`)
    .join(", ");
  if (selection === "all") {
    if (meant.length > 0) return meant;
    throw new UsageError(
      `the network has no ${attention}-attention layer to perturb; its layers are: ${listing}`,
    );
  }
  const chosen = selection.flatMap((wanted) => {
    const matches = matcher(wanted, layers);
    const found = meant.filter(matches);
    if (found.length > 0) return found;
    if (layers.some(matches)) {
      throw new UsageError(
        `"${wanted}" names no ${attention}-attention: add { attention: "any" } to mean it; the layers are: ${listing}`,
      );
    }
    throw new UsageError(`no attention layer is called "${wanted}"; the layers are: ${listing}`);
  });
  return layers.filter((layer) => chosen.includes(layer));
}

function matcher(wanted: string | number, layers: readonly Listed[]): (layer: Listed) => boolean {
  if (typeof wanted === "number") return ({ index }) => index === wanted;
  if (layers.some(({ position }) => position === wanted)) return ({ position }) => position === wanted;
  const matches = nameMatcher(wanted);
  return ({ name }) => matches(name);
}
