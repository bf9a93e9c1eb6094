import type { Node } from "../graph.ts";
import type { Wiring } from "./wiring.ts";

/** A tensor that a projection (or nothing) makes queries, keys or values of. */
export interface Origin {
  /** Name of the tensor, that of its first form where it was only cast or reshaped. */
  readonly source: string;
  /** The linear layer that projects it; absent where it is used as it is. */
  readonly projection?: Node;
  /** The Concat that joined it with others behind the projection, and its place there. */
  readonly joined?: { readonly node: Node; readonly part: number };
}

const linear: ReadonlySet<string> = new Set([
  ...["MatMul", "Gemm", "Conv", "Einsum", "MatMulInteger"],
  ...["FusedMatMul", "FusedGemm", "FusedConv", "NhwcConv"],
]);

/** Nodes whose first input is what they pass on: layouts, types, parts, norms. */
const passing: ReadonlySet<string> = new Set([
  ...[
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Expand",
    "Tile",
    "Slice",
    "Split",
    "Gather",
  ],
  ...["Cast", "Identity", "Dropout", "Neg", "Clip", "Pad", "QuantizeLinear", "DequantizeLinear"],
  ...["LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization", "LpNormalization"],
  ...["InstanceNormalization", "GroupNormalization", "BatchNormalization"],
  ...["Sqrt", "Reciprocal", "Abs", "ReduceMean", "ReduceSum", "ReduceL2", "ReduceSumSquare"],
]);

/** Nodes all of whose inputs count: rotary embeddings, norms that are written out, biases. */
const mixing: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div", "Pow", "Where", "Concat"]);

/** Nodes that leave every element as it is. */
const renaming: ReadonlySet<string> = new Set([
  ...["Identity", "Cast", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten"],
]);

/** Whether a node multiplies one varying tensor with weights: a linear layer. */
export function isLinear(node: Node, wiring: Wiring): boolean {
  return linear.has(node.op) && node.inputs.slice(0, 2).filter((name) => wiring.varies(name)).length === 1;
}

/** The input of a linear layer that is not its weights. */
export function dataOf(node: Node, wiring: Wiring): string {
  return wiring.varies(node.inputs[0]) ? node.inputs[0] : node.inputs[1];
}

/** The first form of a tensor that was only cast, reshaped or transposed. */
export function firstForm(value: string, wiring: Wiring): string {
  const node = wiring.producer(value);
  return node && renaming.has(node.op) && wiring.varies(value) ? firstForm(node.inputs[0], wiring) : value;
}

/** What queries, keys or values are made of: each tensor once, in the order in which they were joined. */
export function originsOf(value: string, wiring: Wiring): readonly Origin[] {
  const seen = new Set<string>();
  const found = new Map<string, Origin>();
  const visit = (name: string, joined: Origin["joined"]): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const node = wiring.producer(name);
    if (node && wiring.varies(name)) {
      if (isLinear(node, wiring) || (node.op === "Conv" && wiring.varies(node.inputs[0]))) {
        const source = firstForm(dataOf(node, wiring), wiring);
        if (!found.has(source)) found.set(source, { source, projection: node, joined });
        return;
      }
      if (passing.has(node.op)) return visit(node.inputs[0], joined);
      if (mixing.has(node.op)) {
        node.inputs.forEach((input, part) => {
          if (wiring.varies(input)) visit(input, node.op === "Concat" ? { node, part } : joined);
        });
        return;
      }
    }
    const source = wiring.varies(name) ? firstForm(name, wiring) : name;
    if (!found.has(source)) found.set(source, { source, joined });
  };
  visit(value, undefined);
  return [...found.values()];
}
