import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { philox } from "../base/philox.ts";
import { sizeOf } from "../base/tensor.ts";
import { openOnnxFile, saveOnnxFile } from "../files/onnxFile.ts";
import { trace } from "../graph/builder.ts";
import { costOf } from "../graph/cost.ts";
import type { Graph } from "../graph/graph.ts";
import { mul } from "../graph/ops/elementwise.ts";
import { matmul } from "../graph/ops/linear.ts";
import { perturb } from "../graph/perturb.ts";
import { openGraph } from "../models/openGraph.ts";
import { nodeRuntime } from "../runtime/node.ts";
import type { RuntimeTensor } from "../runtime/runtime.ts";
import { runCli } from "./run.ts";

let root: string;
beforeAll(async () => (root = await mkdtemp(join(tmpdir(), "fairlead-graph-"))));
afterAll(() => rm(root, { recursive: true, force: true }));

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const written = { out: "", err: "" };
  const stream = (name: "out" | "err") => ({ write: (text: string) => (written[name] += text) });
  const code = await runCli(argv, { stdout: stream("out"), stderr: stream("err") });
  return { code, ...written };
}

const random = (shape: readonly number[]): RuntimeTensor => {
  const data = new Float32Array(sizeOf(shape));
  philox(1, 2).fillNormal(data);
  return { data, shape };
};
const feeds = {
  x: random([1, 1, 32, 32]),
  noise: { data: Float32Array.of(0.7), shape: [1] },
  labels: { data: BigInt64Array.of(3n), shape: [1] },
};

async function outputsOf(
  graph: Graph,
  of: Record<string, RuntimeTensor> = feeds,
): Promise<Record<string, RuntimeTensor>> {
  const program = await nodeRuntime({ threads: 1 }).compile(graph);
  const results = await program.run(of);
  await program.dispose();
  return results;
}

describe("inspect", () => {
  test("says what a model of ours is made of, and what an evaluation costs", async () => {
    const { code, out } = await run("inspect", "fashion-mnist", "--json");
    expect(code).toBe(0);
    const found = JSON.parse(out) as Record<string, unknown> & {
      attention: { name: string; heads: number }[];
    };
    const { graph } = await openGraph("fashion-mnist");
    expect(found.flops).toBe(costOf(graph).flops);
    expect(found.inputs).toEqual(graph.inputs);
    expect(found.attention.map(({ name, heads }) => [name, heads])).toEqual([
      ["down.1.0/attention", 2],
      ["mid.0/attention", 2],
      ["up.1.0/attention", 2],
    ]);
    const table = (await run("inspect", "fashion-mnist")).out;
    expect(table).toMatch(/mid\.0\/attention +self +mid +2 +64 +64/);
  });

  test("of open dimensions says what to bind, and counts once they are", async () => {
    const file = join(root, "open.onnx");
    const traced = trace({ x: { shape: [2, 8] }, w: { shape: [8, 4] } }, ({ x, w }) => ({ y: matmul(x, w) }));
    const open = {
      ...traced,
      inputs: traced.inputs.map((type) => (type.name === "x" ? { ...type, shape: ["rows", 8] } : type)),
    };
    await saveOnnxFile(open, file);
    expect((await run("inspect", file)).out).toContain("needs the size of rows: add --bind rows=1");
    const { out } = await run("inspect", file, "--bind", "rows=5", "--json");
    expect((JSON.parse(out) as { flops: number }).flops).toBe(2 * 5 * 8 * 4);
  });
});

describe("rewrite", () => {
  test("with --perturb and --merge writes a file whose outputs are those of the two networks", async () => {
    const file = join(root, "pag.onnx");
    expect(
      (await run("rewrite", "fashion-mnist", "--perturb", "identity:layers=mid", "--merge", "-o", file)).code,
    ).toBe(0);
    const { graph } = await openGraph("fashion-mnist");
    const [merged, plain, perturbed] = [
      await outputsOf(await openOnnxFile(file)),
      await outputsOf(graph),
      await outputsOf(perturb(graph, { kind: "identity", layers: ["mid"] })),
    ];
    expect(merged.plain.data).toBeAllClose(plain.prediction.data, { abs: 1e-5 });
    expect(merged.perturbed.data).toBeAllClose(perturbed.prediction.data, { abs: 1e-5 });
    expect(merged.perturbed.data).not.toEqual(merged.plain.data);
  });

  test("with --gradient adds the gradient of the sum of an output", async () => {
    const [from, to] = [join(root, "square.onnx"), join(root, "gradient.onnx")];
    await saveOnnxFile(
      trace({ x: { shape: [3] } }, ({ x }) => ({ y: mul(x, mul(x, x)) })),
      from,
    );
    expect((await run("rewrite", from, "--gradient", "y:x", "-o", to)).code).toBe(0);
    const x = { data: Float32Array.of(1, 2, -3), shape: [3] };
    const results = await outputsOf(await openOnnxFile(to), { x });
    expect(results["gradient/x"].data).toBeAllClose([3, 12, 27], { rel: 1e-6 });
  });

  test("with --optimise writes what computes the same", async () => {
    const file = join(root, "fast.onnx");
    expect((await run("rewrite", "fashion-mnist", "--optimise", "-o", file)).code).toBe(0);
    const { graph } = await openGraph("fashion-mnist");
    const [fast, plain] = [await outputsOf(await openOnnxFile(file)), await outputsOf(graph)];
    expect(fast.prediction.data).toBeAllClose(plain.prediction.data, { abs: 1e-5 });
  });

  test("with --bind alone changes nothing but sizes", async () => {
    const [from, to] = [join(root, "open.onnx"), join(root, "bound.onnx")];
    expect((await run("rewrite", from, "--bind", "rows=3", "-o", to)).code).toBe(0);
    const [before, after] = [await openOnnxFile(from), await openOnnxFile(to)];
    expect(after.inputs.find(({ name }) => name === "x")!.shape).toEqual([3, 8]);
    expect(after.nodes).toEqual(before.nodes);
  });
});

test.each<[string[], string]>([
  [["inspect", "nothere.onnx"], "there is no file nothere.onnx"],
  [["inspect", "fashion-mnist", "--bind", "batch"], "--bind wants NAME=SIZE such as batch=2,height=64"],
  [["rewrite", "fashion-mnist", "--simplify"], "rewrite needs a file to write: add -o OUT.onnx"],
  [["rewrite", "fashion-mnist", "-o", "x.onnx"], "rewrite changes nothing as it stands"],
  [
    ["rewrite", "fashion-mnist", "--merge", "--simplify", "-o", "x.onnx"],
    "--merge puts the plain and the perturbed",
  ],
  [
    ["rewrite", "fashion-mnist", "--perturb", "blur:layers=mid", "-o", "x.onnx"],
    'no perturbation of kind "blur"; the kinds are',
  ],
  [["rewrite", "fashion-mnist", "--perturb", "identity:layers=deep", "-o", "x.onnx"], "deep"],
  [
    ["rewrite", "fashion-mnist", "--perturb", "identity:mid", "-o", "x.onnx"],
    '"mid" in "identity:mid" is not KEY=VALUE',
  ],
  [
    ["rewrite", "fashion-mnist", "--gradient", "y", "-o", "x.onnx"],
    'the graph has no input "y"; its inputs are x, noise, labels',
  ],
])("%s is refused with one sentence that says what to do", async (argv, message) => {
  const { code, out, err } = await run(...argv);
  expect(code).toBe(2);
  expect(out).toBe("");
  expect(err.trimEnd().split("\n")).toHaveLength(1);
  expect(err).toContain(message);
});
