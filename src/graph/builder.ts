import { UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import { constantOf, smallKey } from "./constant.ts";
import { evaluateCall } from "./evaluate.ts";
import type { Attribute, Constant, DataType, Graph, Node } from "./graph.ts";
import type { CallSite, InferredType, Rule } from "./rule.ts";
import { ruleOf } from "./rules/index.ts";
import { sameShape } from "./shapes.ts";
import type { Call, Value } from "./value.ts";

/** Constants up to this many elements are folded while tracing, and shared when equal. */
const FOLD_LIMIT = 4096;

interface ApplyOptions {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: string;
  readonly outputs?: number;
  readonly name?: string;
  readonly metadata?: Call["metadata"];
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
  /** Small constants by their content. */
  private readonly constants = new Map<string, Value>();
  /** Large ones by identity, so that those which lie in a file are not read. */
  private readonly largeConstants = new Map<Constant, Value>();
  /** And by where their content lies in memory. */
  private readonly views = new Map<ArrayBufferLike, Value[]>();
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
    if (this.names.has(name))
      throw new UsageError(`the graph already has an input or a value called "${name}"`);
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
    const found = key !== null ? this.constants.get(key) : this.largeConstant(constant);
    if (found) return found;
    const value = this.value(this.unique(name), constant.dtype, constant.shape, null, constant);
    if (key !== null) this.constants.set(key, value);
    else {
      this.largeConstants.set(constant, value);
      const { buffer } = inMemory(constant) ?? {};
      if (buffer) this.views.set(buffer, [...(this.views.get(buffer) ?? []), value]);
    }
    return value;
  }

  private largeConstant(constant: Constant): Value | undefined {
    const found = this.largeConstants.get(constant);
    const data = inMemory(constant);
    if (found || !data) return found;
    return this.views.get(data.buffer)?.find((value) => sameMemory(value.constant!, constant));
  }

  /** A constant from numbers. */
  literal(
    numbers: number | readonly number[],
    dtype: DataType = "float32",
    shape?: readonly number[],
  ): Value {
    const list = typeof numbers === "number" ? [numbers] : numbers;
    return this.constant(
      constantOf(dtype, shape ?? (typeof numbers === "number" ? [] : [list.length]), list),
    );
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

    const types = rule.infer?.(site, inputs) ?? this.expandedTypes(rule, site, inputs);
    const outputs: Value[] = [];
    const call: Call = {
      id: this.calls.length,
      op,
      domain,
      name,
      inputs,
      attributes,
      outputs,
      metadata: options.metadata,
    };
    types.forEach((type, i) => {
      outputs.push(this.value(this.unique(`${name}:${i}`), type.dtype, type.shape, call, null));
    });
    this.calls.push(call);
    this.known.set(key, outputs);
    return outputs;
  }

  /**
   * The graph that computes `outputs` (by name), from the inputs they need, or from all with `keepInputs`.
   * Throws UsageError for an output called as an input.
   */
  build(
    outputs: Readonly<Record<string, Value>>,
    { name: graphName = "graph", keepInputs = false }: { name?: string; keepInputs?: boolean } = {},
  ): Graph {
    const { calls, values } = this.neededBy(Object.values(outputs));
    const nameOf = (value: Value): string =>
      Object.hasOwn(outputs, value.name) ? this.innerName(value, outputs) : value.name;

    const initializers = new Map<string, Constant>();
    for (const value of values) if (value.constant) initializers.set(nameOf(value), value.constant);
    const nodes = calls.map((call) => toNode(call, nameOf));
    for (const [name, value] of Object.entries(outputs)) nodes.push(identityNode(nameOf(value), name));
    const inputs = [...this.inputs.values()].filter((value) => keepInputs || values.has(value));
    return {
      name: graphName,
      opset: this.opset,
      inputs: inputs.map(({ name, dtype, shape }) => ({ name, dtype, shape })),
      outputs: Object.entries(outputs).map(([name, { dtype, shape }]) => ({ name, dtype, shape })),
      nodes,
      initializers,
      metadata: {},
    };
  }

  /** The calls that `outputs` need, in the order in which they run, and all values that they read. */
  private neededBy(outputs: readonly Value[]): { calls: Call[]; values: ReadonlySet<Value> } {
    const values = new Set<Value>(outputs);
    const calls: Call[] = [];
    for (let i = this.calls.length - 1; i >= 0; i--) {
      const call = this.calls[i];
      if (!call.outputs.some((value) => values.has(value))) continue;
      calls.push(call);
      for (const input of call.inputs) if (input) values.add(input);
    }
    return { calls: calls.reverse(), values };
  }

  /** Another name for a value inside the graph whose name an output has. */
  private innerName(value: Value, outputs: Readonly<Record<string, Value>>): string {
    if (this.inputs.has(value.name)) {
      throw new UsageError(
        `"${value.name}" cannot be both an input and an output: call the output otherwise`,
      );
    }
    let name = `${value.name}/inner`;
    while (this.names.has(name) || Object.hasOwn(outputs, name)) name += "_";
    return name;
  }

  /** The outputs, where they are known now and small. */
  private fold(rule: Rule, site: CallSite, inputs: readonly (Value | null)[]): readonly Value[] | null {
    const small = inputs.every((input) => !input || (input.constant && sizeOf(input.shape) <= FOLD_LIMIT));
    const folded =
      rule.fromShapes?.(site, inputs) ??
      (small
        ? evaluateCall(
            rule,
            site,
            inputs.map((input) => input?.constant ?? null),
            FOLD_LIMIT,
          )
        : null);
    return folded?.map((constant) => this.constant(constant)) ?? null;
  }

  /** Types of the outputs of a fused operator, from what it stands for, which is traced elsewhere and dropped. */
  private expandedTypes(
    rule: Rule,
    site: CallSite,
    inputs: readonly (Value | null)[],
  ): readonly InferredType[] {
    const aside = new Builder(this.opset);
    const stand = inputs.map((input) => {
      if (!input) return null;
      if (input.constant) return aside.constant(input.constant);
      return aside.findInput(input.name) ?? aside.input(input.name, input.dtype, input.shape);
    });
    return rule.expand!(site, stand);
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
    Object.entries(inputs).map(([name, { dtype = "float32", shape }]) => [
      name,
      builder.input(name, dtype, shape),
    ]),
  ) as { [K in keyof I]: Value };
  return builder.build(network(values, builder), { keepInputs: true });
}

