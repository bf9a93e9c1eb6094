import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileError, UsageError } from "../base/errors.ts";
import { constantOf } from "../graph/constant.ts";
import { type Constant, type Graph, simplify, trace } from "../graph/index.ts";
import { matmul } from "../graph/ops/linear.ts";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProtoSchema,
} from "../graph/proto/onnx_pb.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { openOnnxFile, saveOnnxFile } from "./onnxFile.ts";
import { withModel } from "./withModel.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fairlead-onnx-"));
  mkdirSync(join(folder, "models"));
  path = join(folder, "models", "net.onnx");
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const ramp = (count: number): number[] => Array.from({ length: count }, (_, i) => i / count);
const network = trace({ x: { shape: [1, 64] } }, ({ x }, builder) => {
  const first = builder.constant(constantOf("float32", [64, 80], ramp(5120)), "first");
  const second = builder.constant(constantOf("float32", [80, 64], ramp(5120)), "second");
  return {
    y: matmul(
      matmul(matmul(x, first), second),
      builder.constant(constantOf("float32", [64, 1], ramp(64)), "third"),
    ),
  };
});

async function run(graph: Graph): Promise<ArrayLike<unknown>> {
  const program = await nodeRuntime({ threads: 1 }).compile(graph);
  const { y } = await program.run({ x: { data: new Float32Array(64).fill(1), shape: [1, 64] } });
  await program.dispose();
  return y.data;
}

describe("a saved graph", () => {
  test("is opened again equal, with its tensors inside or beside it", async () => {
    for (const externalThreshold of [Infinity, 1000, 0]) {
      await saveOnnxFile(network, path, { externalThreshold });
      expect(await openOnnxFile(path)).toEqual(network);
    }
  });

  test("has its large tensors at whole pages of another file, each once", async () => {
    const twice = new Map([...network.initializers, ["again", network.initializers.get("first")!]]);
    await saveOnnxFile({ ...network, initializers: twice }, path, { externalThreshold: 1000 });
    expect(readdirSync(join(folder, "models"))).toEqual(["net.onnx", "net.onnx.data"]);
    const data = readFileSync(`${path}.data`);
    expect(data.length).toBe(5120 * 4 * 2);
    expect(new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + 5120 * 4))).toEqual(
      network.initializers.get("first")!.data,
    );
    expect(readFileSync(path).length).toBeLessThan(2000);
    expect(await openOnnxFile(path)).toEqual({ ...network, initializers: twice });
  });

  test("leaves no file of an earlier one of its name", async () => {
    await saveOnnxFile(network, path, { externalThreshold: 1000 });
    await saveOnnxFile(network, path, { externalThreshold: 1000 });
    expect(readdirSync(join(folder, "models"))).toEqual(["net.onnx", "net.onnx.1.data"]);
    writeFileSync(`${path}.1.data.note`, "not ours");
    await saveOnnxFile(network, path);
    expect(readdirSync(join(folder, "models"))).toEqual(["net.onnx", "net.onnx.1.data.note"]);
  });

  test("runs in ONNX Runtime from its file and from ours", async () => {
    const want = await run(network);
    await saveOnnxFile(network, path, { externalThreshold: 1000 });
    expect(await run(await openOnnxFile(path))).toEqual(want);
    const fromFile = await withModel(network, async (model) => model, 1000);
    expect(fromFile).toMatch(/model\.onnx$/);
  });

  test("wants a threshold that is a size", async () => {
    await expect(saveOnnxFile(network, path, { externalThreshold: -1 })).rejects.toThrow(UsageError);
    await expect(saveOnnxFile(network, join(folder, "none", "a.onnx"))).rejects.toThrow(
      /no such file or folder/,
    );
  });
});

