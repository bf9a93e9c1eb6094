import { Builder } from "../builder.ts";
import type { Graph } from "../graph.ts";
import { declareInputs, replay } from "../replay.ts";
import { readsOf } from "../subgraphs.ts";
import { simplify } from "../transform.ts";
import type { Value } from "../value.ts";
import { attention } from "./attention.ts";
import { nanGuard, nothing } from "./guards.ts";
import type { Rewrite } from "./rewrite.ts";

/** All rewrites, in the order in which they are tried at every node. */
export const rewrites: readonly Rewrite[] = [nothing, nanGuard, attention];

/** The first operator set with Attention. */
const OPSET = 23;

/**
 * The same function in the form that ONNX Runtime runs fastest on the CPU; numbers differ by rounding only (about 1e-6 of the
 * largest). bench/optimise.ts measures what each rewrite gains.
 *
 * The last step before a graph is run: attention is one operator afterwards, so perturb, merge and differentiate before.
 * Throws UsageError for a dimension that is not bound.
 */
export function optimise(graph: Graph, chosen: readonly Rewrite[] = rewrites): Graph {
  const plain = simplify(graph);
  const readers = new Map<string, number>();
  const read = (name: string): void => void readers.set(name, (readers.get(name) ?? 0) + 1);
  for (const node of plain.nodes) readsOf(node).forEach(read);
  for (const { name } of plain.outputs) read(name);

  const builder = new Builder(Math.max(plain.opset, OPSET));
  const counts = new Map<Value, number>();
  const readOnce = (value: Value): boolean => counts.get(value) === 1;
  const outputs = replay(plain, builder, declareInputs(plain, builder), (node, inputs) => {
    node.inputs.forEach((name, i) => {
      if (inputs[i]) counts.set(inputs[i], readers.get(name)!);
    });
    for (const rewrite of chosen) {
      const made = rewrite.apply({ builder, ...node, inputs, readOnce });
      if (made) return made;
    }
    return null;
  });
  return { ...builder.build(outputs, { name: plain.name, keepInputs: true }), metadata: plain.metadata };
}
