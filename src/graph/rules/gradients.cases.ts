/** The suite that every operator family's rules go through; a family is a table of cases. */
import { expect, test } from "vitest";
import { type Stream, philox } from "../../base/philox.ts";
import { sizeOf } from "../../base/tensor.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { Builder } from "../builder.ts";
import { isFloat } from "../dataTypes.ts";
import { gradients } from "../gradients.ts";
import type { Constant, DataType, Graph } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { add, mul } from "../ops/elementwise.ts";
import { reduceSum } from "../ops/reduce.ts";
import type { Value } from "../value.ts";

interface InputSpec {
  readonly shape: readonly number[];
  /** Range the numbers are drawn from. Default [-2, 2]; integers are below `to`. */
  readonly from?: number;
  readonly to?: number;
  /** Default a float. "integer" is int64 and has no gradient. */
  readonly kind?: "float" | "integer";
  /** These numbers instead of random ones. */
  readonly data?: readonly number[];
}

export interface GradientCase {
  readonly name: string;
  /** By name; a list is a shape. */
  readonly inputs: Readonly<Record<string, InputSpec | readonly number[]>>;
  readonly network: (values: Record<string, Value>) => Value;
  /** Whether the second order is checked too: it is unless the function is piecewise linear or has no other. Default true. */
  readonly second?: boolean;
  /** Operator set that has the operators. Default the builder's. */
  readonly opset?: number;
}

const H = 1e-5;
const runtime = nodeRuntime({ threads: 1 });

/**
 * Each case four ways: first and second derivatives against central differences in float64, everything on ONNX Runtime
 * in float32 against the host reference.
 */
export function gradientSuite(cases: readonly GradientCase[]): void {
  test.each(cases)("$name: the gradient is the slope by central differences", (given) => {
    const { inputs, names } = drawn(given);
    const graph = graphOf(given, "float64");
    const found = interpret(graph, inputs);
    for (const name of names) {
      expect(found[`first/${name}`].data).toBeAllClose(slopes(graph, inputs, name, "objective"), close);
    }
  });

  test.each(cases.filter(({ second = true }) => second))(
    "$name: the gradient's gradient is the slope of the gradient",
    (given) => {
      const { inputs, names } = drawn(given);
      const graph = graphOf(given, "float64");
      const found = interpret(graph, inputs);
      for (const name of names) {
        expect(found[`second/${name}`].data).toBeAllClose(slopes(graph, inputs, name, "along"), close);
      }
    },
  );

  test.each(cases)("$name: ONNX Runtime agrees with the host reference", async (given) => {
    const { inputs } = drawn(given);
    const graph = graphOf(given, "float32");
    const program = await runtime.compile(graph);
    const feeds = Object.fromEntries(
      graph.inputs.map(({ name, dtype, shape }) => [
        name,
        { data: arrayOf(dtype, inputs[name].data), shape: shape as number[] },
      ]),
    );
    const got = await program.run(feeds);
    await program.dispose();
    const want = interpret(graph, inputs);
    for (const { name } of graph.outputs) {
      expect(got[name].shape).toEqual(want[name].shape);
      const largest = Math.max(1, ...Array.from(want[name].data as Float64Array, Math.abs));
      expect(got[name].data).toBeAllClose(want[name].data, { abs: 1e-5 * largest, rel: 1e-5 });
    }
  });
}

// Central differences are off by about H^2 and 1e-16 / H.
const close = { rel: 1e-6, abs: 1e-7 };

type Inputs = Record<string, { readonly data: readonly number[]; readonly shape: readonly number[] }>;

const specOf = (spec: InputSpec | readonly number[]): InputSpec => ("shape" in spec ? spec : { shape: spec });

