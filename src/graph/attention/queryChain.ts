import type { Structure } from "./structure.ts";
import { projectsItself } from "./fused.ts";
import { isLinear } from "./origins.ts";
import type { Wiring } from "./wiring.ts";

/** Nodes that do the same to every token, whatever its neighbours are, and so commute with means over tokens. */
const layouts: ReadonlySet<string> = new Set([
  ...["Reshape", "Transpose", "Cast", "Identity", "Squeeze", "Unsqueeze", "Flatten"],
  ...["Split", "Slice", "Gather", "Concat"],
]);

/**
 * Where the queries of an attention are still what their projection gave, linear in its input: null if that is the operand of
 * the scores itself (up to layout, bias and scale), else the name of the value before the first norm or rotary embedding.
 */
export function projectedQueries(layer: Structure, wiring: Wiring): string | null {
  if (projectsItself(layer.scores.node)) return null;
  let site: string | null = null;
  let name = layer.query;
  for (let node = wiring.producer(name); node && wiring.varies(name); node = wiring.producer(name)) {
    if (isLinear(node, wiring)) break;
    const image = node === layer.joint?.node ? node.inputs[layer.joint.imagePart] : undefined;
    const next: string | undefined = image ?? node.inputs.find((input) => wiring.varies(input));
    if (next === undefined) break;
    if (!(layouts.has(node.op) || scalesAlike(node.inputs, node.op, wiring))) site = next;
    name = next;
  }
  return site;
}

/** Whether a node adds or multiplies what is the same for every token: numbers, or one for each channel. */
function scalesAlike(inputs: readonly string[], op: string, wiring: Wiring): boolean {
  if (!["Add", "Sub", "Mul", "Div"].includes(op)) return false;
  return (
    inputs.filter((input) => wiring.varies(input)).length === 1 &&
    inputs.every((input) => {
      if (wiring.varies(input)) return true;
      const shape = wiring.constant(input)?.shape;
      // Not a constant: a scale that is computed from the size of a head, or a rotation from positions.
      return shape ? shape.slice(0, -1).every((dim) => dim === 1) : !turns(input, wiring, 8);
    })
  );
}

function turns(value: string, wiring: Wiring, reach: number): boolean {
  const node = wiring.producer(value);
  if (!node || reach === 0) return false;
  if (node.op === "Cos" || node.op === "Sin") return true;
  return node.inputs.some((input) => turns(input, wiring, reach - 1));
}
