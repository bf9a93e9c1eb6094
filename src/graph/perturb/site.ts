import { UsageError } from "../../base/errors.ts";
import type { AttentionLayer } from "../attention.ts";
import type { Sizes } from "../attention/sizes.ts";
import type { Found, Structure } from "../attention/structure.ts";
import type { Builder } from "../builder.ts";
import type { NamedType, Node } from "../graph.ts";
import { mul } from "../ops/elementwise.ts";
import type { Replaying } from "../replay.ts";
import type { Value } from "../value.ts";

/** A chosen layer, and where it stands. */
export interface Target {
  readonly layer: Pick<AttentionLayer, "index" | "name" | "kind">;
  readonly structure: Structure;
  readonly found: Found;
  /** The inputs of the network. */
  readonly inputs: readonly NamedType[];
  readonly builder: Builder;
  /** The layer's numbers, worked out when asked for. */
  readonly sizes: () => Sizes;
}

/** What is known at the node that is being replayed. */
export interface At extends Replaying {
  readonly node: Node;
  readonly inputs: readonly (Value | null)[];
}

/** Gives a node's outputs in place of its own. */
export type Edit = (at: At) => readonly Value[];

/** A node whose outputs are replaced. */
export interface Site {
  readonly node: Node;
  readonly edit: Edit;
}

/** First and behind-the-last image token of a joint attention; null for a self-attention, all of whose tokens are perturbed. */
export function imagePart({ layer, sizes }: Target): { start: number; end: number } | null {
  if (layer.kind !== "joint") return null;
  const { image } = sizes();
  if (image) return image;
  throw new UsageError(
    `the attention "${layer.name}" joins several sequences, and which of them is the image cannot be told: ` +
      `none of them comes from an input of rank 4 alone`,
  );
}

/** 1 for the image's tokens and 0 for others, [tokens]. */
export function imageFlags(
  builder: Builder,
  tokens: number,
  image: { start: number; end: number },
  dtype: Value["dtype"],
): Value {
  const flags = Array.from({ length: tokens }, (_, i) => Number(i >= image.start && i < image.end));
  return builder.literal(flags, dtype);
}

/** 1 where both tokens are the image's, [tokens, tokens]. */
export function imageSquare(
  builder: Builder,
  tokens: number,
  image: { start: number; end: number },
  dtype: Value["dtype"],
): Value {
  const flags = Array.from({ length: tokens }, (_, i) => Number(i >= image.start && i < image.end));
  return mul(builder.literal(flags, dtype, [tokens, 1]), builder.literal(flags, dtype, [1, tokens]));
}

/** What takes the place of -inf: its exponential is 0, and a row that is hidden everywhere is even instead of NaN. */
export function hidden(dtype: Value["dtype"]): number {
  return dtype === "float16" ? -6e4 : -1e30;
}

/** The sites where the logits of a layer are replaced: at the softmax, or where they are made if the softmax is written out. */
export function atLogits({ structure, found }: Target, change: (logits: Value) => Value): Site {
  const { softmax, logits } = structure;
  if (softmax.op === "Softmax") {
    return { node: softmax, edit: (at) => at.compute([change(at.inputs[0]!)]) };
  }
  const node = found.wiring.producer(logits)!;
  return {
    node,
    edit: (at) =>
      at.compute(at.inputs).map((value, i) => (node.outputs[i] === logits ? change(value) : value)),
  };
}
