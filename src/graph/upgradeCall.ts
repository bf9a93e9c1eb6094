import type { Builder } from "./builder.ts";
import type { Node } from "./graph.ts";
import type { Value } from "./value.ts";

/** Applies a node of an older operator set as it is written now. */
export type Upgrade = (builder: Builder, node: Node, inputs: readonly (Value | null)[]) => readonly Value[];

/** How an operator that has changed is brought up to date. */
export interface Change {
  /** The operator set that changed the operator: older nodes are upgraded. */
  readonly since: number;
  readonly upgrade: Upgrade;
}

/** The node's call on `inputs`, without the attributes `moved`, which became inputs. */
export function applyMoved(
  builder: Builder,
  node: Node,
  inputs: readonly (Value | null)[],
  moved: readonly string[],
  op = node.op,
): readonly Value[] {
  const attributes = Object.entries(node.attributes).filter(([key]) => !moved.includes(key));
  return builder.apply(op, inputs, {
    attributes: Object.fromEntries(attributes),
    outputs: node.outputs.length,
    name: node.name || op,
    metadata: node.metadata,
  });
}
