import { UsageError } from "../base/errors.ts";
import { dataOf, smallKey } from "./constant.ts";
import type { Attribute, Constant, ConstantArray, DataType, Graph, NamedType, Node } from "./graph.ts";
import type { Rule } from "./rule.ts";
import { ruleOf } from "./rules.ts";
import type { Call, Value } from "./value.ts";

/** Constants up to this many elements are folded while tracing, and shared when equal. */
const FOLD_LIMIT = 4096;

interface ApplyOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
  readonly outputs?: number;
  readonly name?: string;
}

/**
 * Builds a graph by applying operators to symbolic values. Equal calls on equal inputs are made once (common
 * subexpressions are shared by construction), calls on small constants are computed at once, and `build` keeps only what
 * its outputs need. Shapes are inferred as calls are made, so a wrong shape is an error at the call that makes it.
 */
export class Builder {
  readonly opset: number;
  private readonly calls: Call[] = [];
  private readonly inputs = new Map<string, Value>();
  /** By content for small constants, by the array itself for large ones. */
  private readonly constants = new Map<string | ConstantArray, Value>();
  private readonly known = new Map<string, readonly Value[]>();
  private readonly names = new Set<string>();
  /** How often a name had to be numbered. */
  private readonly counts = new Map<string, number>();
  private readonly path: string[] = [];

  constructor(opset = 18) {
    this.opset = opset;
  }

  /** An input of the graph. */
  input(name: string, dtype: DataType, shape: readonly number[]): Value {
    if (this.inputs.has(name)) throw new UsageError(`the graph already has an input "${name}"`);
    const value = this.value(name, dtype, shape, null, null);
    this.inputs.set(name, value);
    return value;
  }

  /** The input of this name, if it was declared. */
  findInput(name: string): Value | undefined {
    return this.inputs.get(name);
  }

  /** A tensor known now; small ones that are equal are one value. `name` is kept for large (named) ones. */
  constant(constant: Constant, name = "const"): Value {
    const key = smallKey(constant, FOLD_LIMIT);
    const found = this.constants.get(key ?? constant.data);
    if (found) return found;
    const value = this.value(this.unique(name), constant.dtype, constant.shape, null, constant);
    this.constants.set(key ?? constant.data, value);
    return value;
  }

  /** A constant from numbers. */
  literal(numbers: number | readonly number[], dtype: DataType = "float32", shape?: readonly number[]): Value {
    const list = typeof numbers === "number" ? [numbers] : numbers;
    return this.constant({
      dtype,
      shape: shape ?? (typeof numbers === "number" ? [] : [list.length]),
      data: dataOf(dtype, list),
    });
  }

  /** Names the calls made inside `trace` with `name` in front, as modules do. */
  scope<T>(name: string, trace: () => T): T {
    this.path.push(name);
    try {
      return trace();
    } finally {
      this.path.pop();
    }
  }

  /** Applies an operator; returns its outputs. Throws UsageError if it has no rule or the shapes do not fit. */
  apply(op: string, inputs: readonly (Value | null)[], options: ApplyOptions = {}): readonly Value[] {
    const { attributes = {}, domain = "", outputs: outputCount = 1 } = options;
    const key = callKey(op, domain, inputs, attributes, outputCount);
    const found = this.known.get(key);
    if (found) return found;

    const name = this.unique([...this.path, options.name ?? op].join("/"));
    const rule = ruleOf(op, domain, name);
    const site = { op, name, attributes, outputCount, opset: this.opset };
    const folded = this.fold(rule, site, inputs);
    if (folded) {
      this.known.set(key, folded);
      return folded;
    }

    const types = rule.infer(site, inputs);
    const outputs: Value[] = [];
    const call: Call = { id: this.calls.length, op, domain, name, inputs, attributes, outputs };
    types.forEach((type, i) => {
      const valueName = i === 0 ? `${name}:0` : `${name}:${i}`;
      outputs.push(this.value(valueName, type.dtype, type.shape, call, null));
    });
    this.calls.push(call);
    this.known.set(key, outputs);
    return outputs;
  }

