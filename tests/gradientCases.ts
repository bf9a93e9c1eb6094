import { existsSync, readFileSync, readdirSync } from "node:fs";
import type { DataType } from "../src/graph/graph.ts";

interface HostTensor {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** A model of one operator or a few with its vector-Jacobian product: see fixtures/gradients/README.md. */
export interface OperatorCase {
  readonly name: string;
  readonly model: Uint8Array;
  readonly inputs: Readonly<Record<string, HostTensor>>;
  readonly outputs: Readonly<Record<string, Omit<HostTensor, "dtype">>>;
  readonly cotangents: Readonly<Record<string, readonly number[]>>;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  /** Largest distance of the gradient in float32 from the one in float64, both by the reference. */
  readonly float32Error: number;
}

interface FolderCase {
  readonly name: string;
  readonly inputs: Readonly<Record<string, HostTensor>>;
  readonly outputs: Readonly<Record<string, HostTensor>>;
  readonly cotangents: Readonly<Record<string, HostTensor>>;
  readonly grads: Readonly<
    Record<string, { readonly f32: readonly number[]; readonly f64: readonly number[] }>
  >;
}

const folder = new URL("../../shared/fixtures/gradients/ops/", import.meta.url);
const file = new URL("fixtures/gradients/ops.jsonl", import.meta.url);

/** All cases: those of the folder beside the repository where there is one, else the copy in the repository. */
export function operatorCases(): readonly OperatorCase[] {
  return existsSync(folder) ? fromFolder() : fromFile();
}

function fromFile(): OperatorCase[] {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.map((line) => {
    const read = JSON.parse(line) as Omit<OperatorCase, "model"> & { model: string };
    return { ...read, model: Buffer.from(read.model, "base64") };
  });
}

function fromFolder(): OperatorCase[] {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return names.map(({ name }) => {
    const at = new URL(`${name}/`, folder);
    const read = JSON.parse(readFileSync(new URL("case.json", at), "utf8")) as FolderCase;
    const { inputs, outputs, grads } = read;
    const errors = Object.values(grads).flatMap(({ f32, f64 }) => f64.map((x, i) => Math.abs(x - f32[i])));
    return {
      name,
      model: readFileSync(new URL("model.onnx", at)),
      inputs,
      outputs,
      cotangents: mapValues(read.cotangents, ({ data }) => data),
      gradients: mapValues(grads, ({ f64 }) => f64),
      float32Error: Math.max(0, ...errors),
    };
  });
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, f: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]));
}
