import type { Builder } from "./builder.ts";
import type { Graph, Node } from "./graph.ts";
import { attentionLayers, listLayers } from "./attention.ts";
import type { Sizes } from "./attention/sizes.ts";
import { structureOf } from "./attention/structure.ts";
import { decompose } from "./decompose.ts";
import { blurQueries, blursOutside } from "./perturb/blur.ts";
import { identity, softIdentity } from "./perturb/identity.ts";
import { insideFused } from "./perturb/insideFused.ts";
import { attentionDropout, fixedMask, randomMask } from "./perturb/masks.ts";
import {
  type DropBlocks,
  type Perturbation,
  type ShuffleTokens,
  type Skip,
  type WeightNoise,
  checkPerturbation,
} from "./perturb/perturbation.ts";
import { selectLayers } from "./perturb/selectLayers.ts";
import { shuffleTokens } from "./perturb/shuffle.ts";
import type { Edit, Site, Target } from "./perturb/site.ts";
import { dropBlock, skipAttention, skipBlock, skipFeedForward, zeroAttention } from "./perturb/skip.ts";
import { uniform } from "./perturb/uniform.ts";
import { weightNoise } from "./perturb/weightNoise.ts";
import { type Intercept, builderFor, declareInputs, replay } from "./replay.ts";

export { mapOutput, withAttentionMaps } from "./perturb/attentionMaps.ts";
export type {
  AttentionDropout,
  BlurQueries,
  DropBlocks,
  FixedMask,
  LayerSelection,
  Perturbation,
  PerturbationKind,
  RandomMask,
  ShuffleTokens,
  Skip,
  SoftIdentity,
  WeightNoise,
} from "./perturb/perturbation.ts";
export { checkPerturbation, perturbationKey } from "./perturb/perturbation.ts";
export { type Drawn, drawRandomInputs, gatesInput, randomInput } from "./perturb/randomInputs.ts";
export { selectLayers } from "./perturb/selectLayers.ts";

/**
 * What `replay` is told to make a perturbed network; what is drawn at random becomes inputs of the builder. The graph's
 * dimensions are bound, as `replay` wants it.
 *
 * Throws UsageError for options that are wrong, a selection that matches no layer, and where the perturbation does not fit a
 * layer (the identity where queries and keys differ in number, a block that has no boundaries).
 */
export function perturbing(graph: Graph, builder: Builder, how: Perturbation): Intercept {
  checkPerturbation(how);
  if (how.kind === "weight-noise") return interceptOf(weightNoise(graph, builder, how));
  return perturbingLayers(graph, builder, how, selectLayers(listLayers(graph), how.layers, how.attention));
}

function perturbingLayers(
  graph: Graph,
  builder: Builder,
  how: OfLayer,
  layers: readonly Target["layer"][],
): Intercept {
  const found = structureOf(graph);
  const sites = layers.flatMap((layer) => {
    const structure = found.layers[layer.index];
    const sizes = (): Sizes => attentionLayers(graph)[layer.index];
    const target = { layer, structure, found, inputs: graph.inputs, builder, sizes };
    if (how.kind === "drop-blocks") {
      return dropBlock(
        target,
        how,
        layers.map(({ index }) => index),
      );
    }
    return sitesOf(target, how);
  });
  return interceptOf(sites);
}

function interceptOf(sites: readonly Site[]): Intercept {
  const edits = new Map<Node, Edit>();
  for (const { node, edit } of sites) {
    const before = edits.get(node);
    // Two changes of one node, as a block that two chosen layers stand in, follow one another.
    edits.set(node, before ? (at) => edit({ ...at, compute: (inputs) => before({ ...at, inputs }) }) : edit);
  }
  return (node, inputs, replaying) => edits.get(node)?.({ ...replaying, node, inputs }) ?? null;
}

type OfLayer = Exclude<Perturbation, WeightNoise>;

/** Where a layer is changed. Of an attention that is one operator: inside, written out, unless its surroundings are changed. */
function sitesOf(target: Target, how: Exclude<OfLayer, DropBlocks>): readonly Site[] {
  switch (how.kind) {
    case "zero-attention":
      return zeroAttention(target);
    case "skip-attention":
      return skipAttention(target);
    case "skip-feed-forward":
      return skipFeedForward(target);
    case "skip-block":
      return skipBlock(target);
    case "shuffle-tokens":
      return shuffleTokens(target, how);
    default:
      if (!target.structure.fused) return [siteOf(target, how)];
      if (how.kind === "blur-queries" && blursOutside(target)) return [blurQueries(target, how)];
      return [insideFused(target, (inner) => interceptOf([siteOf(inner, how)]))];
  }
}

function siteOf(target: Target, how: Exclude<OfLayer, Skip | DropBlocks | ShuffleTokens>): Site {
  switch (how.kind) {
    case "identity":
      return identity(target);
    case "soft-identity":
      return softIdentity(target, how.u);
    case "uniform":
      return uniform(target);
    case "random-mask":
    case "off-diagonal-mask":
      return randomMask(target, how);
    case "mask":
      return fixedMask(target, how.masks);
    case "blur-queries":
      return blurQueries(target, how);
    case "attention-dropout":
      return attentionDropout(target, how);
  }
}

/**
 * The graph perturbed; its dimensions are bound. What is drawn at random are further inputs, see `randomInput` and
 * `drawRandomInputs`. Fused operators around an attention are written out where the perturbation is of them (skipped blocks).
 * Throws UsageError as `perturbing` does.
 */
export function perturb(graph: Graph, how: Perturbation): Graph {
  const open = surrounding.has(how.kind) ? decompose(graph) : graph;
  const builder = builderFor(open);
  const inputs = declareInputs(open, builder);
  const outputs = replay(open, builder, inputs, perturbingOpen(graph, open, builder, how));
  return { ...builder.build(outputs, { name: graph.name }), metadata: graph.metadata };
}

/** Kinds that change what surrounds an attention. */
const surrounding: ReadonlySet<string> = new Set([
  ...["zero-attention", "skip-attention", "skip-feed-forward", "skip-block", "drop-blocks", "shuffle-tokens"],
]);

/** `perturbing` of a graph whose fused operators were written out, with the layers chosen by the names they had before. */
function perturbingOpen(graph: Graph, open: Graph, builder: Builder, how: Perturbation): Intercept {
  if (open === graph || how.kind === "weight-noise") return perturbing(open, builder, how);
  checkPerturbation(how);
  const layers = selectLayers(listLayers(graph), how.layers, how.attention);
  return perturbingLayers(open, builder, how, layers);
}
