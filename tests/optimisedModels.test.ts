import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
// eslint-disable-next-line no-restricted-imports -- the optimiser itself is what is looked at here
import { InferenceSession } from "onnxruntime-node";
import { afterAll, expect, test } from "vitest";
import { decompose } from "../src/graph/decompose.ts";
import type { Graph } from "../src/graph/graph.ts";
import { readOnnx } from "../src/graph/onnx/readOnnx.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { bound, modelCases } from "./modelCases.ts";
import { denoisers, pipelineFolder } from "./pipelineCases.ts";

// What ONNX Runtime's optimiser makes of a model, decomposed again, is the model.

const runtime = nodeRuntime({ threads: 1 });
const folder = mkdtempSync(join(tmpdir(), "fairlead-optimised-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The graph that ONNX Runtime would run: nodes fused as far as they do not depend on the processor. */
async function optimised(file: URL): Promise<Graph> {
  const path = join(folder, `${readdirSync(folder).length}.onnx`);
  const session = await InferenceSession.create(fileURLToPath(file), {
    graphOptimizationLevel: "extended",
    optimizedModelFilePath: path,
    logSeverityLevel: 3,
  });
  await session.release();
  return readOnnx(readFileSync(path));
}

test.each(modelCases)("$title, optimised and decomposed, gives PyTorch's outputs", async (given) => {
  const graph = bound(await optimised(given.file), given.feeds);
  const plain = decompose(graph);
  expect(plain.nodes.filter(({ domain, op }) => domain !== "" && op !== "QuickGelu")).toEqual([]);
  const program = await runtime.compile(plain);
  const got = await program.run(given.feeds);
  await program.dispose();
  for (const [name, { data }] of Object.entries(given.outputs)) {
    expect(got[name].data).toBeAllClose(data, { abs: 1e-5, rel: 1e-5 });
  }
});

test.each(denoisers().filter(({ half }) => !half))(
  "$name, optimised and decomposed, gives PyTorch's outputs",
  async ({ name, calls }) => {
    const graph = await optimised(pathToFileURL(pipelineFolder + name));
    for (const { feeds, cases } of calls) {
      const plain = decompose(bound(graph, feeds));
      expect(plain.nodes.filter(({ domain, op }) => domain !== "" && op !== "QuickGelu")).toEqual([]);
      const program = await runtime.compile(plain);
      const got = await program.run(feeds);
      await program.dispose();
      const want = cases.find(({ id }) => id === "base")!.output.data;
      expect(Object.values(got)[0].data).toBeAllClose(want, { abs: 2e-5, rel: 2e-5 });
    }
  },
);
