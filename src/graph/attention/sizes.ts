import { FairleadError } from "../../base/errors.ts";
import { sizeOf } from "../../base/tensor.ts";
import type { Graph } from "../graph.ts";
import { builderFor, declareInputs, replay } from "../replay.ts";
import { fusedSizes } from "./fused.ts";
import type { Structure } from "./structure.ts";
import type { Wiring } from "./wiring.ts";

export type Shapes = ReadonlyMap<string, readonly number[]>;

/** Numbers of an attention; all null in a graph whose dimensions are not bound. */
export interface Sizes {
  readonly heads: number | null;
  /** Numbers of a head, of queries and keys. */
  readonly headSize: number | null;
  readonly queries: number | null;
  readonly keys: number | null;
  /** First and behind-the-last token of the image in a joint attention; null for others. */
  readonly image: { readonly start: number; readonly end: number } | null;
}

/** The shape of each value that a node reads, up to the first operator without a rule; null where dimensions are not bound. */
export function shapesOf(graph: Graph): Shapes | null {
  if (graph.inputs.some(({ shape }) => shape.some((dim) => typeof dim === "string"))) return null;
  const shapes = new Map<string, readonly number[]>();
  try {
    const builder = builderFor(graph);
    replay(graph, builder, declareInputs(graph, builder), (node, inputs) => {
      node.inputs.forEach((name, i) => {
        if (inputs[i]) shapes.set(name, inputs[i].shape);
      });
      return null;
    });
  } catch (error) {
    if (!(error instanceof FairleadError)) throw error;
  }
  return shapes;
}

export function sizesOf(layer: Structure, shapes: Shapes | null, wiring: Wiring): Sizes {
  if (layer.fused) {
    return { ...fusedSizes(layer, shapes), image: shapes && imageTokens(layer, (name) => shapes.get(name)) };
  }
  const logits = shapes?.get(layer.logits);
  const query = shapes?.get(layer.query);
  if (!shapes || !logits || !query)
    return { heads: null, headSize: null, queries: null, keys: null, image: null };
  const headSize = query.at(layer.scores.queryChannels)!;
  return {
    heads: headsOf(layer, logits, headSize, shapes, wiring),
    headSize,
    queries: logits.at(-2)!,
    keys: logits.at(-1)!,
    image: imageTokens(layer, (name) => shapes.get(name)),
  };
}

/** Where the image's tokens stand in the sequence of a joint attention. */
export function imageTokens(
  { joint }: Structure,
  shapeOf: (name: string) => readonly number[] | undefined,
): Sizes["image"] {
  if (!joint) return null;
  const { node, imagePart } = joint;
  const axis = node.attributes.axis?.value as number;
  const lengths = node.inputs.map((name) => shapeOf(name)?.at(axis) ?? 0);
  const start = lengths.slice(0, imagePart).reduce((a, b) => a + b, 0);
  return { start, end: start + lengths[imagePart] };
}

/** Heads: an axis of their own in scores of rank 4; in rank 3 one with the batch, [batch * heads, queries, keys]. */
function headsOf(
  layer: Structure,
  logits: readonly number[],
  headSize: number,
  shapes: Shapes,
  wiring: Wiring,
): number | null {
  if (logits.length !== 3) return logits.at(-3) ?? 1;
  const merged = logits[0];
  const [origin] = layer.queryOrigins;
  const projected = origin.projection && shapes.get(origin.projection.outputs[0]);
  // Not taken apart since it was projected: one head.
  if (projected && sameDims(projected, shapes.get(layer.query)!)) return 1;

  // [..., heads * headSize] just before it is taken apart.
  let name = layer.query;
  for (let node = wiring.producer(name); node && node !== origin.projection; node = wiring.producer(name)) {
    const next = node.inputs.find((input) => wiring.varies(input));
    if (next === undefined) break;
    name = next;
    const width = shapes.get(name)?.at(-1) ?? 0;
    if (
      node.op === "Reshape" &&
      width > headSize &&
      width % headSize === 0 &&
      merged % (width / headSize) === 0
    ) {
      return width / headSize;
    }
  }
  const batch = shapes.get(origin.source)?.[0] ?? 0;
  return batch > 0 && Number.isInteger(merged / batch) ? merged / batch : null;
}

function sameDims(a: readonly number[], b: readonly number[]): boolean {
  if (sizeOf(a) !== sizeOf(b) || a.length !== b.length) return false;
  const sorted = [...b].sort((x, y) => x - y);
  return [...a].sort((x, y) => x - y).every((dim, i) => dim === sorted[i]);
}
