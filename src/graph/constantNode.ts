import { UsageError } from "../base/errors.ts";
import { constantOf } from "./constant.ts";
import type { Constant, Node } from "./graph.ts";

/** What a Constant node holds. Throws UsageError for kinds that are not tensors of numbers. */
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
    default:
      throw new UsageError(`node "${name}" is a Constant given as ${kind}, which has no rule`);
  }
}
