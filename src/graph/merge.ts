import { UsageError } from "../base/errors.ts";
import type { Builder } from "./builder.ts";
import type { Graph, NamedType, Node } from "./graph.ts";
import { type MergePlan, type Stage, planOf } from "./mergePlan.ts";
import { slice } from "./ops/indexing.ts";
import { concat } from "./ops/reshape.ts";
import { type Perturbation, perturbationKey, perturbing } from "./perturb.ts";
import { builderFor, replay } from "./replay.ts";
import { rowwiseValues } from "./rowwise.ts";
import { readsOf } from "./subgraphs.ts";
import { bindShapes } from "./transform.ts";
import type { Value } from "./value.ts";

/** One evaluation of a network among several that are made together. */
export interface GraphBranch {
  /** Name of its output in the merged graph. */
  readonly name: string;
  /** Inputs that are not the same for all branches: the network's name of each, and its name in the merged graph. */
  readonly inputs?: Condition;
  readonly perturbation?: Perturbation;
}

type Condition = Readonly<Record<string, string>>;

export interface MergeOptions {
  /** Which output of the network branches give. Default: its first. */
  readonly output?: string;
  /**
   * The dimension that counts rows, by the name that the inputs have for it, and the rows of one branch. Rows must not depend
   * on one another. Without it, branches that differ in inputs are computed one after the other.
   */
  readonly batch?: { readonly dim: string; readonly size: number };
}

export interface MergedBranches {
  /** Its inputs: the network's, what branches have in the place of some, and masks. Its outputs: the branches by name. */
  readonly graph: Graph;
  /** What was put together how, in words and operations. Counts them when called. */
  plan(): MergePlan;
}

/**
 * One graph that computes several branches of a network, and once what they have in common; an output a branch.
 *
 * Branches that differ in inputs become rows of one batch from where the first of those inputs is read on. Branches with a
 * perturbation go on from the first perturbed layer with their rows of that batch. The numbers are those of separate runs.
 *
 * Transformations for running, such as `optimise`, come after it: perturbations look for attention as networks have it.
 * Throws UsageError for names that the graph has not, dimensions that are not bound, and selections that match no layer.
 */
export function mergeBranches(
  graph: Graph,
  branches: readonly GraphBranch[],
  { output = graph.outputs[0].name, batch }: MergeOptions = {},
): MergedBranches {
  checkNames(graph, branches, output);
  const conditions = distinct(branches.map(conditionOf), sameCondition);
  const network: Network = {
    graph,
    output,
    batch,
    builder: builderFor(graph),
    varied: variedBy(graph, conditions),
  };
  const groups = batch ? [conditions] : conditions.map((condition) => [condition]);
  const stages = groups.flatMap((group) => stagesOf(network, group, branches));

  const results = Object.assign({}, ...stages.map(({ outputs }) => outputs)) as Record<string, Value>;
  const ordered = Object.fromEntries(branches.map(({ name }) => [name, results[name]]));
  const merged = { ...network.builder.build(ordered, { name: graph.name }), metadata: graph.metadata };
  return { graph: merged, plan: () => planOf(boundTo(network, 1), network.builder, stages) };
}

