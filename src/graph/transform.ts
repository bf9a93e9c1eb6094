import { UsageError } from "../base/errors.ts";
import { expandFused } from "./decompose.ts";
import { namesIn, sizeFrom, solveFor } from "./dimensions.ts";
import { gradients } from "./gradients.ts";
import type { Dim, Graph, NamedType, Subgraph } from "./graph.ts";
import { builderFor, declareInputs, inGraph, replay } from "./replay.ts";
import { mapBodies } from "./subgraphs.ts";

/**
 * The graph with open dimensions given their sizes: by their names, `{ batch: 2, height: 16 }`, which dimensions such as
 * "4*height" follow, or all of an input at once, `{ sample: [2, 4, 16, 16] }`.
 *
 * Throws UsageError for a name that no input has, and for sizes that contradict one another or the graph.
 */
export function bindShapes(graph: Graph, given: Readonly<Record<string, number | readonly number[]>>): Graph {
  const sizes = sizesOf(graph, given);
  const bind = (dim: Dim): Dim => (typeof dim === "string" ? (sizeFrom(dim, sizes) ?? dim) : dim);
  return withTypes(graph, (type) => ({ ...type, shape: type.shape.map(bind) }));
}

/** Sizes by name, checked. */
function sizesOf(
  graph: Graph,
  given: Readonly<Record<string, number | readonly number[]>>,
): Record<string, number> {
  const open = graph.inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === "string"));
  const names = new Set(open.flatMap((dim) => [dim, ...namesIn(dim)]));
  const sizes: Record<string, number> = {};
  const set = (name: string, size: number): void => {
    if ((sizes[name] ?? size) !== size || !Number.isInteger(size) || size < 0) {
      throw new UsageError(
        `the dimension "${name}" cannot be ${Object.hasOwn(sizes, name) ? `${sizes[name]} and ` : ""}${size}`,
      );
    }
    sizes[name] = size;
  };
  for (const [name, size] of Object.entries(given)) {
    if (typeof size !== "number") bindInput(graph, name, size, set);
    else if (names.has(name)) set(name, size);
    else throw unknownDimension(graph, name, [...names]);
  }
  for (const dim of open) {
    // A size given for "4*h" is one for h too.
    const solved = Object.hasOwn(sizes, dim) ? solveFor(dim, sizes[dim]) : null;
    if (solved) set(...solved);
  }
  return sizes;
}

function bindInput(
  graph: Graph,
  name: string,
  sizes: readonly number[],
  set: (name: string, size: number) => void,
): void {
  const shape = graph.inputs.find((input) => input.name === name)?.shape;
  const fits =
    shape?.length === sizes.length && shape.every((dim, i) => typeof dim === "string" || dim === sizes[i]);
  if (!fits) {
    const known = graph.inputs.map((input) => `${input.name} [${input.shape.join(", ")}]`).join(", ");
    throw new UsageError(`no input "${name}" can be of shape [${sizes.join(", ")}]; there are: ${known}`);
  }
  shape.forEach((dim, i) => {
    if (typeof dim === "string") set(dim, sizes[i]);
  });
}

function unknownDimension({ outputs }: Graph, name: string, names: readonly string[]): UsageError {
  const follows = outputs.find(({ shape }) =>
    shape.some((dim) => typeof dim === "string" && namesIn(dim).includes(name)),
  );
  const why = follows
    ? `: it is one of the output "${follows.name}", and follows from those of the inputs`
    : "";
  return new UsageError(`no input has a dimension "${name}"${why}; there are: ${names.join(", ") || "none"}`);
}

/** A graph or a body with all types that it says changed, in its bodies too. */
function withTypes<G extends Subgraph>(graph: G, change: (type: NamedType) => NamedType): G {
  const { inputs, outputs, nodes, types } = graph;
  return {
    ...graph,
    inputs: inputs.map(change),
    outputs: outputs.map(change),
    nodes: nodes.map((node) => {
      const attributes = mapBodies(node.attributes, (body) => withTypes(body, change));
      return attributes === node.attributes ? node : { ...node, attributes };
    }),
    ...(types && { types: new Map([...types].map(([name, type]) => [name, change(type)])) }),
  };
}

/** The graph with named initializers as inputs, behind those it has: what trains or differentiates its parameters. */
export function exposeInitializers(graph: Graph, names: readonly string[]): Graph {
  const exposed = names.map((name): NamedType => {
    const constant = graph.initializers.get(name);
    if (!constant) {
      const known = [...graph.initializers.keys()].join(", ") || "none";
      throw new UsageError(`the graph has no initializer "${name}"; its initializers are: ${known}`);
    }
    return { name, dtype: constant.dtype, shape: constant.shape };
  });
  return {
    ...graph,
    inputs: [...graph.inputs, ...exposed],
    ...(graph.overridable && { overridable: graph.overridable.filter(({ name }) => !names.includes(name)) }),
    initializers: new Map([...graph.initializers].filter(([name]) => !names.includes(name))),
  };
}

/** The same function with equal calls made once, constant parts computed, and without what no output needs. */
export function simplify(graph: Graph): Graph {
  const builder = builderFor(graph);
  const outputs = replay(graph, builder, declareInputs(graph, builder));
  return { ...builder.build(outputs, { name: graph.name, keepInputs: true }), metadata: graph.metadata };
}

interface DifferentiateOptions {
  /** What stands before an input's name, and a slash, in the name of its gradient. Default "gradient". */
  readonly prefix?: string;
  /** Name of a new input of `output`'s shape and type that weighs its elements. Default: all weigh 1. */
  readonly seed?: string;
}

/**
 * A graph that also computes the gradient of the (weighted) sum of `output`'s elements with respect to each of `inputs`, as
 * outputs named "gradient/INPUT". With a `seed` v that is the vector-Jacobian product J' v. An ordinary graph: it can be
 * differentiated again (with another prefix).
 *
 * Throws UsageError for unknown names, names that are taken, and for an operator without a gradient.
 */
export function differentiate(
  graph: Graph,
  output: string,
  inputs: readonly string[],
  { prefix = "gradient", seed }: DifferentiateOptions = {},
): Graph {
  const builder = builderFor(graph);
  const declared = declareInputs(graph, builder);
  const outputs = replay(graph, builder, declared, expandFused);
  if (!outputs[output]) {
    throw new UsageError(
      `the graph has no output "${output}"; its outputs are ${Object.keys(outputs).join(", ")}`,
    );
  }
  const wrong = inputs.find((name) => !declared[name]);
  if (wrong !== undefined) {
    throw new UsageError(
      `the graph has no input "${wrong}"; its inputs are ${Object.keys(declared).join(", ")}`,
    );
  }
  const taken = inputs.map((name) => `${prefix}/${name}`).find((name) => outputs[name]);
  if (taken !== undefined) {
    throw new UsageError(
      `the graph already has an output "${taken}": give another prefix, { prefix: "second" }`,
    );
  }

  if (seed !== undefined && declared[seed]) {
    throw new UsageError(`the graph already has an input "${seed}": give the seed another name`);
  }

  const { dtype, shape } = outputs[output];
  const upstream = seed === undefined ? undefined : builder.input(seed, dtype, shape);
  const wrt = inputs.map((name) => declared[name]);
  const slopes = inGraph(graph, () => gradients(outputs[output], wrt, upstream));
  const named = Object.fromEntries(inputs.map((name, i) => [`${prefix}/${name}`, slopes[i]]));
  return { ...builder.build({ ...outputs, ...named }, { name: graph.name }), metadata: graph.metadata };
}
