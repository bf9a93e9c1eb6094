import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { FairleadError, FileError } from "../../base/errors.ts";
import { philox } from "../../base/philox.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { float, int, ints, string } from "../attributes.ts";
import { trace } from "../builder.ts";
import { constantOf } from "../constant.ts";
import type { DataType, Graph } from "../graph.ts";
import { add, silu } from "../ops/elementwise.ts";
import { matmul } from "../ops/linear.ts";
import { softmax } from "../ops/normalise.ts";
import { readOnnx } from "./readOnnx.ts";
import { writeOnnx } from "./writeOnnx.ts";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProtoSchema,
} from "../proto/onnx_pb.ts";

const stored: DataType[] = [
  "float32",
  "float64",
  "float16",
  "bfloat16",
  "int64",
  "int32",
  "int16",
  "int8",
  "uint64",
  "uint32",
  "uint16",
  "uint8",
  "bool",
];

/** One of everything that a graph can hold. */
const everything: Graph = {
  name: "everything",
  opset: 17,
  inputs: [{ name: "x", dtype: "float16", shape: ["batch", 3] }],
  outputs: [{ name: "y", dtype: "int64", shape: [] }],
  nodes: [
    {
      op: "Custom",
      domain: "com.microsoft",
      name: "node é",
      inputs: ["x", "", "float32"],
      outputs: ["y", ""],
      attributes: {
        int: int(-3),
        last: int(2 ** 63),
        float: float(0.25),
        string: string("nearest"),
        ints: ints([1, -(2 ** 63)]),
        floats: { kind: "floats", value: [1.5, Infinity] },
        strings: { kind: "strings", value: ["a", "b"] },
        tensor: { kind: "tensor", value: constantOf("int64", [2], [1, 2]) },
      },
    },
  ],
  initializers: new Map([
    ...stored.map((dtype) => [dtype, constantOf(dtype, [2, 2], [0, 1, 2, 3])] as const),
    ["scalar", constantOf("float32", [], [7])],
    ["empty", constantOf("float32", [0], [])],
  ]),
  domains: { "com.microsoft": 1 },
  metadata: { author: "nobody" },
};

const network = trace({ x: { shape: [2, 3] } }, ({ x }, builder) => {
  const weight = builder.constant(constantOf("float32", [3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9]), "weight");
  return { y: softmax(add(silu(matmul(x, weight)), 1)) };
});

describe("a written graph", () => {
  test("is read back equal", () => {
    expect(readOnnx(writeOnnx(everything))).toEqual(everything);
  });

  test("and written again has equal bytes", () => {
    for (const graph of [everything, network]) {
      const bytes = writeOnnx(graph);
      expect(writeOnnx(readOnnx(bytes))).toEqual(bytes);
    }
  });

  test("is read from any place in a larger buffer", () => {
    const bytes = writeOnnx(everything);
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(readOnnx(shifted.subarray(3))).toEqual(everything);
    expect(readOnnx(Buffer.from(shifted.buffer, 3))).toEqual(everything);
  });

  test("loads and runs in ONNX Runtime", async () => {
    const program = await nodeRuntime({ threads: 1 }).compile(readOnnx(writeOnnx(network)));
    const { y } = await program.run({ x: { data: new Float32Array(6), shape: [2, 3] } });
    await program.dispose();
    expect(y.data).toBeAllClose(new Array(6).fill(1 / 3), { rel: 1e-6 });
  });
});

describe("a file that is not what it should be", () => {
  const bytes = writeOnnx(network);

  test("cut short anywhere is a FileError of one sentence that names it", () => {
    // The opsets stand behind the graph: a cut between whole fields takes them away.
    for (let length = 0; length < bytes.length; length++) {
      const read = () => readOnnx(bytes.slice(0, length), { file: "half.onnx" });
      expect(read).toThrow(FileError);
      expect(read).toThrow(/^half\.onnx [^\n]*$/);
    }
  });

  test("with bytes changed at random is read or refused, and never fails otherwise", () => {
    const stream = philox(3, 0);
    for (let i = 0; i < 500; i++) {
      const damaged = bytes.slice();
      for (let k = 0; k < 3; k++) damaged[stream.integer(damaged.length)] = stream.integer(256);
      try {
        readOnnx(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(FairleadError);
      }
    }
  });

  test.each([
    ["a text", new TextEncoder().encode("<html>not found</html>")],
    ["nothing", new Uint8Array(0)],
    ["noise", Uint8Array.from({ length: 4096 }, (_, i) => (i * 7919) % 251)],
  ])("%s is no model", (_, content) => {
    expect(() => readOnnx(content, { file: "model.onnx" })).toThrow(FileError);
    expect(() => readOnnx(content, { file: "model.onnx" })).toThrow(
      /^model\.onnx (is not an ONNX file|holds no graph)/,
    );
  });

  test.each([
    [
      "too few bytes",
      { dataType: 1, dims: [3n], rawData: new Uint8Array(8) },
      /is damaged: "w" of shape \[3\]/,
    ],
    [
      "half a number",
      { dataType: 1, dims: [2n], rawData: new Uint8Array(7) },
      /is damaged: "w" of shape \[2\]/,
    ],
    ["an unknown type", { dataType: 99, dims: [], rawData: new Uint8Array(1) }, /"w" of element type 99/],
    ["too little text", { dataType: 8, dims: [2n], stringData: [new Uint8Array(1)] }, /is damaged: "w"/],
    [
      "another file's weights",
      { dataType: 1, dims: [2n], externalData: [{ key: "location", value: "w.bin" }] },
      /keeps "w" in another file/,
    ],
  ])("an initializer with %s is said by name", (_, tensor, message) => {
    const model = create(ModelProtoSchema, {
      opsetImport: [create(OperatorSetIdProtoSchema, { version: 18n })],
      graph: create(GraphProtoSchema, {
        initializer: [create(TensorProtoSchema, { name: "w", ...tensor })],
      }),
    });
    const read = () => readOnnx(toBinary(ModelProtoSchema, model), { file: "weights.onnx" });
    expect(read).toThrow(FileError);
    expect(read).toThrow(message);
  });
});

test("elements in a message's lists are read as the bytes are", () => {
  const model = create(ModelProtoSchema, {
    opsetImport: [create(OperatorSetIdProtoSchema, { version: 18n })],
    graph: create(GraphProtoSchema, {
      initializer: [
        create(TensorProtoSchema, { name: "f", dataType: 1, dims: [2n], floatData: [0.5, -1] }),
        create(TensorProtoSchema, { name: "h", dataType: 10, dims: [1n], int32Data: [0x3c00] }),
        create(TensorProtoSchema, { name: "i", dataType: 7, dims: [1n], int64Data: [-5n] }),
        create(TensorProtoSchema, { name: "b", dataType: 9, dims: [2n], int32Data: [1, 0] }),
        create(TensorProtoSchema, { name: "u", dataType: 12, dims: [1n], uint64Data: [4294967295n] }),
      ],
    }),
  });
  const { initializers } = readOnnx(toBinary(ModelProtoSchema, model));
  expect(initializers.get("f")).toEqual(constantOf("float32", [2], [0.5, -1]));
  expect(initializers.get("h")).toEqual(constantOf("float16", [1], [1]));
  expect(initializers.get("i")).toEqual(constantOf("int64", [1], [-5]));
  expect(initializers.get("b")).toEqual(constantOf("bool", [2], [1, 0]));
  expect(initializers.get("u")).toEqual(constantOf("uint32", [1], [4294967295]));
});
