import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { philox } from "../../src/base/philox.ts";
import { sizeOf } from "../../src/base/tensor.ts";
import { type Graph, bindShapes, readOnnx } from "../../src/graph/index.ts";
import type { RuntimeTensor } from "../../src/runtime/runtime.ts";

const FOLDER = join(tmpdir(), "fairlead-bench", "sd");
const SCRIPT = fileURLToPath(new URL("../peers/torch_sd_unet.py", import.meta.url));

/** The name that the network's inputs have for the number of rows. */
export const ROWS = "batch_size";
const TEXT = [77, 768];

/**
 * The UNet of Stable Diffusion 1.5's shape at a quarter of its width (57.4M random weights) as torch exports it, for latents of
 * `size` x `size`; rows are left open. Exported once, by $FAIRLEAD_PYTHON (torch, onnx), into the system's temporary folder.
 */
export function sdUnet(size: number, file = "unet.onnx"): Graph {
  exported();
  const graph = readOnnx(readFileSync(join(FOLDER, file)));
  return bindShapes(graph, { height: size, width: size, steps: 1, sequence_length: TEXT[0] });
}

function exported(): void {
  if (existsSync(join(FOLDER, "made.json"))) return;
  const python = process.env.FAIRLEAD_PYTHON ?? "python3";
  const { status, stderr } = spawnSync(python, [SCRIPT, FOLDER], { encoding: "utf8" });
  if (status === 0) return;
  console.error(
    `${python} cannot export the network: set FAIRLEAD_PYTHON to one with torch and onnx.\n${stderr}`,
  );
  process.exit(1);
}

/** What torch was given when it exported the network, and what it made of it, [3, ...] each: the last of `guided` perturbed. */
export function checked(): {
  size: number;
  sample: Float32Array;
  text: Float32Array;
  plain: Float32Array;
  guided: Float32Array;
} {
  exported();
  const { size } = JSON.parse(readFileSync(join(FOLDER, "made.json"), "utf8")) as { size: number };
  const read = (name: string): Float32Array =>
    new Float32Array(Uint8Array.from(readFileSync(join(FOLDER, `${name}.f32`))).buffer);
  return { size, sample: read("sample"), text: read("text"), plain: read("plain"), guided: read("guided") };
}

/** Random latents [rows, 4, size, size]. */
export const latents = (rows: number, size: number): RuntimeTensor => normal([rows, 4, size, size], 1);
/** A random text for each row. */
export const texts = (rows: number, stream = 2): RuntimeTensor => normal([rows, ...TEXT], stream);
export const timestep: RuntimeTensor = { data: BigInt64Array.of(500n), shape: [1] };

function normal(shape: readonly number[], stream: number): RuntimeTensor {
  const data = new Float32Array(sizeOf(shape));
  philox(0, stream).fillNormal(data);
  return { data, shape };
}

/** The largest difference, as a part of the largest number wanted. */
export function difference(got: RuntimeTensor["data"], want: RuntimeTensor["data"]): number {
  let [apart, largest] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    apart = Math.max(apart, Math.abs(Number(got[i]) - Number(want[i])));
    largest = Math.max(largest, Math.abs(Number(want[i])));
  }
  return apart / largest;
}
