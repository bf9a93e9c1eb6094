import { UsageError } from "../base/errors.ts";
import { constantOf } from "./constant.ts";
import type { Constant, Node } from "./graph.ts";
import { denseOf } from "./sparse.ts";

/** What a Constant node holds, in any of its forms. Throws UsageError for a node that holds no tensor. */
export function constantNode({ name, attributes }: Node): Constant {
  const [kind, attribute] = Object.entries(attributes)[0] ?? ["nothing"];
  switch (attribute?.kind) {
    case "tensor":
      return attribute.value;
    case "int":
      return constantOf("int64", [], [attribute.value]);
    case "ints":
      return constantOf("int64", [attribute.value.length], attribute.value);
    case "float":
      return constantOf("float32", [], [attribute.value]);
    case "floats":
      return constantOf("float32", [attribute.value.length], attribute.value);
    case "string":
      return textOf([], [attribute.exact ?? attribute.value]);
    case "strings":
      return textOf([attribute.value.length], attribute.exact ?? attribute.value);
    case "sparse":
      return denseOf(attribute.value, name);
    default:
      throw new UsageError(
        `node "${name}" is a Constant given as ${kind}: wanted value, value_int, value_floats, ...`,
      );
  }
}

function textOf(shape: readonly number[], values: readonly (string | Uint8Array)[]): Constant {
  const encoder = new TextEncoder();
  return {
    dtype: "string",
    shape,
    data: new Uint8Array(),
    text: values.map((value) => (typeof value === "string" ? encoder.encode(value) : value)),
  };
}
