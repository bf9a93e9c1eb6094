/** The metric fixtures: small sets of features with values computed in numpy (tests/fixtures/metrics/README.md). */
import { existsSync, readFileSync } from "node:fs";
import type { Tensor } from "../base/tensor.ts";
import { tensor } from "../base/tensor.ts";

export interface MetricCase {
  readonly name: string;
  readonly metric: string;
  readonly arrays: Record<string, { readonly file: string; readonly shape: readonly number[] }>;
  // The shapes of these two differ by metric; each test knows its own.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly params: any;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly expected: any;
}

/** Where an array may be: in the repository, or, for those too large for it, in the shared folder beside it. */
const folders = [
  new URL("../../tests/fixtures/metrics/", import.meta.url),
  new URL("../../../shared/fixtures/metrics/", import.meta.url),
];

const { cases } = JSON.parse(readFileSync(new URL("metrics.json", folders[0]), "utf8")) as {
  cases: MetricCase[];
};

/** All cases of one metric; at least one. */
export function metricCases(metric: string): MetricCase[] {
  const found = cases.filter((c) => c.metric === metric);
  if (found.length === 0) throw new Error(`no fixture for the metric ${metric}`);
  return found;
}

/** Whether the arrays of a case are on this machine. */
export function hasArrays(c: MetricCase): boolean {
  return Object.values(c.arrays).every(({ file }) => locate(file) !== undefined);
}

export function arrayOf(c: MetricCase, name: string): Tensor {
  const { file, shape } = c.arrays[name];
  const url = locate(file);
  if (!url) throw new Error(`${file} is in none of ${folders.map(String).join(", ")}`);
  const bytes = readFileSync(url);
  return tensor(new Float32Array(new Uint8Array(bytes).buffer), shape);
}

function locate(file: string): URL | undefined {
  return folders.map((folder) => new URL(file, folder)).find((url) => existsSync(url));
}
