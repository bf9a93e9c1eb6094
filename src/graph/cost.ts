import { sizeOf } from "../base/tensor.ts";
import { intOf, stringOf } from "./attributes.ts";
import { byteLengthOf } from "./dataTypes.ts";
import type { Constant, DataType, Graph } from "./graph.ts";
import { builderFor, declareInputs, replay } from "./replay.ts";
import type { Call, Value } from "./value.ts";

/** What one operator application of a graph costs. */
export interface NodeCost {
  readonly name: string;
  /** The operator, with "DOMAIN::" in front outside of the standard's. */
  readonly op: string;
  readonly flops: number;
  /** Bytes of its outputs; 0 where they are the input under another shape. */
  readonly activationBytes: number;
}

export interface OperatorCost {
  readonly count: number;
  readonly flops: number;
  readonly activationBytes: number;
}

/** What one run of a graph costs, and what the graph holds. */
export interface Cost {
  /** Floating-point operations: 2 for each multiply-add, 1 for each element of everything else. */
  readonly flops: number;
  /** Elements of the initializers that are no indices: of every type but int32, int64, bool and string. */
  readonly parameters: number;
  /** Bytes of all initializers. */
  readonly weightBytes: number;
  /** Bytes that one run writes, in all: what a runtime needs that gives nothing back before the end. */
  readonly activationBytes: number;
  /** The same by operator, that of the most operations first. */
  readonly byOperator: ReadonlyMap<string, OperatorCost>;
  /** The same by node, in the order in which they run. */
  readonly nodes: readonly NodeCost[];
}

/**
 * Counts what a graph computes and holds, from shapes alone: no weight is read. It counts the graph as `simplify` leaves it:
 * equal nodes once, constant parts and what no output needs not at all, fused operators as what they stand for.
 *
 *   MatMul [.., m, k] by [.., k, n]          2 .. m k n
 *   Conv, c channels in g groups to y        2 |y| (c / g) |kernel|
 *   ConvTranspose of x to m channels         2 |x| (m / g) |kernel|
 *   Einsum                                   operands * product of all labels' sizes
 *   attention, n by s tokens, heads d and e  .. n s (2 d + 2 e + 1)
 *   pooling, reductions                      1 for each element read
 *   moving elements                          0
 *   everything else                          1 for each element written
 *
 * Throws UsageError for a dimension that is not bound, and for an operator without a shape rule.
 */
export function costOf(graph: Graph): Cost {
  const builder = builderFor(graph);
  const outputs = Object.values(replay(graph, builder, declareInputs(graph, builder)));
  const nodes = callsOf(outputs).map(costOfCall);
  return {
    flops: total(nodes, ({ flops }) => flops),
    ...weightsOf(graph),
    activationBytes: total(nodes, ({ activationBytes }) => activationBytes),
    byOperator: summedByOperator(nodes),
    nodes,
  };
}

/** What a graph holds; of one whose dimensions are open too. */
export function weightsOf({ initializers }: Graph): Pick<Cost, "parameters" | "weightBytes"> {
  const weights = [...initializers.values()];
  return {
    parameters: total(weights, ({ dtype, shape }) => (counting.has(dtype) ? 0 : sizeOf(shape))),
    weightBytes: total(weights, bytesOf),
  };
}

/** The types of shapes, indices and masks. */
const counting: ReadonlySet<DataType> = new Set<DataType>(["int32", "int64", "bool", "string"]);

