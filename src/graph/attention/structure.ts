import type { Graph, Node } from "../graph.ts";
import { inlineFunctions } from "../inlineFunctions.ts";
import { type Joint, Streams } from "./joint.ts";
import { blockOf, commonModule, moduleOf, moduleOfPath, parametersOf } from "./modules.ts";
import { projectsItself } from "./fused.ts";
import { type Origin, firstForm, isLinear, originsOf } from "./origins.ts";
import { type Pattern, attentionPatterns } from "./pattern.ts";
import { Wiring } from "./wiring.ts";

/** What is known of an attention without shapes. */
export interface Structure extends Pattern {
  readonly index: number;
  /** The module that made it, with dots; "" where the exporter left no trace. */
  readonly module: string;
  readonly kind: "self" | "cross" | "joint";
  /** Names of the operands. */
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly queryOrigins: readonly Origin[];
  /** Where the sequence of a joint attention is joined; null for others, and where the image's part cannot be told. */
  readonly joint: Joint | null;
}

export interface Found {
  readonly wiring: Wiring;
  readonly layers: readonly Structure[];
}

const found = new WeakMap<Graph, Found>();

/** Every attention of a graph by structure, in the order in which they run. Graphs are immutable: it is found once. */
export function structureOf(graph: Graph): Found {
  const known = found.get(graph);
  if (known) return known;
  const wiring = new Wiring(inlineFunctions(graph));
  const patterns = attentionPatterns(wiring);
  const contexts = new Set(patterns.map(({ context }) => context.node.outputs[0]));
  const streams = new Streams(wiring, contexts);
  const layers = patterns.map((pattern, index) => ({ index, ...describe(pattern, wiring, streams) }));
  const result = { wiring, layers };
  found.set(graph, result);
  return result;
}

function describe(pattern: Pattern, wiring: Wiring, streams: Streams): Omit<Structure, "index"> {
  const { scores, context } = pattern;
  const query = scores.node.inputs[scores.queryInput];
  const key = scores.node.inputs[scores.keyInput];
  const value = context.node.inputs[context.valueInput];
  const inside = projectsItself(scores.node);
  const own = [{ source: firstForm(query, wiring), projection: scores.node }];
  const queryOrigins = inside ? own : originsOf(query, wiring);
  const keyOrigins = inside ? own : originsOf(key, wiring);
  const operands = { query, key, value, queryOrigins };
  const projections = [...queryOrigins, ...keyOrigins, ...originsOf(value, wiring)];
  const module = moduleFor(pattern, projections, wiring);

  const asked = new Set(queryOrigins.map(({ source }) => source));
  const answered = new Set(keyOrigins.map(({ source }) => source));
  if (![...asked].every((source) => answered.has(source)))
    return { ...pattern, ...operands, module, kind: "cross", joint: null };
  if (asked.size > 1) {
    return { ...pattern, ...operands, module, kind: "joint", joint: jointOf(queryOrigins, streams) };
  }
  const joint = streams.jointBehind(queryOrigins[0].source);
  return { ...pattern, ...operands, module, kind: joint ? "joint" : "self", joint };
}

/** The Concat that joins the queries of several origins, and which of its inputs is the image's. */
function jointOf(origins: readonly Origin[], streams: Streams): Joint | null {
  const node = origins[0].joined?.node;
  if (!node || origins.some(({ joined }) => joined?.node !== node)) return null;
  const parts = origins.map(({ joined }) => joined!.part);
  const image = streams.imagePart(origins.map(({ source }) => source));
  return image === null ? null : { node, imagePart: parts[image] };
}

/** The module's name where the exporter left it: on the softmax's node or value, else in the names of the linear layers' weights. */
function moduleFor(pattern: Pattern, origins: readonly Origin[], wiring: Wiring): string {
  // A fused operator takes the place of others: their values keep their names, "/attn1/Reshape_7_output_0".
  const result = pattern.context.node.outputs[0];
  const path = result.startsWith("/") ? moduleOfPath(result) : "";
  const module = (pattern.fused && path) || moduleOf(pattern.softmax) || path;
  if (module !== "") return module;
  const layers = origins.flatMap(({ projection }) => projection ?? []);
  const out = outProjection(result, wiring, 8);
  const parameters = new Set(
    [...layers, ...(out ? [out] : [])].flatMap((node) => parametersOf(node, wiring)),
  );
  return commonModule([...parameters]);
}

/** The linear layer that an attention's result goes through first. */
function outProjection(value: string, wiring: Wiring, reach: number): Node | null {
  if (reach === 0) return null;
  for (const reader of wiring.readers(value)) {
    if (isLinear(reader, wiring)) return reader;
    const layout = ["Reshape", "Transpose", "Cast", "Identity", "Squeeze", "Unsqueeze"].includes(reader.op);
    const found = layout && outProjection(reader.outputs[0], wiring, reach - 1);
    if (found) return found;
  }
  return null;
}

/** The block that a layer stands in: by its name, else its place among those that are not cross-attention. */
export function blockIndex(layer: Structure, layers: readonly Structure[]): number {
  const named = blockOf(layer.module);
  if (named !== null) return named;
  const before = layers.slice(0, layer.index + 1).filter(({ kind }) => kind !== "cross");
  return Math.max(0, before.length - 1);
}
