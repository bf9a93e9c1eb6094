import { intOf } from "../attributes.ts";
import type { Node } from "../graph.ts";
import { moduleOf, within } from "./modules.ts";
import { dataOf, isLinear } from "./origins.ts";
import type { Found, Structure } from "./structure.ts";
import type { Wiring } from "./wiring.ts";

/** A part of a network that can be bypassed: what goes in and what comes out. */
export interface Span {
  readonly input: string;
  readonly output: string;
}

/** One way of an attention's result into the stream that it is added to: stream + gate * linear(context). */
export interface Residual {
  readonly add: Node;
  /** The stream before. */
  readonly stream: string;
  /** What the attention's output projection gives, before gates. */
  readonly projected: string;
}

/** How far a result may travel to the stream. */
const REACH = 40;

const norms: ReadonlySet<string> = new Set([
  ...["LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization", "GroupNormalization"],
]);

/** Where an attention's result is added to the streams that it was computed from; one of an image, one of text if joint. */
export function residualsOf(layer: Structure, wiring: Wiring): readonly Residual[] {
  const context = layer.context.node.outputs[0];
  const seen = new Set<string>();
  const found: Residual[] = [];
  const visit = (value: string, projected: string | null, reach: number): void => {
    if (seen.has(value) || reach === 0) return;
    seen.add(value);
    for (const reader of wiring.readers(value)) {
      const others = reader.inputs.filter((name) => name !== value && wiring.varies(name));
      if (reader.op === "Add" && others.length === 1 && wiring.dependsOn(context, others[0])) {
        found.push({ add: reader, stream: others[0], projected: projected ?? value });
        continue;
      }
      const product = reader.op === "MatMul" || reader.op === "Einsum" || reader.op === "Gemm";
      if (product && !isLinear(reader, wiring)) continue;
      const first = projected === null && isLinear(reader, wiring);
      const next = first ? throughConstants(reader.outputs[0], wiring) : projected;
      for (const output of reader.outputs) visit(output, next, reach - 1);
    }
  };
  visit(context, null, REACH);
  return found.sort((a, b) => wiring.positionOf(a.add) - wiring.positionOf(b.add));
}

/** Follows a value through biases, constant factors and casts. */
function throughConstants(
  value: string,
  wiring: Wiring,
  passes: (node: Node) => boolean = () => true,
): string {
  const readers = wiring.readers(value);
  if (readers.length !== 1) return value;
  const [node] = readers;
  const same = ["Cast", "Identity", "Dropout"].includes(node.op);
  const scaled = ["Add", "Mul", "Div"].includes(node.op);
  const constant = node.inputs.every((name) => name === value || !wiring.varies(name));
  if (!(same || scaled) || !constant || !passes(node)) return value;
  return throughConstants(node.outputs[0], wiring, passes);
}

/** The attention as a module: what its queries are projected from, and what its output projection gives. */
export function attentionSpan(layer: Structure, residual: Residual, wiring: Wiring): Span {
  const inside = (node: Node): boolean => layer.module !== "" && within(moduleOf(node), layer.module);
  // A module that holds its own norm and residual, as in UNets without text.
  if (inside(residual.add)) {
    const output = throughConstants(residual.add.outputs[0], wiring, inside);
    return { input: residual.stream, output };
  }
  const origin = layer.queryOrigins.find(({ source }) => wiring.dependsOn(source, residual.stream));
  const { projection, source } = origin ?? layer.queryOrigins[0];
  return { input: projection ? dataOf(projection, wiring) : source, output: residual.projected };
}

/** What comes after a stream: stream' = stream + branch(stream). */
interface Branch {
  readonly add: Node;
  readonly linears: readonly Node[];
  /** The attention in it, if there is one. */
  readonly attention: Structure | null;
}

function nextBranch(stream: string, { wiring, layers }: Found): Branch | null {
  const readers = wiring.readers(stream);
  const [only] = readers;
  // A norm behind the sum belongs to the stream (post-norm networks).
  if (readers.length === 1 && norms.has(only.op)) return nextBranch(only.outputs[0], { wiring, layers });
  for (const add of readers) {
    if (add.op !== "Add") continue;
    const branch = add.inputs.find((name) => name !== stream)!;
    if (!branch || !wiring.varies(branch) || !wiring.dependsOn(branch, stream)) continue;
    const nodes = nodesBetween(stream, branch, wiring);
    const attention = layers.find(({ context }) => nodes.has(context.node)) ?? null;
    const linears = [...nodes].filter((node) => isLinear(node, wiring));
    linears.sort((a, b) => wiring.positionOf(a) - wiring.positionOf(b));
    return { add, linears, attention };
  }
  return null;
}

/** The nodes on the ways from one value to another. */
function nodesBetween(from: string, to: string, wiring: Wiring): ReadonlySet<Node> {
  const nodes = new Set<Node>();
  const open = [to];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = wiring.producer(name);
    if (name === from || !node || nodes.has(node) || !wiring.dependsOn(name, from)) continue;
    nodes.add(node);
    open.push(...node.inputs);
  }
  return nodes;
}

/** A branch of at least two linear layers without attention and without mixing of neighbours. */
function isFeedForward({ linears, attention }: Branch, wiring: Wiring): boolean {
  const mixes = linears.some((node) => {
    const kernel = node.op === "Conv" ? (wiring.constant(node.inputs[1])?.shape.slice(2) ?? []) : [];
    return kernel.some((size) => size > 1) && intOf(node, "group", 1) === 1;
  });
  return attention === null && linears.length >= 2 && !mixes;
}

/** A block of a transformer along one stream: attentions, and the feed-forward layer behind them where there is one. */
export interface Block extends Span {
  readonly feedForward: Span | null;
}

/** The block that an attention stands in, along the stream of `residual`. */
export function blockAround(layer: Structure, residual: Residual, found: Found): Block {
  const { wiring, layers } = found;
  const start = layer.kind === "cross" ? startOf(residual.stream, found) : residual.stream;
  let add = residual.add;
  for (;;) {
    const branch = nextBranch(add.outputs[0], found);
    if (branch && isFeedForward(branch, wiring)) {
      const [first, last] = [branch.linears[0], branch.linears.at(-1)!];
      const feedForward = {
        input: dataOf(first, wiring),
        output: throughConstants(last.outputs[0], wiring),
      };
      return { input: start, output: branch.add.outputs[0], feedForward };
    }
    const follows = branch?.attention?.kind === "cross" && holds(branch.attention, branch.add, found);
    if (!follows) break;
    add = branch.add;
  }
  const own = layers.find((other) => holds(other, add, found)) ?? layer;
  const inside = (node: Node): boolean => own.module !== "" && within(moduleOf(node), own.module);
  const output = inside(add) ? throughConstants(add.outputs[0], wiring, inside) : add.outputs[0];
  return { input: start, output, feedForward: null };
}

function holds(layer: Structure, add: Node, { wiring }: Found): boolean {
  return residualsOf(layer, wiring).some((residual) => residual.add === add);
}

/** The stream before the attentions that stand in front of a cross-attention in its block. */
function startOf(stream: string, found: Found): string {
  const { wiring, layers } = found;
  const add = wiring.producer(stream);
  if (add?.op !== "Add") return stream;
  for (const layer of layers) {
    const residual = residualsOf(layer, wiring).find((one) => one.add === add);
    if (residual) return layer.kind === "cross" ? startOf(residual.stream, found) : residual.stream;
  }
  return stream;
}