  /** The graph that computes `outputs` (by name) from the inputs they need. */
  build(outputs: Readonly<Record<string, Value>>, options: { name?: string; keepInputs?: boolean } = {}): Graph {
    const needed = new Set<Call>();
    const initializers = new Map<string, Constant>();
    const usedInputs = new Set<Value>();
    // Calls from last to first: a call is needed if one of its outputs is.
    const neededValues = new Set<Value>(Object.values(outputs));
    for (let i = this.calls.length - 1; i >= 0; i--) {
      const call = this.calls[i];
      if (!call.outputs.some((value) => neededValues.has(value))) continue;
      needed.add(call);
      for (const input of call.inputs) if (input) neededValues.add(input);
    }
    for (const value of neededValues) {
      if (value.constant) initializers.set(value.name, value.constant);
      else if (value.call === null) usedInputs.add(value);
    }

    const nodes: Node[] = [];
    for (const call of this.calls) if (needed.has(call)) nodes.push(toNode(call));
    const named: NamedType[] = [];
    for (const [name, value] of Object.entries(outputs)) {
      nodes.push(identityNode(value.name, name));
      named.push({ name, dtype: value.dtype, shape: value.shape });
    }
    const inputs = [...this.inputs.values()].filter((value) => options.keepInputs || usedInputs.has(value));
    return {
      name: options.name ?? "graph",
      opset: this.opset,
      inputs: inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
      outputs: named,
      nodes,
      initializers,
      metadata: {},
    };
  }

  private fold(rule: Rule, site: Parameters<Rule["infer"]>[0], inputs: readonly (Value | null)[]): Value[] | null {
    if (!rule.evaluate || inputs.length === 0) return null;
    const constants: (Constant | null)[] = [];
    for (const input of inputs) {
      if (input && !(input.constant && input.constant.data.length <= FOLD_LIMIT)) return null;
      constants.push(input ? input.constant : null);
    }
    const types = rule.infer(site, inputs);
    if (types.some(({ shape }) => shape.reduce((a, b) => a * b, 1) > FOLD_LIMIT)) return null;
    return rule.evaluate(site, constants).map((constant) => this.constant(constant));
  }

  private value(
    name: string,
    dtype: DataType,
    shape: readonly number[],
    call: Call | null,
    constant: Constant | null,
  ): Value {
    this.names.add(name);
    return { builder: this, name, dtype, shape, call, constant };
  }

  private unique(name: string): string {
    let candidate = name;
    while (this.names.has(candidate)) {
      const count = (this.counts.get(name) ?? 0) + 1;
      this.counts.set(name, count);
      candidate = `${name}_${count}`;
    }
    this.names.add(candidate);
    return candidate;
  }
}

/** Traces `network` on inputs of the given types and returns the graph of what it returns. */
export function trace<I extends Readonly<Record<string, { dtype?: DataType; shape: readonly number[] }>>>(
  inputs: I,
  network: (values: { [K in keyof I]: Value }, builder: Builder) => Readonly<Record<string, Value>>,
): Graph {
  const builder = new Builder();
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype = "float32", shape }]) => [name, builder.input(name, dtype, shape)]),
  ) as { [K in keyof I]: Value };
  return builder.build(network(values, builder), { keepInputs: true });
}

function callKey(
  op: string,
  domain: string,
  inputs: readonly (Value | null)[],
  attributes: Readonly<Record<string, Attribute>>,
  outputs: number,
): string {
  const names = inputs.map((input) => input?.name ?? "").join("|");
  const tags = Object.keys(attributes)
    .sort()
    .map((key) => `${key}=${attributeKey(attributes[key])}`);
  return `${domain}:${op}(${names})[${tags.join(";")}]${outputs}`;
}

function attributeKey(attribute: Attribute): string {
  if (attribute.kind !== "tensor") return JSON.stringify(attribute.value);
  return smallKey(attribute.value, Infinity) ?? "";
}

function toNode(call: Call): Node {
  return {
    op: call.op,
    domain: call.domain,
    name: call.name,
    inputs: call.inputs.map((input) => input?.name ?? ""),
    outputs: call.outputs.map((output) => output.name),
    attributes: call.attributes,
  };
}

function identityNode(from: string, to: string): Node {
  return { op: "Identity", domain: "", name: `output/${to}`, inputs: [from], outputs: [to], attributes: {} };
}
