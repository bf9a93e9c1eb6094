/**
 * Opens a model of 1 GB (or GIGABYTES) with its tensors in another file, and rewrites it, in a process of its own:
 * time and memory. Run: npx tsx bench/openLarge.ts [GIGABYTES]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openOnnxFile, saveOnnxFile } from "../src/files/onnxFile.ts";
import { lazyConstant } from "../src/graph/lazyConstant.ts";
import { type Value, costOf, simplify, trace } from "../src/graph/index.ts";
import { matmul } from "../src/graph/ops/linear.ts";

/** Rows and columns of each weight: 4 MiB in float32. */
const WIDTH = 1024;

if (process.argv[2] === "--open") await open(process.argv[3]);
else await measure(Number(process.argv[2] ?? 1));

/** Makes the model, one weight in memory at a time, and has it opened. */
async function measure(gigabytes: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-large-"));
  try {
    const path = join(folder, "large.onnx");
    const layers = Math.round((gigabytes * 2 ** 30) / (4 * WIDTH ** 2));
    const graph = trace({ x: { shape: [1, WIDTH] } }, ({ x }, builder) => {
      let y: Value = x;
      for (let i = 0; i < layers; i++) {
        const weight = { dtype: "float32", shape: [WIDTH, WIDTH] } as const;
        const constant = lazyConstant(weight, () => new Float32Array(WIDTH ** 2).fill(i));
        y = matmul(y, builder.constant(constant, `weight ${i}`));
      }
      return { y };
    });
    await saveOnnxFile(graph, path, { externalThreshold: 1024 });
    const bytes = statSync(path).size + statSync(`${path}.data`).size;
    console.log(`${(bytes / 2 ** 30).toFixed(2)} GiB in ${layers} weights`);
    const self = fileURLToPath(import.meta.url);
    const opened = execFileSync(process.execPath, ["--import", "tsx", self, "--open", path]);
    console.log(opened.toString().trimEnd());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function open(path: string): Promise<void> {
  const report = (what: string, since: number): void => {
    const ms = (performance.now() - since).toFixed(0);
    // In KiB, the most since the process began.
    const peak = process.resourceUsage().maxRSS / 1024;
    console.log(`${what.padEnd(32)} ${ms.padStart(6)} ms   peak ${peak.toFixed(0)} MiB`);
  };
  report("before", performance.now());
  let start = performance.now();
  const graph = await openOnnxFile(path);
  report("openOnnxFile", start);
  start = performance.now();
  const { weightBytes } = costOf(graph);
  report(`costOf (${(weightBytes / 2 ** 30).toFixed(2)} GiB of weights)`, start);
  start = performance.now();
  simplify(graph);
  report("simplify", start);
  start = performance.now();
  await saveOnnxFile(graph, `${path}.copy.onnx`, { externalThreshold: 1024 });
  report("saveOnnxFile, a copy", start);
}
