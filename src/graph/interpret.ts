import { UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import { int } from "./attributes.ts";
import { constantOf, numbersOf } from "./constant.ts";
import { constantNode } from "./constantNode.ts";
import { dataTypeOf, isFloat, onnxCodeOf } from "./dataTypes.ts";
import { evaluateCall } from "./evaluate.ts";
import type { Attribute, Constant, DataType, Graph, Node } from "./graph.ts";
import { Builder } from "./builder.ts";
import type { CallSite, Rule } from "./rule.ts";
import { inlineFunctions } from "./inlineFunctions.ts";
import { ruleOf } from "./rules/index.ts";
import { bindShapes, simplify } from "./transform.ts";

/** A tensor given to the interpreter: numbers of any kind. */
export interface InterpreterInput {
  readonly data: ArrayLike<number | bigint>;
  readonly shape: readonly number[];
}

/**
 * The graph's outputs by name, computed on the host by the rules' own `evaluate`: slow, and every float type in float64
 * arithmetic. The oracle that fast paths and gradients are tested against.
 *
 * Throws UsageError for a missing input, a wrong shape, or an operator that cannot be evaluated.
 */
export function interpret(
  original: Graph,
  inputs: Readonly<Record<string, InterpreterInput>>,
): Record<string, Constant> {
  const graph = inlineFunctions(original);
  const values = new Map<string, Constant | null>([["", null]]);
  for (const { name, dtype, shape } of graph.inputs)
    values.set(name, given(name, exact(dtype), shape, inputs[name]));

  const { nodes, initializers, outputs, opset } = graph.opset < 18 ? upgraded(graph, inputs) : graph;
  for (const [name, constant] of initializers) values.set(name, exactConstant(constant));
  for (const node of nodes) {
    const operands = node.inputs.map((name) => values.get(name) ?? null);
    const results = compute(node, operands, opset);
    node.outputs.forEach((name, i) => values.set(name, results[i]));
  }
  return Object.fromEntries(outputs.map(({ name }) => [name, values.get(name)!]));
}

function given(
  name: string,
  dtype: DataType,
  shape: readonly (number | string)[],
  input: InterpreterInput | undefined,
): Constant {
  if (!input) throw new UsageError(`the graph's input "${name}" was not given`);
  const fits =
    input.shape.length === shape.length &&
    input.shape.every((dim, i) => typeof shape[i] === "string" || shape[i] === dim) &&
    input.data.length === sizeOf(input.shape);
  if (!fits) {
    throw new UsageError(
      `"${name}" is of shape [${shape.join(", ")}], got [${input.shape.join(", ")}] with ${input.data.length} values`,
    );
  }
  return constantOf(dtype, input.shape, Array.from(input.data, Number));
}

function compute(node: Node, inputs: readonly (Constant | null)[], opset: number): readonly Constant[] {
  if (node.op === "Constant") return [exactConstant(constantNode(node))];
  const attributes = Object.fromEntries(
    Object.entries(node.attributes).map(([name, attribute]) => [name, exactAttribute(name, attribute)]),
  );
  const site = { op: node.op, name: node.name, attributes, outputCount: node.outputs.length, opset };
  const rule = ruleOf(node.op, node.domain, node.name);
  const results = rule.expand ? evaluateExpanded(rule, site, inputs) : evaluateCall(rule, site, inputs);
  if (!results)
    throw new UsageError(`operator "${node.op}" (node "${node.name}") cannot be evaluated on the host`);
  return results;
}

/** A fused operator's outputs, by what it stands for. */
function evaluateExpanded(rule: Rule, site: CallSite, inputs: readonly (Constant | null)[]): Constant[] {
  const builder = new Builder(Math.max(site.opset, 18));
  const values = rule.expand!(
    site,
    inputs.map((constant) => constant && builder.constant(constant)),
  );
  const graph = builder.build(Object.fromEntries(values.map((value, i) => [`${i}`, value])));
  const results = interpret(graph, {});
  return values.map((_, i) => results[`${i}`]);
}

/** The graph as it is written since opset 18, for inputs of these shapes. */
function upgraded(graph: Graph, inputs: Readonly<Record<string, InterpreterInput>>): Graph {
  const sizes: Record<string, number> = {};
  for (const { name, shape } of graph.inputs) {
    shape.forEach((dim, i) => {
      if (typeof dim === "string") sizes[dim] = inputs[name].shape[i];
    });
  }
  return simplify(bindShapes(graph, sizes));
}

const exact = (dtype: DataType): DataType => (isFloat(dtype) ? "float64" : dtype);

function exactConstant(constant: Constant): Constant {
  if (!isFloat(constant.dtype)) return constant;
  return constantOf("float64", constant.shape, numbersOf(constant));
}

/** An attribute that holds floats or names their type (Cast's `to`, EyeLike's `dtype`), for float64. */
function exactAttribute(name: string, attribute: Attribute): Attribute {
  if (attribute.kind === "tensor") return { kind: "tensor", value: exactConstant(attribute.value) };
  if (attribute.kind !== "int" || !["to", "dtype"].includes(name)) return attribute;
  const dtype = dataTypeOf(attribute.value);
  return dtype ? int(onnxCodeOf(exact(dtype))) : attribute;
}
