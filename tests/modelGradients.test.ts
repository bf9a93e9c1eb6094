import { expect, test } from "vitest";
import { expandFused } from "../src/graph/decompose.ts";
import { gradients } from "../src/graph/gradients.ts";
import type { Graph } from "../src/graph/graph.ts";
import { mul } from "../src/graph/ops/elementwise.ts";
import { logSoftmax } from "../src/graph/ops/normalise.ts";
import { reduceSum } from "../src/graph/ops/reduce.ts";
import { oneHot } from "../src/graph/ops/indexing.ts";
import { builderFor, declareInputs, replay } from "../src/graph/replay.ts";
import type { Value } from "../src/graph/value.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { type ModelCase, modelCases } from "./modelCases.ts";

const runtime = nodeRuntime({ threads: 1 });

test.each(modelCases)("$title: outputs, objective and gradient are PyTorch's", async (given) => {
  const program = await runtime.compile(withGradient(given));
  const got = await program.run(given.feeds);
  await program.dispose();

  for (const [name, { shape, data }] of Object.entries(given.outputs)) {
    expect(got[name].shape).toEqual(shape);
    expect(got[name].data).toBeAllClose(data, { abs: 1e-5, rel: 1e-5 });
  }
  expect(got.objective.data).toBeAllClose(given.objective.f64, { rel: 1e-6, abs: 1e-6 });
  const { f64, largest, f32VersusF64 } = given.gradient;
  expect(got.gradient.data).toBeAllClose(f64, { abs: 1e-5 * largest + 4 * f32VersusF64 });
});

/** The case's model, its objective, and the objective's gradient. */
function withGradient(given: ModelCase): Graph {
  const graph = given.graph();
  const builder = builderFor(graph);
  const inputs = declareInputs(graph, builder);
  const outputs = replay(graph, builder, inputs, expandFused);
  const objective = objectiveOf(given, outputs);
  const [gradient] = gradients(objective, [inputs[given.wrt]]);
  return builder.build({ ...outputs, objective, gradient }, { keepInputs: true });
}

/** Sum of the labels' log probabilities; without labels, of the outputs times their cotangents. */
function objectiveOf({ labels, cotangents }: ModelCase, outputs: Record<string, Value>): Value {
  const [[name, y]] = Object.entries(outputs);
  const weights = labels
    ? oneHot(y.builder.literal(labels, "int64"), y.shape[1])
    : y.builder.literal(cotangents[name].data, y.dtype, cotangents[name].shape);
  return reduceSum(mul(labels ? logSoftmax(y) : y, weights), [0, 1]);
}