describe("tensors beside an opened model", () => {
  beforeEach(() => saveOnnxFile(network, path, { externalThreshold: 1000 }));

  test("are not read before their data is looked at, nor by simplify", async () => {
    const graph = await openOnnxFile(path);
    rmSync(`${path}.data`);
    const simple = simplify(graph);
    expect(simple.initializers.get("first")!.shape).toEqual([64, 80]);
    const read = () => simple.initializers.get("first")!.data;
    expect(read).toThrow(FileError);
    expect(read).toThrow(/net\.onnx\.data: there is no such file/);
  });

  test("that changed since are refused", async () => {
    const graph = await openOnnxFile(path);
    writeFileSync(`${path}.data.new`, new Uint8Array(5120 * 8));
    renameSync(`${path}.data.new`, `${path}.data`);
    expect(() => graph.initializers.get("first")!.data).toThrow(
      /has changed since .*net\.onnx was opened: open the model again/,
    );
  });

  test("in a file that is too short are refused at once", async () => {
    truncateSync(`${path}.data`, 5120 * 8 - 1);
    await expect(openOnnxFile(path)).rejects.toThrow(FileError);
    await expect(openOnnxFile(path)).rejects.toThrow(
      /wants "first" from bytes 20480 to 40960 of "net.onnx.data", which has 40959/,
    );
  });

  test("may be links inside the folder, or beside the file that the model is a link to, but lead nowhere else", async () => {
    // A cache keeps both files under other names in one folder, and links to them in another.
    const blobs = join(folder, "blobs");
    mkdirSync(blobs);
    renameSync(path, join(blobs, "a"));
    renameSync(`${path}.data`, join(blobs, "b"));
    symlinkSync(join(blobs, "a"), path);
    symlinkSync(join(blobs, "b"), `${path}.data`);
    expect(await openOnnxFile(path)).toEqual(network);

    renameSync(join(blobs, "b"), join(folder, "secret"));
    rmSync(`${path}.data`);
    symlinkSync(join(folder, "secret"), `${path}.data`);
    await expect(openOnnxFile(path)).rejects.toThrow(FileError);
    await expect(openOnnxFile(path)).rejects.toThrow(/keeps tensors in .*secret, which is not in its folder/);
  });
});

/** A model of one tensor of four bytes, which external_data says is at a place. */
function modelWith(entries: Readonly<Record<string, string>>): Uint8Array {
  const externalData = Object.entries(entries).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  );
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      opsetImport: [create(OperatorSetIdProtoSchema, { version: 18n })],
      graph: create(GraphProtoSchema, {
        initializer: [
          create(TensorProtoSchema, { name: "w", dataType: 2, dims: [4n], dataLocation: 1, externalData }),
        ],
      }),
    }),
  );
}

test("tensors may lie in several files, in folders too, whole or in part", async () => {
  mkdirSync(join(folder, "models", "deep"));
  writeFileSync(join(folder, "models", "a.bin"), Uint8Array.of(9, 1, 2, 3, 4, 9));
  writeFileSync(join(folder, "models", "deep", "b.bin"), Uint8Array.of(5, 6, 7, 8));
  const dataOf = async (entries: Readonly<Record<string, string>>): Promise<Constant["data"]> => {
    writeFileSync(path, modelWith(entries));
    return (await openOnnxFile(path)).initializers.get("w")!.data;
  };
  expect(await dataOf({ location: "a.bin", offset: "1", length: "4" })).toEqual(Uint8Array.of(1, 2, 3, 4));
  expect(await dataOf({ location: "a.bin", offset: "2" })).toEqual(Uint8Array.of(2, 3, 4, 9));
  expect(await dataOf({ location: "deep/b.bin", checksum: "0" })).toEqual(Uint8Array.of(5, 6, 7, 8));
  expect(await dataOf({ location: "./a.bin" })).toEqual(Uint8Array.of(9, 1, 2, 3));
});

test.each([
  ["stands above the folder", { location: "../w.bin" }, /not inside the model's folder/],
  ["steps out in the middle", { location: "a/../../w.bin" }, /not inside the model's folder/],
  ["is absolute", { location: "/etc/passwd" }, /not inside the model's folder/],
  ["is absolute elsewhere", { location: "C:\\w.bin" }, /not inside the model's folder/],
  ["steps out backwards", { location: "..\\w.bin" }, /not inside the model's folder/],
  ["hides its end", { location: "w.bin\0.txt" }, /not inside the model's folder/],
  ["is missing", { offset: "0" }, /does not say in which file "w" is kept/],
  ["is not there", { location: "none.bin" }, /cannot read .*none.bin: there is no such file/],
  ["is the folder", { location: "." }, /not in its folder/],
  ["begins behind the end", { location: "w.bin", offset: "3" }, /from bytes 3 to 7 of "w.bin", which has 6/],
  ["begins before the start", { location: "w.bin", offset: "-1" }, /is damaged: "w" takes 4 bytes/],
  ["begins nowhere", { location: "w.bin", offset: "99999999999999999999" }, /is damaged/],
  ["has another length", { location: "w.bin", length: "5" }, /"w" takes 4 bytes, but 5 at undefined/],
])("a file of tensors that %s is refused", async (_, entries, message) => {
  writeFileSync(join(folder, "models", "w.bin"), new Uint8Array(6));
  writeFileSync(join(folder, "w.bin"), new Uint8Array(6));
  writeFileSync(path, modelWith(entries));
  await expect(openOnnxFile(path)).rejects.toThrow(FileError);
  await expect(openOnnxFile(path)).rejects.toThrow(message);
});

test("a file that is missing, or a folder, is said", async () => {
  await expect(openOnnxFile(path)).rejects.toThrow(/cannot read .*net.onnx: there is no such file/);
  await expect(openOnnxFile(folder)).rejects.toThrow(/it is a folder/);
});
