import { UsageError } from "../base/errors.ts";
import type { Graph } from "./graph.ts";
import { sameShape } from "./shapes.ts";
import type { Value } from "./value.ts";

/** What is thrown where a shape depends on numbers that are known at run time only. */
export class OpenShapeError extends UsageError {
  /** The name of the value whose shape is open. */
  readonly value: string;

  constructor({ op, name }: { readonly op: string; readonly name: string }, value = name) {
    super(
      `the shape of what operator "${op}" (node "${name}") gives depends on numbers that are known at run time only: ` +
        `choose with Where or a mask, make what it selects by a constant, or write the shape into the file`,
    );
    this.value = value;
  }
}

/** Numbers of elements found by nodes, by the name of what they give. */
export type Counts = ReadonlyMap<string, number>;

/** Values with an open shape that are tried for. */
const MOST = 3;

/**
 * What `trace` returns, with numbers found for nodes whose output's length is open (NonZero) such that the graph's
 * outputs get the shapes that it declares for them. The lengths that it declares are tried in turn.
 *
 * Throws OpenShapeError where there are none.
 */
export function closeShapes(
  graph: Graph,
  trace: (counts: Counts) => readonly Value[],
  counts: Counts = new Map(),
): readonly Value[] {
  try {
    return trace(counts);
  } catch (error) {
    const known = graph.outputs.every(({ shape }) => shape.every((dim) => typeof dim === "number"));
    if (!(error instanceof OpenShapeError) || !known || counts.size >= MOST || counts.has(error.value))
      throw error;
    const lengths = new Set(graph.outputs.flatMap(({ shape }) => shape as number[]));
    for (const length of lengths) {
      const outputs = attempt(() => closeShapes(graph, trace, new Map([...counts, [error.value, length]])));
      if (outputs?.every(({ shape }, i) => sameShape(shape, graph.outputs[i].shape as number[])))
        return outputs;
    }
    throw error;
  }
}

/** Null for what does not fit. */
function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}
