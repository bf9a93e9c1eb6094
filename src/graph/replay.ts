import { FairleadError, UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import { type ApplyOptions, Builder } from "./builder.ts";
import { FOLD_LIMIT } from "./constant.ts";
import { graph as graphAttribute } from "./attributes.ts";
import { constantNode } from "./constantNode.ts";
import { type TracedBody, control, isControl, knownBranch } from "./control.ts";
import type { Attributes, Graph, NamedType, Node, OtherType, Subgraph } from "./graph.ts";
import { inlineFunctions } from "./inlineFunctions.ts";
import type { InferredType } from "./rule.ts";
import { findRule } from "./rules/index.ts";
import { type Counts, OpenShapeError, closeShapes } from "./openShapes.ts";
import { type Scope, scopeOf } from "./scope.ts";
import { check } from "./shapes.ts";
import { denseOf } from "./sparse.ts";
import { capturedIn } from "./subgraphs.ts";
import { applyUpgraded, checkOpset } from "./upgrade.ts";
import type { Value } from "./value.ts";

/** Replaces what a node would compute: returns its outputs, or null to let it compute them. */
export type Intercept = (
  node: Node,
  inputs: readonly (Value | null)[],
  replaying: Replaying,
) => readonly Value[] | null;

/** What an intercept can ask for. */
export interface Replaying {
  /** What the node would compute from these inputs. */
  compute(inputs: readonly (Value | null)[]): readonly Value[];
  /** A value that was computed before, by its name in the graph. */
  value(name: string): Value;
}

/**
 * Applies a graph's nodes to `inputs` (by name) inside another builder and returns its outputs by name.
 * What the builder has computed already is not computed again, so replaying two variants of a network shares all that
 * comes before their first difference. Nodes of an older operator set are brought to the builder's, functions and branches
 * that are known to be taken are put in their callers' place. Nodes that have no rule are carried along where the graph
 * says the types of their outputs, and If, Loop and Scan where their bodies tell them.
 *
 * Throws UsageError, naming node and graph, for a missing input, an operator without a rule, inputs that do not fit one, or
 * an operator set that does not fit.
 */
export function replay(
  graph: Graph,
  builder: Builder,
  inputs: Readonly<Record<string, Value>>,
  intercept?: Intercept,
): Record<string, Value> {
  const inlined = inlineFunctions(graph);
  if (inlined.opset > 0) checkOpset(inlined, builder);
  builder.importDomains(inlined.domains ?? {});
  const values = scopeOf();
  for (const { name } of graph.inputs) {
    if (!inputs[name])
      throw new UsageError(`the graph "${graph.name}" has an input "${name}" that was not given`);
    values.set(name, inputs[name]);
  }
  const context = { builder, opset: inlined.opset || builder.opset, intercept };
  const outputs = inGraph(graph, () =>
    closeShapes(graph, (counts) => replayBody(inlined, scopeOf(values), { ...context, counts })),
  );
  return Object.fromEntries(graph.outputs.map(({ name }, i) => [name, outputs[i]]));
}

/** What `work` returns; what it refuses is said with the graph's name. */
export function inGraph<T>(graph: Graph, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${error.message} (in the graph "${graph.name}")`, { cause: error });
  }
}

interface Context {
  readonly builder: Builder;
  /** Operator set of the nodes that are replayed. */
  readonly opset: number;
  readonly intercept?: Intercept;
  /** Elements that nodes with an open shape are taken to find. */
  readonly counts?: Counts;
}

/** The outputs of a graph, or of a body, whose inputs have their values already. */
function replayBody(body: Subgraph, values: Scope, context: Context): readonly Value[] {
  const { builder, intercept } = context;
  for (const [name, constant] of body.initializers) values.set(name, builder.constant(constant, name));
  for (const [name, sparse] of body.sparse ?? [])
    values.set(name, builder.constant(denseOf(sparse, name), name));
  for (const node of body.nodes) {
    const inputs = node.inputs.map((name) => values.get(name, node.name));
    const replaying: Replaying = {
      compute: (given) => compute(node, given, values, body, context),
      value: (name) => values.get(name, node.name)!,
    };
    const outputs = atNode(node, () => intercept?.(node, inputs, replaying) ?? replaying.compute(inputs));
    node.outputs.forEach((name, i) => {
      if (name !== "" && outputs[i]) values.set(name, outputs[i]);
    });
  }
  return body.outputs.map(({ name }) => values.get(name, `output/${name}`)!);
}

/** What `work` returns; rules trust their inputs, so that a node of a file that lacks some of its operator's fails in them. */
function atNode<T>(node: Node, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof FairleadError) throw error;
    const operator = node.domain === "" ? node.op : `${node.domain}::${node.op}`;
    throw new UsageError(
      `node "${node.name}" does not have the inputs and attributes that operator "${operator}" wants (${(error as Error).message})`,
      { cause: error },
    );
  }
}

function compute(
  node: Node,
  inputs: readonly (Value | null)[],
  values: Scope,
  body: Subgraph,
  context: Context,
): readonly Value[] {
  const { builder, opset } = context;
  const { op, domain, name, attributes, metadata } = node;
  if (domain === "" && op === "Identity" && inputs[0]) return [inputs[0]];
  if (domain === "" && op === "Constant") return [builder.constant(constantNode(node), name || op)];
  const branch = knownBranch(node, inputs);
  if (branch) return replayBody(branch, scopeOf(values), context);

  const upgraded =
    domain === "" && opset < builder.opset ? applyUpgraded(builder, node, inputs, opset) : null;
  if (upgraded) return upgraded;
  return builder.apply(op, inputs, {
    attributes,
    domain,
    outputs: node.outputs.length,
    name: name || op,
    metadata,
    ...(findRule(op, domain)
      ? closed(node, inputs, body, context)
      : carried(node, inputs, values, body, context)),
  });
}

/** The types of a node whose shape is open, as the graph tells them or as it is taken to be. */
function closed(
  node: Node,
  [x]: readonly (Value | null)[],
  body: Subgraph,
  { counts }: Context,
): Pick<ApplyOptions, "types"> {
  if (node.op !== "NonZero" || !x || x.constant) return {};
  const declared = declaredTypes(node, body);
  if (declared) return { types: declared };
  const count = counts?.get(node.outputs[0]);
  if (count === undefined) throw new OpenShapeError(node, node.outputs[0]);
  return { types: [{ dtype: "int64", shape: [x.shape.length, count] }] };
}

// --- Nodes without a rule.

type Carried = Pick<ApplyOptions, "attributes" | "types" | "captured">;

/** What makes a builder take a node along as it is; nothing where its types are not known. */
function carried(
  node: Node,
  inputs: readonly (Value | null)[],
  values: Scope,
  body: Subgraph,
  { builder, opset }: Context,
): Carried {
  const { attributes } = node;
  const captured = new Map(
    capturedIn(attributes).flatMap((name) => {
      const value = values.get(name, node.name);
      return value ? [[name, value] as const] : [];
    }),
  );
  const declared = declaredTypes(node, body);
  if (!isControl(node)) return declared ? { types: declared, captured } : {};
  try {
    const { types, bodies } = control(node, inputs, (inner, given) =>
      traceBody(inner, given, captured, builder, opset),
    );
    check(node, types.length >= node.outputs.length, () => `${node.op} has more outputs than its body`);
    if (opset === builder.opset) return { types, captured };
    const rebuilt = Object.entries(bodies).map(([name, traced]) => [name, graphAttribute(traced.rebuilt())]);
    return { attributes: { ...attributes, ...(Object.fromEntries(rebuilt) as Attributes) }, types, captured };
  } catch (error) {
    // The file knows more, or the body does what no rule is known for.
    if (error instanceof UsageError && declared && opset === builder.opset)
      return { types: declared, captured };
    throw error;
  }
}

/** Types of a node's outputs as the graph tells them; null where it leaves one or a size open. */
function declaredTypes(node: Node, { types, outputs }: Subgraph): readonly InferredType[] | null {
  const found = node.outputs.map(
    (name) => types?.get(name) ?? outputs.find((type) => type.name === name) ?? (name === "" ? ABSENT : null),
  );
  const known = found.flatMap((type): InferredType[] =>
    type && !type.other && type.shape.every((dim) => typeof dim === "number")
      ? [{ dtype: type.dtype, shape: type.shape }]
      : [],
  );
  return known.length === node.outputs.length ? known : null;
}

/** The type of an output that is not wanted. */
const ABSENT: NamedType = { name: "", dtype: "float32", shape: [] };

/** A body traced on its own, to learn its types. What it captures are inputs, or constants if they are small. */
function traceBody(
  body: Subgraph,
  given: readonly InferredType[],
  captured: ReadonlyMap<string, Value>,
  around: Builder,
  opset: number,
): TracedBody {
  const builder = new Builder(around.opset);
  const values = scopeOf();
  for (const [name, { dtype, shape, constant }] of captured) {
    const small = constant && sizeOf(shape) <= FOLD_LIMIT;
    values.set(name, small ? builder.constant(constant, name) : builder.input(name, dtype, shape));
  }
  const inputs = body.inputs.map(({ name }, i) => {
    if (!given[i]) throw new UsageError(`the body "${body.name}" has an input "${name}" that nothing gives`);
    return builder.input(builder.findInput(name) ? `${name}/own` : name, given[i].dtype, given[i].shape);
  });
  body.inputs.forEach(({ name }, i) => values.set(name, inputs[i]));
  const outputs = replayBody(body, values, { builder, opset });
  return { inputs, outputs, rebuilt: () => rebuilt(builder, inputs, outputs) };
}

/** What a builder has traced as a body: it reads by name what is not among its inputs. */
function rebuilt(builder: Builder, inputs: readonly Value[], outputs: readonly Value[]): Subgraph {
  const named = Object.fromEntries(outputs.map((value, i) => [`output_${i}`, value]));
  const { name, nodes, initializers, outputs: types } = builder.build(named, { name: "body" });
  return {
    name,
    nodes,
    initializers,
    outputs: types,
    inputs: inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
  };
}
/** A builder that graphs of this one's operator set can be replayed in. */
export function builderFor(graph: Graph): Builder {
  return new Builder(Math.max(graph.opset, 18));
}

const phrase: Readonly<Record<OtherType["kind"], string>> = {
  "tensor without a shape": "a tensor without a shape",
  "sparse tensor": "a sparse tensor",
  sequence: "a sequence",
  map: "a map",
  optional: "an optional value",
  opaque: "of an opaque type",
  untyped: "of no type",
};

/** Declares a graph's inputs in a builder. Throws UsageError for a dimension that is not bound. */
export function declareInputs(graph: Graph, builder: Builder): Record<string, Value> {
  return Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape, other }) => {
      if (other) {
        throw new UsageError(
          `the input "${name}" of "${graph.name}" is ${phrase[other.kind]}: only tensors of known rank can be computed with`,
        );
      }
      const open = shape.find((dim) => typeof dim === "string");
      if (open !== undefined) {
        throw new UsageError(
          `the dimension "${open}" of input "${name}" is not known: bind it first, bindShapes(graph, { "${open}": 1 })`,
        );
      }
      return [name, builder.input(name, dtype, shape as readonly number[])];
    }),
  );
}
