import { create } from "@bufbuild/protobuf";
import {
  type StringStringEntryProto,
  StringStringEntryProtoSchema,
  type TensorProto,
} from "../proto/onnx_pb.ts";
import type { Reading } from "./reading.ts";

/** Where the bytes of a tensor stand outside of the model's file. */
export interface Place {
  /** Path of the file from the model's folder. */
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** The place of a tensor of `bytes` bytes, and how it is read. Throws FileError for one that cannot be or is not there. */
export function placeOf(
  proto: TensorProto,
  bytes: number,
  { wrong, external }: Reading,
): Place & { read(): ArrayBuffer } {
  const { name } = proto;
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location");
  if (location === undefined || location === "") throw wrong(`does not say in which file "${name}" is kept`);
  const offset = wholeNumber(entries.get("offset") ?? "0");
  const length = wholeNumber(entries.get("length") ?? String(bytes));
  if (offset === null || length !== bytes) {
    throw wrong(
      `is damaged: "${name}" takes ${bytes} bytes, but ${entries.get("length")} at ${entries.get("offset")} are named`,
    );
  }
  if (!staysInside(location)) {
    throw wrong(`keeps "${name}" in "${location}", which is not inside the model's folder: it is not opened`);
  }
  if (!external) {
    throw wrong(
      `keeps "${name}" in another file, "${location}": open it with openOnnxFile(path), or readOnnx(bytes, { external })`,
    );
  }
  const size = external.size(location);
  if (offset + length > size) {
    throw wrong(
      `wants "${name}" from bytes ${offset} to ${offset + length} of "${location}", which has ${size}`,
    );
  }
  return { location, offset, length, read: () => external.read(location, offset, length) };
}

export function entriesOf({ location, offset, length }: Place): StringStringEntryProto[] {
  return Object.entries({ location, offset, length }).map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value: String(value) }),
  );
}

function wholeNumber(text: string): number | null {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  return Number.isSafeInteger(value) ? value : null;
}

/** Whether a path is relative and never steps up; symbolic links are for those who open it to see. */
function staysInside(location: string): boolean {
  const parts = location.split(/[\\/]/);
  return !/^([\\/]|[a-z]:)/i.test(location) && !parts.includes("..") && !location.includes("\0");
}