/** The branches of some conditions: those without a perturbation as one batch, then those of each perturbation. */
function stagesOf(
  network: Network,
  conditions: readonly Condition[],
  branches: readonly GraphBranch[],
): Stage[] {
  const members = branches.filter((branch) => placeIn(conditions, conditionOf(branch)) >= 0);
  const { rowwise, unvaried } = sharing(network, conditions);
  let plain: Pass | null = null;
  const stages: Stage[] = [];
  for (const how of distinct([null, ...members.map(perturbationOf)], samePerturbation)) {
    const own = members.filter((branch) => samePerturbation(perturbationOf(branch), how));
    const rows = distinct(own.map(conditionOf), sameCondition);
    if (rows.length === 0) continue;

    // Where its rows are in the batch of those without a perturbation, if all are there.
    const start: Pass | null = plain && rows.every((row) => placeIn(plain!.rows, row) >= 0) ? plain : null;
    const places = start ? rows.map((row) => placeIn(start.rows, row)) : [];
    const pass = run(network, rows, how, (name) => {
      const known = unvaried(name, rows.length);
      return (
        known ??
        (start && rowwise.has(name) ? pick(start.values.get(name)!, places, start.rows.length) : null)
      );
    });
    if (how === null) plain = pass;

    const result = pass.values.get(network.output)!;
    const outputs = own.map((branch) => [
      branch.name,
      pick(result, [placeIn(rows, conditionOf(branch))], rows.length),
    ]);
    const first = start ? pass.first : null;
    stages.push({
      outputs: Object.fromEntries(outputs) as Record<string, Value>,
      rows: rows.length,
      how,
      first,
    });
  }
  return stages;
}

/** What is the same for all conditions, computed for one and repeated for so many rows. */
function sharing(
  network: Network,
  conditions: readonly Condition[],
): { rowwise: ReadonlySet<string>; unvaried: (name: string, rows: number) => Value | null } {
  const { graph, batch, varied } = network;
  if (!batch || conditions.length === 1) return { rowwise: new Set(), unvaried: () => null };
  const rowwise = rowwiseValues(graph, batch.dim, batch.size);
  const { values } = run(network, [conditions[0]], null, () => null);
  const unvaried = (name: string, rows: number): Value | null =>
    rowwise.has(name) && !varied.has(name) ? concat(new Array<Value>(rows).fill(values.get(name)!), 0) : null;
  return { rowwise, unvaried };
}

/** The network to be merged, and where. */
interface Network {
  readonly graph: Graph;
  readonly output: string;
  readonly batch: MergeOptions["batch"];
  readonly builder: Builder;
  /** Values that depend on inputs in which branches differ. */
  readonly varied: ReadonlySet<string>;
}

/** The network's values for some rows. */
interface Pass {
  readonly rows: readonly Condition[];
  readonly values: ReadonlyMap<string, Value>;
  /** The first node that a perturbation changes; null without one. */
  readonly first: string | null;
}

/** Replays the network for some rows; what no perturbation has changed is taken from `reuse` where it knows it. */
function run(
  network: Network,
  rows: readonly Condition[],
  how: Perturbation | null,
  reuse: (name: string) => Value | null,
): Pass {
  const { builder } = network;
  const bound = boundTo(network, rows.length);
  const change = how && perturbing(bound, builder, how);
  const values = new Map<string, Value>();
  const changed = new Set<string>();
  let first: string | null = null;

  const inputs = inputsFor(network, rows, bound);
  const outputs = replay(bound, builder, inputs, (node, operands, replaying) => {
    const replaced = change?.(node, operands, replaying) ?? null;
    const touched = replaced !== null || readsOf(node).some((name) => changed.has(name));
    if (touched) {
      first ??= node.name;
      for (const name of node.outputs) changed.add(name);
    }
    const results = replaced ?? (touched ? null : reused(node, reuse)) ?? replaying.compute(operands);
    node.outputs.forEach((name, i) => values.set(name, results[i]));
    return results;
  });
  for (const [name, value] of Object.entries(outputs)) values.set(name, value);
  return { rows, values, first };
}

/** The graph with the dimension that counts rows bound to so many conditions. */
function boundTo({ graph, batch }: Network, conditions: number): Graph {
  return batch ? bindShapes(graph, { [batch.dim]: batch.size * conditions }) : graph;
}