/** The calls that some values need, in the order in which they run. */
function callsOf(outputs: readonly Value[]): Call[] {
  const found = new Set<Call>();
  const stack = outputs.map(({ call }) => call);
  for (let call = stack.pop(); call !== undefined; call = stack.pop()) {
    if (call === null || found.has(call)) continue;
    found.add(call);
    for (const input of call.inputs) if (input) stack.push(input.call);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

function costOfCall(call: Call): NodeCost {
  const op = call.domain === "" ? call.op : `${call.domain}::${call.op}`;
  return {
    name: call.name,
    op,
    flops: flopsOf(call),
    activationBytes: views.has(call.op) ? 0 : total(call.outputs, bytesOf),
  };
}

function summedByOperator(nodes: readonly NodeCost[]): Map<string, OperatorCost> {
  const sums = new Map<string, OperatorCost>();
  for (const { op, flops, activationBytes } of nodes) {
    const sum = sums.get(op) ?? { count: 0, flops: 0, activationBytes: 0 };
    sums.set(op, {
      count: sum.count + 1,
      flops: sum.flops + flops,
      activationBytes: sum.activationBytes + activationBytes,
    });
  }
  return new Map([...sums].sort(([, a], [, b]) => b.flops - a.flops));
}

// --- Operations of one call.

/** Operators whose output is their input under another shape. */
const views = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"]);

/** Operators that move elements, or make them from shapes, and compute nothing. */
const moving = new Set([
  ...views,
  ...["Transpose", "Expand", "Tile", "Concat", "Split", "Slice", "Pad", "DepthToSpace", "SpaceToDepth"],
  ...["Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND", "OneHot", "ReverseSequence"],
  ...["Shape", "Size", "ConstantOfShape", "Range", "EyeLike", "Trilu", "Col2Im", "Compress", "NonZero"],
]);

function flopsOf(call: Call): number {
  const [a, b, c] = call.inputs;
  const [y] = call.outputs;
  switch (call.op) {
    case "MatMul":
    case "FusedMatMul":
    case "MatMulInteger":
      return 2 * elements(y) * contracted(call, a!);
    case "Gemm":
    case "FusedGemm":
      return 2 * elements(y) * a!.shape[intOf(call, "transA", 0) === 1 ? 0 : 1];
    case "Conv":
    case "FusedConv":
    case "ConvInteger":
    case "DeformConv":
      return 2 * elements(y) * sizeOf(b!.shape.slice(1));
    case "ConvTranspose":
      return 2 * elements(a!) * sizeOf(b!.shape.slice(1));
    case "Einsum":
      return call.inputs.length * labelProduct(call);
    case "Attention":
      return attentionFlops(call, a!, b!, c!);
    default:
      return elementwiseFlops(call);
  }
}

/** Length of the axis that a product sums over. */
function contracted(call: Call, left: Value): number {
  const { shape } = left;
  return shape[intOf(call, "transA", 0) === 1 && shape.length > 1 ? shape.length - 2 : shape.length - 1];
}

/** Product of the sizes of all labels of an Einsum; an ellipsis counts as the axes it stands for. */
function labelProduct(call: Call): number {
  const equation = stringOf(call, "equation", "").replaceAll(" ", "");
  const sizes = new Map<string, number>();
  equation
    .split("->")[0]
    .split(",")
    .forEach((term, i) => {
      const { shape } = call.inputs[i]!;
      const [front, back] = term.split("...");
      const labels = [...front];
      if (back !== undefined) {
        const hidden = shape.length - front.length - back.length;
        for (let k = hidden; k > 0; k--) labels.push(`...${k}`);
        labels.push(...back);
      }
      labels.forEach((label, k) => sizes.set(label, Math.max(sizes.get(label) ?? 1, shape[k])));
    });
  return [...sizes.values()].reduce((x, y) => x * y, 1);
}

/** ONNX's Attention: two products and a softmax for every head of the queries. */
function attentionFlops(call: Call, query: Value, key: Value, value: Value): number {
  // [batch, heads, tokens, size], or [batch, tokens, heads * size] with the heads as attributes.
  const split = query.shape.length === 4;
  const heads = split ? query.shape[1] : intOf(call, "q_num_heads", 1);
  const keyHeads = split ? key.shape[1] : intOf(call, "kv_num_heads", heads);
  const sizeIn = (x: Value, count: number): number => x.shape[x.shape.length - 1] / (split ? 1 : count);
  const past = call.inputs[4]?.shape[2] ?? 0;
  const pairs = query.shape[0] * heads * query.shape.at(-2)! * (key.shape.at(-2)! + past);
  const [d, e] = [sizeIn(query, heads), sizeIn(value, keyHeads)];
  return pairs * (2 * d + 2 * e + 1);
}

function elementwiseFlops(call: Call): number {
  const { op, inputs, outputs } = call;
  if (moving.has(op)) return 0;
  if (op.startsWith("Reduce") || op.startsWith("Global")) return elements(inputs[0]!);
  if (op.endsWith("Pool")) {
    const kernel = call.attributes.kernel_shape;
    return elements(outputs[0]) * (kernel?.kind === "ints" ? sizeOf(kernel.value) : 1);
  }
  return elements(outputs[0]);
}

// --- Sizes.

const elements = (value: Value): number => sizeOf(value.shape);

function bytesOf({ dtype, shape, text }: Pick<Constant, "dtype" | "shape" | "text">): number {
  if (text) return total(text, (one) => one.length);
  return byteLengthOf(dtype, shape);
}

function total<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}
