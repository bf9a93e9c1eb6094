import { UsageError } from "../../base/errors.ts";
import { structureOf } from "../attention/structure.ts";
import { Builder } from "../builder.ts";
import type { Graph } from "../graph.ts";
import { type Intercept, replay } from "../replay.ts";
import { findRule } from "../rules/index.ts";
import type { Value } from "../value.ts";
import type { At, Site, Target } from "./site.ts";

/**
 * A site that writes an attention which is one operator in standard ones and changes it there. Other layers stay one
 * operator each, and are shared with the plain network.
 */
export function insideFused(target: Target, change: (inner: Target) => Intercept): Site {
  const { layer, structure, builder } = target;
  const { node } = structure.context;
  const edit = (at: At): readonly Value[] => {
    const { graph, names } = writtenOut(target, at);
    const found = structureOf(graph);
    if (found.layers.length !== 1) {
      throw new UsageError(`the attention "${layer.name}" (${node.op}) is not known from the inside`);
    }
    const inner = { ...found.layers[0], kind: structure.kind, joint: structure.joint };
    const inputs = Object.fromEntries(names.map((name, i) => [name, at.inputs[i]!]).filter(([name]) => name));
    const outputs = replay(
      graph,
      builder,
      inputs as Record<string, Value>,
      change({ ...target, structure: inner, found }),
    );
    return node.outputs.map((_, i) => outputs[`output/${i}`]);
  };
  return { node, edit };
}

/** A graph of the operators that one operator stands for; `names` are its inputs', "" for absent and constant ones. */
function writtenOut(
  { layer, structure, builder }: Target,
  at: At,
): { graph: Graph; names: readonly string[] } {
  const { node } = structure.context;
  const expand = findRule(node.op, node.domain)?.expand;
  if (!expand) {
    throw new UsageError(
      `the attention "${layer.name}" is one operator (${node.op}) that is not known from the inside: ` +
        `export the network with plain attention`,
    );
  }
  const inside = new Builder(builder.opset);
  const names = at.inputs.map((input, i) => (input && !input.constant ? `input/${i}` : ""));
  const inputs = at.inputs.map((input, i) => {
    if (!input) return null;
    return input.constant
      ? inside.constant(input.constant)
      : inside.input(names[i], input.dtype, input.shape);
  });
  const site = { ...node, outputCount: node.outputs.length, opset: builder.opset };
  const outputs = inside.scope(node.name || node.op, () => expand(site, inputs));
  const named = Object.fromEntries(outputs.map((value, i) => [`output/${i}`, value]));
  return { graph: inside.build(named), names };
}