/** The data of a constant that is in memory already; null for one whose data is read when looked at. */
function inMemory(constant: Constant): Constant["data"] | null {
  return Object.getOwnPropertyDescriptor(constant, "data")?.value ?? null;
}

function sameMemory(a: Constant, b: Constant): boolean {
  return (
    a.dtype === b.dtype &&
    sameShape(a.shape, b.shape) &&
    a.data.buffer === b.data.buffer &&
    a.data.byteOffset === b.data.byteOffset
  );
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

/** A text equal for equal attributes; those that cannot be compared at once are equal to themselves only. */
function attributeKey(attribute: Attribute): string {
  const { kind, value } = attribute;
  switch (kind) {
    case "int":
    case "float":
    case "string":
      return "exact" in attribute ? `exact ${identityOf(attribute)}` : `${kind} ${scalarKey(value)}`;
    case "ints":
    case "floats":
    case "strings":
      return "exact" in attribute
        ? `exact ${identityOf(attribute)}`
        : `${kind} ${value.map(scalarKey).join()}`;
    case "tensor":
      return `${kind} ${smallKey(value, FOLD_LIMIT) ?? identityOf(value)}`;
    case "reference":
      return `${kind} ${scalarKey(value)}`;
    default:
      return `${kind} ${identityOf(value)}`;
  }
}

function scalarKey(value: number | string): string {
  return Object.is(value, -0) ? "-0" : JSON.stringify(String(value));
}

const identities = new WeakMap<object, number>();
let objects = 0;

/** A number for this very object: what cannot be compared is equal to itself only. */
function identityOf(value: object): number {
  const known = identities.get(value) ?? objects++;
  identities.set(value, known);
  return known;
}

function toNode(call: Call, nameOf: (value: Value) => string): Node {
  return {
    op: call.op,
    domain: call.domain,
    name: call.name,
    inputs: call.inputs.map((input) => (input ? nameOf(input) : "")),
    outputs: call.outputs.map(nameOf),
    attributes: call.attributes,
    ...(call.metadata && { metadata: call.metadata }),
  };
}

function identityNode(from: string, to: string): Node {
  return { op: "Identity", domain: "", name: `output/${to}`, inputs: [from], outputs: [to], attributes: {} };
}
