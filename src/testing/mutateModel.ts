import {
  type DescMessage,
  type Message,
  fromBinary,
  isFieldSet,
  isMessage,
  toBinary,
} from "@bufbuild/protobuf";
import type { Stream } from "../base/philox.ts";
import { type ModelProto, ModelProtoSchema, file_onnx } from "../graph/proto/onnx_pb.ts";

/**
 * A model's bytes with something wrong in them: changed bits, bytes lost, doubled or taken from `other`, or one to three
 * fields of its messages changed. What is drawn depends on the stream alone.
 */
export function mutateModel(bytes: Uint8Array, other: Uint8Array, stream: Stream): Uint8Array {
  const pick = stream.integer(10);
  if (pick < 6) {
    const model = fromBinary(ModelProtoSchema, bytes);
    for (let i = stream.integer(3); i >= 0; i--) mutateField(model, stream);
    return written(model) ?? byteMutations[0](bytes, other, stream);
  }
  return byteMutations[pick - 6](bytes, other, stream);
}

/** The bytes; null where a number is larger than its field holds. */
function written(model: ModelProto): Uint8Array | null {
  try {
    return toBinary(ModelProtoSchema, model);
  } catch {
    return null;
  }
}

type ByteMutation = (bytes: Uint8Array, other: Uint8Array, stream: Stream) => Uint8Array;

const byteMutations: readonly ByteMutation[] = [
  // Bits.
  (bytes, _, stream) => {
    const out = bytes.slice();
    for (let i = stream.integer(8); i >= 0; i--) out[stream.integer(out.length)] ^= 1 << stream.integer(8);
    return out;
  },
  // A cut.
  (bytes, _, stream) => bytes.slice(0, stream.integer(bytes.length)),
  // A piece lost, or there twice.
  (bytes, _, stream) => {
    const [from, to] = piece(bytes, stream);
    const end = stream.integer(2) === 0 ? to : from;
    return joined(bytes.subarray(0, to === end ? from : to), bytes.subarray(end));
  },
  // A piece of another model.
  (bytes, other, stream) => {
    const at = stream.integer(bytes.length);
    const [from, to] = piece(other, stream);
    return joined(
      bytes.subarray(0, at),
      other.subarray(from, to),
      bytes.subarray(at + stream.integer(to - from)),
    );
  },
];

/** A short stretch of bytes, most often. */
function piece(bytes: Uint8Array, stream: Stream): [number, number] {
  const from = stream.integer(bytes.length);
  return [from, Math.min(bytes.length, from + 1 + stream.integer(2 ** (1 + stream.integer(12))))];
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

// --- Fields.

const schemas = new Map<string, DescMessage>();
for (const schema of file_onnx.messages) {
  for (const each of [schema, ...schema.nestedMessages]) schemas.set(each.typeName, each);
}

type Fields = Record<string, unknown>;

function mutateField(model: Message, stream: Stream): void {
  let at: Message = model;
  // Down a random way, further the longer the model is.
  for (;;) {
    const inner = messagesIn(at);
    if (inner.length === 0 || (at !== model && stream.integer(4) === 0)) break;
    const list = inner[stream.integer(inner.length)];
    at = list[stream.integer(list.length)];
  }
  const schema = schemas.get(at.$typeName)!;
  const set = schema.fields.filter((field) => isFieldSet(at, field));
  const fields = stream.integer(4) === 0 || set.length === 0 ? schema.fields : set;
  const field = fields[stream.integer(fields.length)];
  if (field.oneof) return mutateOneof(at, field.oneof.localName, stream);
  const holder: Fields = at;
  const value = holder[field.localName];
  const changed =
    field.fieldKind === "list" ? changedList(value as unknown[], stream) : changedValue(value, stream);
  if (changed !== undefined) holder[field.localName] = changed;
  else Reflect.deleteProperty(holder, field.localName);
}

function mutateOneof(holder: Fields, place: string, stream: Stream): void {
  const { case: name, value } = holder[place] as Fields;
  const changed = changedValue(value, stream);
  holder[place] = changed === undefined ? { case: undefined } : { case: name, value: changed };
}

/** The messages that a message holds, by field. */
function messagesIn(message: Message): Message[][] {
  return Object.values(message as unknown as Fields).flatMap((value): Message[][] => {
    if (isMessage(value)) return [[value]];
    if (Array.isArray(value) && isMessage(value[0])) return [value as Message[]];
    const held = (value as Fields | null)?.value;
    return isMessage(held) ? [[held]] : [];
  });
}

function changedList(list: readonly unknown[], stream: Stream): unknown[] {
  const out = [...list];
  const at = stream.integer(list.length + 1);
  const another = list[stream.integer(Math.max(1, list.length))];
  switch (stream.integer(4)) {
    case 0:
      out.splice(at, 1);
      break;
    case 1:
      if (another !== undefined) out.splice(at, 0, another);
      break;
    case 2:
      if (at < list.length && another !== undefined)
        [out[at], out[list.indexOf(another)]] = [another, list[at]];
      break;
    default:
      if (at < list.length && !isMessage(list[at])) out[at] = changedValue(list[at], stream) ?? list[at];
      else out.length = Math.min(at, out.length);
  }
  return out;
}

const INTEGERS = [0, 1, -1, 2, 3, 7, 8, 12, 16, 24, 255, 256, 65537, 2 ** 31 - 1, -(2 ** 31), 1e9];
const LARGE = [2n ** 31n, 2n ** 32n, 2n ** 40n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)];
const TEXTS = [
  "",
  "x",
  "y",
  "If",
  "Loop",
  "Identity",
  "Constant",
  "Concat",
  "Gather",
  "ai.onnx",
  "com.microsoft",
  "__proto__",
  "constructor",
  "\u{FEFF}é",
  "../w",
  "a\0b",
];

/** Another value of the same type; undefined for what is a message. */
function changedValue(value: unknown, stream: Stream): unknown {
  switch (typeof value) {
    case "number":
      return stream.integer(3) === 0
        ? value + stream.integer(5) - 2
        : INTEGERS[stream.integer(INTEGERS.length)];
    case "bigint": {
      const way = stream.integer(4);
      if (way === 0) return value + BigInt(stream.integer(5) - 2);
      return way === 1
        ? LARGE[stream.integer(LARGE.length)]
        : BigInt(INTEGERS[stream.integer(INTEGERS.length)]);
    }
    case "string":
      return stream.integer(2) === 0 ? TEXTS[stream.integer(TEXTS.length)] : `${value}${stream.integer(3)}`;
    default:
      if (!(value instanceof Uint8Array)) return undefined;
      if (stream.integer(2) === 0) return value.slice(0, stream.integer(value.length + 1));
      return value.map((byte) => (stream.integer(4) === 0 ? stream.integer(256) : byte));
  }
}
