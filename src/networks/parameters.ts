import { UsageError } from "../base/errors.ts";
import type { Stream } from "../base/philox.ts";
import { sizeOf } from "../base/tensor.ts";
import { Builder } from "../graph/builder.ts";
import { reshape, split } from "../graph/ops/reshape.ts";
import type { Value } from "../graph/value.ts";

/** How a parameter starts: a constant, or normal numbers of this standard deviation. */
export type Initial = { readonly constant: number } | { readonly std: number };

/** Where a network being traced gets its parameters from. */
export interface ParameterSource {
  readonly builder: Builder;
  get(name: string, shape: readonly number[], initial: Initial): Value;
  /** The same source with `name.` in front of every name, and calls named `name/...`. */
  scope<T>(name: string, trace: (inner: ParameterSource) => T): T;
}

export interface ParameterEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initial: Initial;
  /** Where it starts in the flat vector of all parameters. */
  readonly offset: number;
  readonly size: number;
}

/** All parameters of a network as one flat vector: names, shapes and places in it. */
export interface Layout {
  readonly entries: readonly ParameterEntry[];
  /** Length of the flat vector. */
  readonly size: number;
}

/** The layout of a network, found by tracing it once. */
export function layoutOf(network: (source: ParameterSource) => unknown): Layout {
  const entries: ParameterEntry[] = [];
  const builder = new Builder();
  let size = 0;
  network(
    sourceOf(builder, (name, shape, initial) => {
      if (entries.some((entry) => entry.name === name))
        throw new UsageError(`two parameters are called "${name}"`);
      entries.push({ name, shape, initial, offset: size, size: sizeOf(shape) });
      size += sizeOf(shape);
      return builder.input(name, "float32", shape);
    }),
  );
  return { entries, size };
}

/** Parameters cut from one flat input of the graph, called "parameters": what training differentiates. */
export function flatParameters(
  builder: Builder,
  layout: Layout,
): { source: ParameterSource; values: readonly Value[] } {
  const flat = builder.input("parameters", "float32", [layout.size]);
  const pieces = split(
    flat,
    0,
    layout.entries.map(({ size }) => size),
  );
  const values = layout.entries.map(({ shape }, i) => reshape(pieces[i], shape));
  return { source: sourceOf(builder, (name) => values[indexOf(layout, name)]), values };
}

/** Parameters as constants of the graph: what sampling runs fastest on. */
export function constantParameters(builder: Builder, layout: Layout, flat: Float32Array): ParameterSource {
  if (flat.length !== layout.size) {
    throw new UsageError(
      `the network has ${layout.size} parameters, got ${flat.length}: they are of another network`,
    );
  }
  return sourceOf(builder, (name) => {
    const { shape, offset, size } = layout.entries[indexOf(layout, name)];
    return builder.constant({ dtype: "float32", shape, data: flat.subarray(offset, offset + size) }, name);
  });
}

/** Fresh parameters. */
export function initialise(layout: Layout, stream: Stream): Float32Array {
  const flat = new Float32Array(layout.size);
  for (const { initial, offset, size } of layout.entries) {
    const part = flat.subarray(offset, offset + size);
    if ("constant" in initial) part.fill(initial.constant);
    else for (let i = 0; i < size; i++) part[i] = initial.std * stream.normal();
  }
  return flat;
}

function indexOf(layout: Layout, name: string): number {
  const index = layout.entries.findIndex((entry) => entry.name === name);
  if (index < 0) throw new UsageError(`the network has no parameter "${name}"`);
  return index;
}

type Get = ParameterSource["get"];

function sourceOf(builder: Builder, get: Get, prefix = ""): ParameterSource {
  return {
    builder,
    get: (name, shape, initial) => get(prefix + name, shape, initial),
    scope: (name, trace) => builder.scope(name, () => trace(sourceOf(builder, get, `${prefix}${name}.`))),
  };
}
