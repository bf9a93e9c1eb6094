import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
// eslint-disable-next-line no-restricted-imports -- the files are for it, not for our interface to it
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { philox } from "../src/base/philox.ts";
import { sizeOf } from "../src/base/tensor.ts";
import { besideModel, openOnnxFile } from "../src/files/index.ts";
import { constantOf, numbersOf } from "../src/graph/constant.ts";
import { isFloat } from "../src/graph/dataTypes.ts";
import { type DataType, type Graph, bindShapes, readOnnx, simplify, writeOnnx } from "../src/graph/index.ts";
import { ModelProtoSchema } from "../src/graph/proto/onnx_pb.ts";
import { fixtureModelFiles } from "../src/testing/fixtureModels.ts";

const files = fixtureModelFiles(["gradients", "pipelines", "training"]).map((url) => fileURLToPath(url));
const own = (name: string): string => fileURLToPath(new URL(`fixtures/onnx/${name}.onnx`, import.meta.url));

describe("every fixture model", () => {
  test.each(files)("%s: read, written and read again is equal, in our terms and in the file's", (file) => {
    const bytes = readFileSync(file);
    const graph = readOnnx(bytes, { file, external: besideModel(file) });
    const written = writeOnnx(graph);
    expect(readOnnx(written)).toEqual(graph);
    expect(plain(written)).toEqual(plain(bytes));
  });
});

/**
 * All fields that say something, but for numbers of tensors, which may stand in raw bytes, lists or other files; what comes
 * in any order sorted.
 */
function plain(bytes: Uint8Array): unknown {
  const { graph, opsetImport, ...model } = fromBinary(ModelProtoSchema, new Uint8Array(bytes));
  const sorted = <T>(list: readonly T[], key: (item: T) => string): T[] =>
    [...list].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return canonical({
    ...model,
    opsetImport: sorted(opsetImport, ({ domain }) => domain),
    graph: {
      ...graph,
      input: sorted(graph!.input, ({ name }) => name),
      node: sorted(graph!.node, ({ output }) => output.join()),
    },
  });
}

const NUMBERS = ["rawData", "externalData", "dataLocation"];

function canonical(value: unknown): unknown {
  if (value instanceof Uint8Array)
    return value.length > 0 ? Buffer.from(value).toString("base64") : undefined;
  if (Array.isArray(value)) return value.length > 0 ? value.map(canonical) : undefined;
  if (typeof value !== "object" || value === null) return value || undefined;
  const isTensor = "$typeName" in value && value.$typeName === "onnx.TensorProto";
  const entries = Object.entries(value)
    .filter(([key]) => !(isTensor && (NUMBERS.includes(key) || /^(float|double|u?int\d+)Data$/.test(key))))
    .map(([key, held]) => [key, canonical(held)]);
  return Object.fromEntries(entries.filter(([, held]) => held !== undefined));
}

// --- ONNX Runtime's results.

/** Models that ONNX Runtime loads. It knows no operators "Mystery", and not the newest types. */
const loadable = files.filter((file) => !/(kinds|types)\.onnx$/.test(file));

test.each(loadable)(
  "%s: ONNX Runtime computes the same from the file and from what is written",
  async (file) => {
    const graph = await openOnnxFile(file);
    const feeds = feedsOf(graph);
    expect(await resultsOf(writeOnnx(graph), feeds)).toEqual(await resultsOf(file, feeds));
  },
);

test.each(["functions", "loops", "sparse", "external", "int4", "old"])(
  "%s.onnx: ONNX Runtime computes the same when it is simplified",
  async (name) => {
    const graph = await openOnnxFile(own(name));
    const feeds = feedsOf(graph);
    expect(await resultsOf(writeOnnx(simplify(graph)), feeds)).toEqual(await resultsOf(own(name), feeds));
  },
);

async function resultsOf(model: Uint8Array | string, feeds: Record<string, Tensor>): Promise<unknown> {
  const options = { intraOpNumThreads: 1, logSeverityLevel: 4 } as const;
  const session = await InferenceSession.create(model as string, options);
  try {
    const outputs = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { dims, data }]) => [name, { dims, data }]),
    );
  } finally {
    await session.release();
  }
}

