import { toBinary } from "@bufbuild/protobuf";
import { UsageError } from "../../base/errors.ts";
import { byteLengthOf } from "../dataTypes.ts";
import type { Graph, Origin } from "../graph.ts";
import { ModelProtoSchema } from "../proto/onnx_pb.ts";
import { domainsOf } from "../subgraphs.ts";
import { withRest } from "./rest.ts";
import type { Outside } from "./tensor.ts";
import { entryProtos, functionProto, graphProto, opsetProtos } from "./writeGraph.ts";

export interface WriteOptions {
  /** Where the bytes of a constant are written instead of into the model; null, and by default, into the model. */
  readonly outside?: Outside;
}

/** The largest file that ONNX's format, protobuf, can be. */
const LARGEST = 2 ** 31 - 1;

/**
 * The graph as the bytes of a standard .onnx file.
 * Throws UsageError when tensors of more than 2 GB would be inside, which no file of the format can hold.
 */
export function writeOnnx(graph: Graph, { outside: given = () => null }: WriteOptions = {}): Uint8Array {
  let inside = 0;
  const outside: Outside = (constant, name) => {
    const place = given(constant, name);
    if (!place) inside += byteLengthOf(constant.dtype, constant.shape);
    if (inside > LARGEST) {
      throw new UsageError(
        `"${graph.name}" has more than 2 GB of constants, which no .onnx file can hold: write it with saveOnnxFile, ` +
          `which puts them into a file beside it`,
      );
    }
    return place;
  };
  const origin = graph.origin ?? originOf(graph.opset);
  const model = withRest(ModelProtoSchema, origin.rest);
  model.irVersion = BigInt(origin.irVersion);
  if (origin.producer) model.producerName = origin.producer;
  if (origin.producerVersion) model.producerVersion = origin.producerVersion;
  if (origin.domain) model.domain = origin.domain;
  if (origin.modelVersion) model.modelVersion = BigInt(origin.modelVersion);
  if (origin.doc) model.docString = origin.doc;
  model.opsetImport = opsetProtos(versionsOf(graph));
  model.metadataProps = entryProtos(graph.metadata);
  model.functions = (graph.functions ?? []).map((definition) => functionProto(definition, outside));
  model.graph = graphProto(graph, outside);
  return toBinary(ModelProtoSchema, model);
}

/** Versions of all operator sets that the graph uses or names, by domain. */
function versionsOf({ opset, domains, nodes }: Graph): Record<string, number> {
  const used = [...domainsOf(nodes)].filter((domain) => domain !== "");
  return {
    ...(opset > 0 && { "": opset }),
    ...Object.fromEntries(used.map((domain) => [domain, 1])),
    ...domains,
  };
}

/** Versions of the file format, from the operator set that each came with. */
const FORMATS: readonly (readonly [opset: number, irVersion: number])[] = [
  [25, 13],
  [24, 12],
  [23, 11],
  [21, 10],
  [19, 9],
];

/** What a file of a graph made here says of itself. */
export function originOf(opset: number): Origin {
  const irVersion = FORMATS.find(([from]) => opset >= from)?.[1] ?? 8;
  return { irVersion, producer: "fairlead" };
}
