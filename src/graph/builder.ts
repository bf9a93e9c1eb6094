import { UsageError } from "../base/errors.ts";
import { sizeOf } from "../base/tensor.ts";
import { callKey } from "./callKey.ts";
import { FOLD_LIMIT, constantOf, smallKey } from "./constant.ts";
import { evaluateCall } from "./evaluate.ts";
import type { Attributes, Constant, DataType, Graph, Node } from "./graph.ts";
import type { CallSite, InferredType, Rule } from "./rule.ts";
import { ruleOf } from "./rules/index.ts";
import { sameShape } from "./shapes.ts";
import { bodiesOf, domainsOf, mapBodies, renamed } from "./subgraphs.ts";
import { type Call, type Value, operandsOf } from "./value.ts";

/** No tensor has more elements. */
const LARGEST = 2 ** 40;

export interface ApplyOptions {
  readonly attributes?: Attributes;
  readonly domain?: string;
  readonly outputs?: number;
  readonly name?: string;
  readonly metadata?: Call["metadata"];
  /** Types of the outputs, for an operator that has no rule: it is carried along as it is. */
  readonly types?: readonly InferredType[];
  /** What the bodies in the attributes read of the graph around them, by the names they use. */
  readonly captured?: Call["captured"];
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
  /** Versions of operator sets other than the standard one. */
  private readonly versions = new Map<string, number>();

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

  /** Says which versions of operator sets calls are of. Throws UsageError for two versions of one. */
  importDomains(domains: Readonly<Record<string, number>>): void {
    for (const [domain, version] of Object.entries(domains)) {
      const known = this.versions.get(domain) ?? version;
      if (known !== version) {
        throw new UsageError(
          `graphs with versions ${known} and ${version} of the operators of "${domain}" cannot be one graph`,
        );
      }
      this.versions.set(domain, version);
    }
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
    const key = callKey(op, inputs, options);
    const found = this.known.get(key);
    if (found) return found;

    const name = this.unique([...this.path, options.name ?? op].join("/"));
    const site = { op, name, attributes, outputCount, opset: this.opset };
    const rule = options.types ? null : ruleOf(op, domain, name);
    const folded = rule && this.fold(rule, site, inputs);
    if (folded) {
      this.known.set(key, folded);
      return folded;
    }

    const types = options.types ?? rule!.infer?.(site, inputs) ?? this.expandedTypes(rule!, site, inputs);
    const outputs: Value[] = [];
    const call: Call = {
      id: this.calls.length,
      op,
      domain,
      name,
      inputs,
      ...this.ownBodies(name, attributes, options.captured),
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

  /** Attributes whose bodies use names that nothing else in this builder has, and what they capture by such names. */
  private ownBodies(
    call: string,
    attributes: Attributes,
    captured: Call["captured"],
  ): Pick<Call, "attributes" | "captured"> {
    if (bodiesOf(attributes).length === 0) return { attributes };
    const own = (name: string): string => this.unique(`${call}/${name}`);
    const names = new Map([...(captured?.keys() ?? [])].map((name) => [name, own(name)]));
    return {
      attributes: mapBodies(attributes, (body) => renamed(body, names, own)),
      captured: new Map([...(captured ?? [])].map(([name, value]) => [names.get(name)!, value])),
    };
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
    const inner = (name: string): string =>
      Object.hasOwn(outputs, name) ? this.innerName(name, outputs) : name;
    const nameOf = (value: Value): string => inner(value.name);

    const initializers = new Map<string, Constant>();
    for (const value of values) if (value.constant) initializers.set(nameOf(value), value.constant);
    const nodes = calls.map((call) => toNode(call, nameOf, inner));
    const used = [...domainsOf(calls)].filter((domain) => domain !== "");
    const domains = Object.fromEntries(used.map((domain) => [domain, this.versions.get(domain) ?? 1]));
    for (const [name, value] of Object.entries(outputs)) nodes.push(identityNode(nameOf(value), name));
    const inputs = [...this.inputs.values()].filter((value) => keepInputs || values.has(value));
    return {
      name: graphName,
      opset: this.opset,
      ...(used.length > 0 && { domains }),
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
      for (const value of operandsOf(call)) values.add(value);
    }
    return { calls: calls.reverse(), values };
  }

  /** Another name for a value inside the graph whose name an output has. */
  private innerName(taken: string, outputs: Readonly<Record<string, Value>>): string {
    if (this.inputs.has(taken))
      throw new UsageError(`"${taken}" cannot be both an input and an output: call the output otherwise`);
    let name = `${taken}/inner`;
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
    if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0) || sizeOf(shape) > LARGEST)
      throw new UsageError(
        `"${name}" would be a tensor of shape [${shape.join(", ")}], which cannot be computed`,
      );
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

function toNode(call: Call, nameOf: (value: Value) => string, inner: (name: string) => string): Node {
  const names = new Map([...(call.captured ?? [])].map(([name, value]) => [name, nameOf(value)]));
  return {
    op: call.op,
    domain: call.domain,
    name: call.name,
    inputs: call.inputs.map((input) => (input ? nameOf(input) : "")),
    outputs: call.outputs.map(nameOf),
    attributes: mapBodies(call.attributes, (body) => renamed(body, names, inner)),
    ...(call.metadata && { metadata: call.metadata }),
  };
}

function identityNode(from: string, to: string): Node {
  return { op: "Identity", domain: "", name: `output/${to}`, inputs: [from], outputs: [to], attributes: {} };
}