/** Random inputs, cotangent and direction of a case, always the same ones; and the names of its float inputs. */
function drawn(given: GradientCase): { inputs: Inputs; names: string[] } {
  const { inputs } = given;
  const stream = philox(7, given.name.length);
  const out: Inputs = {};
  const names: string[] = [];
  for (const [name, input] of Object.entries(inputs)) {
    const spec = specOf(input);
    if (spec.kind !== "integer") names.push(name);
    out[name] = { data: spec.data ?? draw(spec, stream), shape: spec.shape };
  }
  for (const name of names)
    out[`direction/${name}`] = { data: draw(out[name], stream), shape: out[name].shape };
  const { shape } = outputOf(given, "float64", new Builder(given.opset));
  out.cotangent = { data: draw({ shape }, stream), shape };
  return { inputs: out, names };
}

function draw({ shape, from = -2, to = 2, kind }: InputSpec, stream: Stream): number[] {
  return Array.from({ length: sizeOf(shape) }, () =>
    kind === "integer" ? stream.integer(to) : from + (to - from) * stream.uniform(),
  );
}

function outputOf({ inputs, network }: GradientCase, float: DataType, builder: Builder): Value {
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, given]) => {
      const { shape, kind } = specOf(given);
      return [name, builder.input(name, kind === "integer" ? "int64" : float, shape)];
    }),
  );
  return network(values);
}

/**
 * "y"; "objective" = sum of cotangent * y; "first/x" its gradient; "along" = sum over inputs of direction * first (where
 * asked) and "second/x" its gradient.
 */
function graphOf(given: GradientCase, float: DataType): Graph {
  const builder = new Builder(given.opset);
  const y = outputOf(given, float, builder);
  const wrt = Object.keys(given.inputs)
    .map((name) => builder.findInput(name)!)
    .filter(({ dtype }) => isFloat(dtype));
  const objective = dot(y, builder.input("cotangent", float, y.shape));
  const first = gradients(objective, wrt);
  const outputs: Record<string, Value> = { y, objective };
  wrt.forEach((x, i) => (outputs[`first/${x.name}`] = first[i]));
  if (given.second ?? true) {
    const along = first
      .map((g, i) => dot(g, builder.input(`direction/${wrt[i].name}`, float, g.shape)))
      .reduce((a, b) => add(a, b));
    outputs.along = along;
    gradients(along, wrt).forEach((g, i) => (outputs[`second/${wrt[i].name}`] = g));
  }
  return builder.build(outputs, { keepInputs: true });
}

function dot(a: Value, b: Value): Value {
  const axes = a.shape.map((_, i) => i);
  return axes.length === 0 ? mul(a, b) : reduceSum(mul(a, b), axes);
}

/** Central differences of a scalar output with respect to every element of one input. */
function slopes(graph: Graph, inputs: Inputs, name: string, output: string): number[] {
  const at = (i: number, shift: number): number => {
    const data = inputs[name].data.map((value, k) => (k === i ? value + shift : value));
    const found: Constant = interpret(only(graph, output), { ...inputs, [name]: { ...inputs[name], data } })[
      output
    ];
    return found.data[0] as number;
  };
  return inputs[name].data.map((_, i) => (at(i, H) - at(i, -H)) / (2 * H));
}

const parts = new WeakMap<Graph, Map<string, Graph>>();

/** The graph without what one output does not need. */
function only(graph: Graph, output: string): Graph {
  const known = parts.get(graph) ?? new Map<string, Graph>();
  parts.set(graph, known);
  const found = known.get(output);
  if (found) return found;
  const needed = new Set([output]);
  const nodes = [...graph.nodes].reverse().filter((node) => {
    if (!node.outputs.some((name) => needed.has(name))) return false;
    for (const name of node.inputs) needed.add(name);
    return true;
  });
  const part = {
    ...graph,
    nodes: nodes.reverse(),
    outputs: graph.outputs.filter(({ name }) => name === output),
  };
  known.set(output, part);
  return part;
}

function arrayOf(dtype: DataType, data: readonly number[]): Float32Array | BigInt64Array {
  return dtype === "int64" ? BigInt64Array.from(data, BigInt) : Float32Array.from(data);
}
