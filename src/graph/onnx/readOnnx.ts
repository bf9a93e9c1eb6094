import { fromBinary } from "@bufbuild/protobuf";
import type { Graph, Origin } from "../graph.ts";
import { type ModelProto, ModelProtoSchema } from "../proto/onnx_pb.ts";
import { checkGraph } from "./checkGraph.ts";
import { readEntries, readFunction, readGraph, readOpsets } from "./readGraph.ts";
import { type ExternalFiles, type Reading, readingOf } from "./reading.ts";
import { restOf } from "./rest.ts";
import { originOf } from "./writeOnnx.ts";

export interface ReadOptions {
  /** What errors call the file. */
  readonly file?: string;
  /** The files beside it that hold its large tensors. Without them a model that has such files is refused. */
  readonly external?: ExternalFiles;
}

/**
 * The graph in the bytes of an .onnx file. Nothing is lost: written again, it is the same model. Nodes are brought into an
 * order in which they can be run. Tensors in other files are read when their data is looked at.
 *
 * Throws FileError saying what is wrong: bytes that are no model, sizes and contents that do not fit, names that are
 * missing, doubled or in a circle, tensors outside of the model's folder.
 */
export function readOnnx(bytes: Uint8Array, { file = "the model", external }: ReadOptions = {}): Graph {
  const reading = readingOf(file, external ?? null);
  const model = decodeModel(bytes, reading);
  const { metadataProps } = model;
  const { "": opset = 0, ...domains } = readOpsets(model.opsetImport, reading);
  if (!model.graph || model.opsetImport.length === 0)
    throw reading.wrong(
      "holds no graph: it is not an ONNX model, or is cut short; give a whole file that an exporter wrote as .onnx",
    );
  const functions = model.functions.map((definition) => readFunction(definition, reading));
  if (model.irVersion < 0n || model.irVersion > 1000n)
    throw reading.wrong(`is damaged: it is of version ${model.irVersion} of the file format`);
  const origin = readOrigin(model, opset);
  const graph: Graph = {
    ...readGraph(model.graph, reading),
    opset,
    ...(Object.keys(domains).length > 0 && { domains }),
    ...(functions.length > 0 && { functions }),
    metadata: readEntries(metadataProps),
    ...(origin && { origin }),
  };
  return checkGraph(graph, reading);
}

function decodeModel(bytes: Uint8Array, reading: Reading): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    throw reading.wrong(
      `is not an ONNX file, or is cut short (${(error as Error).message}): give a whole file that an exporter wrote as .onnx`,
    );
  }
}

/** What the file says of itself; null where that is what is written for a graph made here. */
function readOrigin(model: ModelProto, opset: number): Origin | null {
  const { producerName: producer, producerVersion, domain, docString: doc } = model;
  const ours = originOf(opset);
  const modelVersion = Number(model.modelVersion);
  const isSafe = Number.isSafeInteger(modelVersion);
  const origin: Origin = {
    irVersion: Number(model.irVersion) || ours.irVersion,
    ...(producer && { producer }),
    ...(producerVersion && { producerVersion }),
    ...(domain && { domain }),
    ...(modelVersion !== 0 && isSafe && { modelVersion }),
    ...(doc && { doc }),
    ...restOf(ModelProtoSchema, model, isSafe ? [...KNOWN, "modelVersion"] : KNOWN),
  };
  const isOurs =
    Object.keys(origin).length === 2 && origin.irVersion === ours.irVersion && producer === ours.producer;
  return isOurs ? null : origin;
}

const KNOWN = [
  "irVersion",
  "opsetImport",
  "producerName",
  "producerVersion",
  "domain",
  "docString",
  "graph",
  "metadataProps",
  "functions",
];