/** Ones, and noise for floats, for sizes that networks of these fixtures take. */
function feedsOf(graph: Graph): Record<string, Tensor> {
  const stream = philox(0, 0);
  return Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape }) => {
      const dims = shape.map((dim) => (typeof dim === "number" ? dim : sizeNamed(dim)));
      const constant = constantOf(
        dtype,
        dims,
        Float64Array.from({ length: sizeOf(dims) }, () => (isFloat(dtype) ? stream.normal() : 1)),
      );
      return [name, new Tensor(dtype as "float32", constant.data as Float32Array, dims)];
    }),
  );
}

function sizeNamed(name: string): number {
  if (/batch|steps|time/.test(name)) return 1;
  return /sequence|text/.test(name) ? 7 : 16;
}

// --- What single files hold.

test("types.onnx: every element type is read alike from lists and from bytes", async () => {
  const { initializers } = await openOnnxFile(own("types"));
  const typed = [...initializers].filter(([name]) => !name.endsWith("_raw"));
  expect(new Set(typed.map(([, { dtype }]) => dtype)).size).toBe(28);
  for (const [name, constant] of typed) {
    if (constant.dtype === "string") {
      expect(constant.text).toEqual([
        ..."one zwö".split(" ").map((word) => new TextEncoder().encode(word)),
        Uint8Array.of(255, 254),
      ]);
      continue;
    }
    expect(initializers.get(`${name}_raw`)).toEqual(constant);
    if (constant.dtype.startsWith("complex"))
      expect(Array.from(constant.data as Float32Array)).toEqual([1, 2, -0, -3, 0.5, 0, 0, 0, 1, 0]);
    else expect(Array.from(numbersOf(constant))).toEqual(NUMBERS_OF[constant.dtype] ?? [0, 1, 2, 1, 3]);
  }
});

/** Where the numbers 0, 1, 2, 1, 3 are not had. */
const NUMBERS_OF: Partial<Record<DataType, number[]>> = {
  bool: [0, 1, 1, 0, 1],
  uint2: [0, 1, 1, 0, 1],
  int2: [0, 1, 1, 0, 1],
  float8e8m0: [2 ** -127, 1, 2, 1, 4],
};

test("kinds.onnx: notes, versions, unusual types and exact attributes are kept", async () => {
  const graph = await openOnnxFile(own("kinds"));
  expect(graph).toMatchObject({
    opset: 18,
    domains: { "some.where": 7 },
    doc: "a graph's note",
    origin: {
      irVersion: 10,
      producer: "by hand",
      producerVersion: "1.2",
      domain: "some.where.else",
      modelVersion: 5,
      doc: "a model's note",
    },
  });
  const kinds = Object.fromEntries(graph.inputs.map(({ name, other }) => [name, other?.kind]));
  expect(kinds).toEqual({
    seq: "sequence",
    maybe: "optional",
    words: undefined,
    x: "tensor without a shape",
    z: undefined,
  });
  expect(graph.inputs[4]).toMatchObject({ shape: ["z_0", "n", 3], unnamed: [0] });
  const mystery = graph.nodes.find(({ op }) => op === "Mystery")!;
  expect(mystery.attributes).toMatchObject({
    blob: { kind: "string", exact: Uint8Array.of(255, 0) },
    big: { kind: "int", exact: 2n ** 60n + 1n },
    bigs: { kind: "ints", exact: [2n ** 60n + 1n, 1n] },
    nothing: { kind: "float", value: 0 },
  });
  expect(graph.nodes[4].metadata).toEqual({ namespace: "net/add" });
  expect(() => simplify(bindShapes(graph, { n: 1, z_0: 1 }))).toThrow(
    /input "seq" of "kinds" is a sequence: only tensors/,
  );
});

test("old.onnx: initializers that are inputs are no inputs that must be given", async () => {
  const graph = await openOnnxFile(own("old"));
  expect(graph.inputs.map(({ name }) => name)).toEqual(["x"]);
  expect(graph.overridable?.map(({ name }) => name)).toEqual(["w"]);
});
