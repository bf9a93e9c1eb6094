import {
  type DescMessage,
  type MessageShape,
  create,
  fromBinary,
  isFieldSet,
  toBinary,
} from "@bufbuild/protobuf";
import type { Rest } from "../graph.ts";

/** The fields of a message but for those called `known`, encoded; nothing when none is set. */
export function restOf<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  known: readonly string[],
): { rest?: Rest } {
  const left = create(schema);
  const from: Fields = message;
  const to: Fields = left;
  for (const field of schema.fields) {
    const place = field.oneof?.localName ?? field.localName;
    if (!known.includes(place) && isFieldSet(message, field) && from[place] !== "") to[place] = from[place];
  }
  if (message.$unknown) left.$unknown = message.$unknown;
  const rest = toBinary(schema, left);
  return rest.length > 0 ? { rest } : {};
}

/** A message with the fields that `restOf` kept, to be filled with the known ones. */
export function withRest<Desc extends DescMessage>(schema: Desc, rest: Rest | undefined): MessageShape<Desc> {
  return rest ? fromBinary(schema, rest) : create(schema);
}

type Fields = Record<string, unknown>;
