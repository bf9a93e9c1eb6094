import { UsageError } from "../../base/errors.ts";
import { type AttentionLayer, attentionLayers } from "../../graph/attention.ts";
import { type Cost, costOf, weightsOf } from "../../graph/cost.ts";
import type { Graph, NamedType } from "../../graph/graph.ts";
import { openGraph } from "../../models/openGraph.ts";
import { bytes, count, percent, significant } from "../../report/format.ts";
import { type Table, terminalTable } from "../../report/table.ts";
import { assertBound, bindings, bound } from "../bindings.ts";
import { type Io, print, printJson } from "../io.ts";
import { common, readOptions } from "../options.ts";

/** The names of values, which mean nothing outside of the graph. */
type ValueNames = "scores" | "logits" | "softmax" | "context" | "query" | "key" | "value" | "image";

/** What `fairlead inspect` says of a graph. */
interface Inspection {
  readonly model: string;
  readonly file: string | null;
  readonly name: string;
  readonly producer: string | null;
  readonly opset: number;
  /** Versions of other operator sets. */
  readonly domains: Readonly<Record<string, number>>;
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  readonly nodes: number;
  readonly parameters: number;
  readonly weightBytes: number;
  /** Of one evaluation at the bound sizes; null where dimensions are open or an operator has no rule. */
  readonly flops: number | null;
  readonly activationBytes: number | null;
  /** Why flops is null. */
  readonly uncounted: string | null;
  readonly operators: readonly {
    readonly op: string;
    readonly count: number;
    readonly flops: number | null;
  }[];
  readonly attention: readonly Omit<AttentionLayer, ValueNames>[];
}

/** `fairlead inspect MODEL`: inputs, outputs, operators, parameters, cost and attention layers of a graph. */
export async function runInspect(io: Io, model: string, given: unknown): Promise<number> {
  const { json, bind } = readOptions({ json: common.json, bind: bindings.default({}) }, given);
  const opened = await openGraph(model);
  const graph = bound(opened.graph, bind);
  const inspection = inspect(graph, model, opened.file);
  if (json) printJson(io, inspection);
  else for (const line of linesOf(inspection)) print(io, line);
  return 0;
}

function inspect(graph: Graph, model: string, file: string | null): Inspection {
  const { cost, uncounted } = counted(graph);
  const { origin, domains = {} } = graph;
  const numbers = operatorCounts(graph);
  return {
    model,
    file,
    name: graph.name,
    producer: [origin?.producer, origin?.producerVersion].filter(Boolean).join(" ") || null,
    opset: graph.opset,
    domains,
    inputs: graph.inputs.map(typeOnly),
    outputs: graph.outputs.map(typeOnly),
    nodes: graph.nodes.length,
    ...weightsOf(graph),
    flops: cost?.flops ?? null,
    activationBytes: cost?.activationBytes ?? null,
    uncounted,
    operators: [...numbers]
      .map(([op, n]) => ({ op, count: n, flops: cost ? (cost.byOperator.get(op)?.flops ?? 0) : null }))
      .sort((a, b) => (b.flops ?? 0) - (a.flops ?? 0) || b.count - a.count),
    attention: attentionLayers(graph).map(
      ({ index, name, kind, position, block, masked, heads, queries, keys, headSize }) => {
        return { index, name, kind, position, block, masked, heads, queries, keys, headSize };
      },
    ),
  };
}

const typeOnly = ({ name, dtype, shape }: NamedType): NamedType => ({ name, dtype, shape });

/** How many nodes there are of each operator. */
function operatorCounts(graph: Graph): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { op, domain } of graph.nodes) {
    const name = domain === "" ? op : `${domain}::${op}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** The cost of one evaluation, or why it is not known. */
function counted(graph: Graph): { cost: Cost | null; uncounted: string | null } {
  try {
    assertBound(graph, "counting operations");
    return { cost: costOf(graph), uncounted: null };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { cost: null, uncounted: error.message };
  }
}

function linesOf(found: Inspection): string[] {
  const { opset, domains, producer, nodes, parameters, weightBytes, flops, activationBytes, uncounted } =
    found;
  const sets = [`opset ${opset}`, ...Object.entries(domains).map(([name, version]) => `${name} ${version}`)];
  return [
    [found.file ?? found.model, sets.join(", "), ...(producer ? [`by ${producer}`] : [])].join(" · "),
    `${count(nodes)} nodes, ${count(parameters)} parameters, ${bytes(weightBytes)} of weights`,
    flops === null
      ? `operations: ${uncounted}`
      : `one evaluation: ${significant(flops / 1e9)} GFLOP, ${bytes(activationBytes!)} of activations`,
    "",
    terminalTable(typesTable(found)),
    "",
    terminalTable(operatorsTable(found)),
    "",
    ...(found.attention.length === 0
      ? ["No attention."]
      : [
          terminalTable(attentionTable(found)),
          "",
          "Layers by index, name or position go into --perturb of fairlead rewrite.",
        ]),
  ];
}

function typesTable({ inputs, outputs }: Inspection): Table {
  const row = (what: string) => (type: NamedType) => [
    what,
    type.name,
    type.dtype,
    `[${type.shape.join(", ")}]`,
  ];
  return {
    columns: ["", "name", "type", "shape"].map((title) => ({ title })),
    rows: [...inputs.map(row("input")), ...outputs.map(row("output"))],
  };
}

function operatorsTable({ operators, flops }: Inspection): Table {
  return {
    columns: [
      { title: "operator" },
      { title: "nodes" },
      ...(flops === null ? [] : [{ title: "operations", align: "right" as const }]),
    ],
    rows: operators.map(({ op, count: n, flops: own }) => [
      op,
      n,
      ...(flops === null ? [] : [flops > 0 ? percent(own! / flops) : null]),
    ]),
    notes:
      flops === null
        ? []
        : ["Operations are counted after simplifying: equal, constant and unused nodes cost nothing."],
  };
}

function attentionTable({ attention }: Inspection): Table {
  return {
    columns: ["layer", "name", "kind", "where", "heads", "queries", "keys", "head size"].map((title) => ({
      title,
    })),
    rows: attention.map(({ index, name, kind, position, masked, heads, queries, keys, headSize }) => [
      index,
      name,
      masked ? `${kind}, masked` : kind,
      position,
      heads,
      queries,
      keys,
      headSize,
    ]),
  };
}
