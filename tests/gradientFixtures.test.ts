import { expect, test } from "vitest";
import { gradients } from "../src/graph/gradients.ts";
import type { Constant, DataType, Graph } from "../src/graph/graph.ts";
import { constantOf } from "../src/graph/constant.ts";
import { interpret } from "../src/graph/interpret.ts";
import { readOnnx } from "../src/graph/onnx/readOnnx.ts";
import { add, mul } from "../src/graph/ops/elementwise.ts";
import { reduceSum } from "../src/graph/ops/reduce.ts";
import { builderFor, declareInputs, replay } from "../src/graph/replay.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { RuntimeTensor } from "../src/runtime/runtime.ts";
import { type OperatorCase, operatorCases } from "./gradientCases.ts";
import { waiting } from "./waitingCases.ts";

const runtime = nodeRuntime({ threads: 1 });

const cases = operatorCases();

test.each(cases.filter(({ name }) => !waiting[name]))("$name: outputs and gradients are torch's", check);

test.fails.each(cases.filter(({ name }) => waiting[name]))("$name: waits for a rule", check);

async function check(given: OperatorCase): Promise<void> {
  const graph = withGradients(given);
  const feeds = feedsOf(graph, given);
  const program = await runtime.compile(graph);
  const [host, native] = [interpret(graph, feeds), await program.run(feeds)];
  await program.dispose();

  for (const [name, { shape, data }] of Object.entries(given.outputs)) {
    for (const got of [host, native]) {
      expect(got[`output/${name}`].shape).toEqual(shape);
      expect(got[`output/${name}`].data).toBeAllClose(data, { abs: 1e-5, rel: 1e-5 });
    }
  }
  for (const [name, want] of Object.entries(given.gradients)) {
    const largest = Math.max(...want.map(Math.abs));
    // The graph's own constants are float32, on the host too.
    expect(host[`gradient/${name}`].data).toBeAllClose(want, { abs: 2e-7 * largest });
    expect(native[`gradient/${name}`].data).toBeAllClose(want, {
      abs: 1e-5 * largest + 4 * given.float32Error,
    });
  }
}

/** The case's model with the gradients of the sum of its outputs times their cotangents. */
function withGradients({ model, inputs, cotangents, gradients: wanted }: OperatorCase): Graph {
  const read = readOnnx(model);
  const graph = { ...read, inputs: read.inputs.map((type) => ({ ...type, shape: inputs[type.name].shape })) };
  const builder = builderFor(graph);
  const declared = declareInputs(graph, builder);
  const outputs = replay(graph, builder, declared);
  const terms = Object.keys(cotangents).map((name) => {
    const output = outputs[name];
    const term = mul(output, builder.input(`cotangent/${name}`, output.dtype, output.shape));
    return reduceSum(
      term,
      output.shape.map((_, i) => i),
    );
  });
  const names = Object.keys(wanted);
  const slopes = gradients(
    terms.reduce((a, b) => add(a, b)),
    names.map((name) => declared[name]),
  );
  return builder.build(
    Object.fromEntries([
      ...Object.entries(outputs).map(([name, value]) => [`output/${name}`, value]),
      ...names.map((name, i) => [`gradient/${name}`, slopes[i]]),
    ]),
    { keepInputs: true },
  );
}

function feedsOf(graph: Graph, { inputs, cotangents }: OperatorCase): Record<string, RuntimeTensor> {
  const feed = (name: string, dtype: DataType, shape: readonly number[]): Constant =>
    constantOf(dtype, shape, inputs[name]?.data ?? cotangents[name.replace("cotangent/", "")]);
  return Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape }) => [
      name,
      feed(name, dtype, shape as number[]) as RuntimeTensor,
    ]),
  );
}