/** The inputs of a batch: joined along the first axis where it counts rows. */
function inputsFor(network: Network, rows: readonly Condition[], bound: Graph): Record<string, Value> {
  const inputs: Record<string, Value> = {};
  boundTo(network, 1).inputs.forEach((type, i) => {
    const { name, shape } = type;
    const parts = rows.map((row) => declared(network.builder, row[name] ?? name, type));
    const batched = bound.inputs[i].shape[0] !== shape[0];
    if (!batched && parts.some((part) => part !== parts[0])) {
      throw new UsageError(
        `branches cannot differ in "${name}" as rows of one batch, for its first dimension is not ` +
          `"${network.batch?.dim}": merge them without { batch }`,
      );
    }
    inputs[name] = batched ? concat(parts, 0) : parts[0];
  });
  return inputs;
}

/** The outputs of a node that has been computed in some other pass; null unless all are known there. */
function reused({ outputs }: Node, reuse: (name: string) => Value | null): readonly Value[] | null {
  const values = outputs.map((name) => (name === "" ? null : reuse(name)));
  return values.every((value) => value !== null) ? values : null;
}

/** Some of the equal parts that a batch is made of. */
function pick(batch: Value, places: readonly number[], parts: number): Value {
  if (places.length === parts && places.every((place, i) => place === i)) return batch;
  const size = batch.shape[0] / parts;
  const cut = (place: number): Value =>
    slice(batch, [{ axis: 0, start: place * size, end: (place + 1) * size }]);
  return concat(places.map(cut), 0);
}

function declared(builder: Builder, name: string, { dtype, shape }: NamedType): Value {
  const open = shape.find((dim) => typeof dim === "string");
  if (open !== undefined) {
    throw new UsageError(
      `the dimension "${open}" is not known: bind it first, bindShapes(graph, { "${open}": 1 })`,
    );
  }
  return builder.findInput(name) ?? builder.input(name, dtype, shape as readonly number[]);
}

/** The values that depend on inputs in which some conditions differ. */
function variedBy(graph: Graph, conditions: readonly Condition[]): ReadonlySet<string> {
  const differs = ({ name }: NamedType): boolean =>
    conditions.some((condition) => (condition[name] ?? name) !== (conditions[0][name] ?? name));
  const varied = new Set(graph.inputs.filter(differs).map(({ name }) => name));
  for (const node of graph.nodes) {
    if (readsOf(node).some((name) => varied.has(name))) for (const name of node.outputs) varied.add(name);
  }
  return varied;
}

function checkNames(graph: Graph, branches: readonly GraphBranch[], output: string): void {
  const list = (types: readonly NamedType[]): string => types.map(({ name }) => name).join(", ");
  if (!graph.outputs.some(({ name }) => name === output)) {
    throw new UsageError(`the graph has no output "${output}"; its outputs are: ${list(graph.outputs)}`);
  }
  const names = graph.inputs.map(({ name }) => name);
  const wrong = branches
    .flatMap(({ inputs = {} }) => Object.keys(inputs))
    .find((name) => !names.includes(name));
  if (wrong !== undefined) {
    throw new UsageError(`the graph has no input "${wrong}"; its inputs are: ${list(graph.inputs)}`);
  }
  const twice = branches.find(({ name }, i) => branches.findIndex((other) => other.name === name) !== i);
  if (branches.length === 0 || twice) {
    throw new UsageError(twice ? `two branches are called "${twice.name}"` : "there is no branch to compute");
  }
}

const conditionOf = ({ inputs = {} }: GraphBranch): Condition => inputs;
const perturbationOf = ({ perturbation }: GraphBranch): Perturbation | null => perturbation ?? null;

const sameCondition = (a: Condition, b: Condition): boolean =>
  [...Object.keys(a), ...Object.keys(b)].every((name) => (a[name] ?? name) === (b[name] ?? name));
const placeIn = (rows: readonly Condition[], condition: Condition): number =>
  rows.findIndex((row) => sameCondition(row, condition));
const samePerturbation = (a: Perturbation | null, b: Perturbation | null): boolean =>
  perturbationKey(a ?? undefined) === perturbationKey(b ?? undefined);

function distinct<T>(values: readonly T[], same: (a: T, b: T) => boolean): T[] {
  return values.filter((value, i) => values.findIndex((other) => same(value, other)) === i);
}
