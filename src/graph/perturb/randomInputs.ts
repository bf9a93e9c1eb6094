import { philox } from "../../base/philox.ts";
import { sizeOf } from "../../base/tensor.ts";
import type { AttentionLayer } from "../attention.ts";
import type { NamedType } from "../graph.ts";
import {
  type AttentionDropout,
  DEFAULT_DROPPED,
  DEFAULT_P,
  type DropBlocks,
  type RandomMask,
  type ShuffleTokens,
} from "./perturbation.ts";

/** Kinds whose graphs have random inputs, and what these hold. */
const drawn = {
  "random-mask": "mask",
  "off-diagonal-mask": "mask",
  "attention-dropout": "mask",
  "shuffle-tokens": "order",
} as const;

/**
 * The name of the input that takes what is drawn for a layer. It says all that is needed to draw it, so that a perturbed graph
 * can be run wherever it came from: "mask/off-diagonal-mask/0.25/0/12/mid_block.attentions.0", of p, seed, index and name.
 */
export function randomInput(
  { index, name }: Pick<AttentionLayer, "index" | "name">,
  how: RandomMask | AttentionDropout | ShuffleTokens,
): string {
  const p = how.kind === "shuffle-tokens" ? "" : `/${how.p ?? DEFAULT_P}`;
  return `${drawn[how.kind]}/${how.kind}${p}/${how.seed ?? 0}/${index}/${name}`;
}

/** The name of the input that tells which blocks are dropped, of the layers with these indices: "gates/drop-blocks/0.1/0/2,5,9". */
export function gatesInput(layers: readonly number[], { p = DEFAULT_DROPPED, seed = 0 }: DropBlocks): string {
  return `gates/drop-blocks/${p}/${seed}/${layers.join(",")}`;
}

const maskName = /^mask\/(random-mask|off-diagonal-mask|attention-dropout)\/([^/]+)\/(\d+)\/(\d+)\//;
const orderName = /^order\/shuffle-tokens\/(\d+)\/(\d+)\//;
const gatesName = /^gates\/drop-blocks\/([^/]+)\/(\d+)\//;
/** What is drawn for all layers together has the place behind those of layers. */
const ALL_LAYERS = 1023;

/** A mask as float32 [1, 1, queries, keys], 1 where hidden; an order as int64 [tokens]; gates as float32 [layers], 1 if dropped. */
export interface Drawn {
  readonly data: Float32Array | BigInt64Array;
  readonly shape: readonly number[];
}

/**
 * The random inputs among those of a perturbed graph, drawn for one noise level: from (seed, sigma, layer), so that they do not
 * depend on the batch or on how often the network was called before. Other inputs are left out.
 */
export function drawRandomInputs(inputs: readonly NamedType[], sigma: number): Record<string, Drawn> {
  const feeds: Record<string, Drawn> = {};
  for (const { name, shape } of inputs) {
    const dims = shape as readonly number[];
    const mask = maskName.exec(name);
    if (mask) {
      const [, kind, p, seed, layer] = mask;
      const stream = streamOf(Number(seed), Number(layer), sigma);
      feeds[name] = { data: drawMask(stream, dims, Number(p), kind === "off-diagonal-mask"), shape: dims };
    }
    const order = orderName.exec(name);
    if (order) {
      const [, seed, layer] = order;
      feeds[name] = { data: drawOrder(streamOf(Number(seed), Number(layer), sigma), dims[0]), shape: dims };
    }
    const gates = gatesName.exec(name);
    if (gates) {
      const [, p, seed] = gates;
      const stream = streamOf(Number(seed), ALL_LAYERS, sigma);
      feeds[name] = { data: drawGates(stream, dims[0], Number(p)), shape: dims };
    }
  }
  return feeds;
}

type Stream = ReturnType<typeof philox>;

const streamOf = (seed: number, layer: number, sigma: number): Stream =>
  philox(seed, bitsOf(sigma) * 1024 + layer);

function drawMask(stream: Stream, shape: readonly number[], p: number, keepDiagonal: boolean): Float32Array {
  const keys = shape.at(-1)!;
  const mask = new Float32Array(sizeOf(shape));
  for (let i = 0; i < mask.length; i++) {
    const masked = stream.uniform() < p;
    mask[i] = masked && !(keepDiagonal && i % (keys + 1) === 0) ? 1 : 0;
  }
  return mask;
}

/** A permutation, all equally likely (Fisher and Yates). */
function drawOrder(stream: Stream, tokens: number): BigInt64Array {
  const order = BigInt64Array.from({ length: tokens }, (_, i) => BigInt(i));
  for (let i = tokens - 1; i > 0; i--) {
    const j = stream.integer(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** A share p of the layers, rounded, but at least one unless p is 0; each choice is equally likely. */
function drawGates(stream: Stream, layers: number, p: number): Float32Array {
  const dropped = p === 0 ? 0 : Math.max(1, Math.round(p * layers));
  const order = drawOrder(stream, layers);
  const gates = new Float32Array(layers);
  for (let i = 0; i < dropped; i++) gates[Number(order[i])] = 1;
  return gates;
}

/** The bits of sigma as float32: a whole number that tells noise levels apart. */
function bitsOf(sigma: number): number {
  return new Uint32Array(Float32Array.of(sigma).buffer)[0];
}
