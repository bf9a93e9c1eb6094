/** Whole exported networks with what PyTorch computes for them: those of this repository, and more beside it. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { constantOf } from "../src/graph/constant.ts";
import type { DataType, Graph } from "../src/graph/graph.ts";
import { readOnnx } from "../src/graph/onnx/readOnnx.ts";
import { bindShapes } from "../src/graph/transform.ts";
import type { RuntimeTensor } from "../src/runtime/runtime.ts";

export interface Numbers {
  readonly dtype: DataType;
  readonly shape: number[];
  readonly data: number[];
}

interface Case {
  readonly models: readonly string[];
  readonly inputs: Readonly<Record<string, Numbers>>;
  readonly wrt: string;
  readonly outputs: Readonly<Record<string, Numbers>>;
  readonly objective: { readonly f64: number };
  readonly cotangents: Readonly<Record<string, Numbers>>;
  readonly gradient: { readonly f64: number[]; readonly largest: number; readonly f32VersusF64: number };
  readonly labels?: readonly number[];
}

export interface ModelCase extends Case {
  readonly title: string;
  readonly file: URL;
  /** The graph for the case's inputs. */
  graph(): Graph;
  /** The case's inputs. */
  readonly feeds: Readonly<Record<string, RuntimeTensor>>;
}

const roots = ["fixtures/models/", "../../shared/fixtures/gradients/models/"];

/** Every file of every folder; a folder that lies beside the repository takes the place of its namesake in it. */
export const modelCases: readonly ModelCase[] = [...foldersByName().values()].flatMap((folder) => {
  const given = JSON.parse(readFileSync(new URL("case.json", folder), "utf8")) as Case;
  return given.models.map((file) => modelCase(given, folder, file));
});

function foldersByName(): Map<string, URL> {
  const folders = new Map<string, URL>();
  for (const root of roots.map((path) => new URL(path, import.meta.url))) {
    if (!existsSync(root)) continue;
    for (const entry of readdirSync(root, { withFileTypes: true })) {
      if (entry.isDirectory()) folders.set(entry.name, new URL(`${entry.name}/`, root));
    }
  }
  return folders;
}

function modelCase(given: Case, folder: URL, name: string): ModelCase {
  const file = new URL(name, folder);
  const feeds = Object.fromEntries(
    Object.entries(given.inputs).map(([key, { dtype, shape, data }]) => [
      key,
      constantOf(dtype, shape, data) as RuntimeTensor,
    ]),
  );
  return {
    ...given,
    title: file.pathname.split("/").slice(-2).join("/"),
    file,
    feeds,
    graph: () => bound(readOnnx(readFileSync(file)), feeds),
  };
}

/** The graph with the dimensions that these inputs have. */
export function bound(graph: Graph, feeds: Readonly<Record<string, { shape: readonly number[] }>>): Graph {
  const sizes: Record<string, number> = {};
  for (const { name, shape } of graph.inputs) {
    shape.forEach((dim, i) => {
      if (typeof dim === "string") sizes[dim] = feeds[name].shape[i];
    });
  }
  return bindShapes(graph, sizes);
}
