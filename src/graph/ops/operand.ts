import { UsageError } from "../../base/errors.ts";
import type { Operand, Value } from "../value.ts";

/** Both operands as values: a number becomes a scalar of the other's type. */
export function operands(a: Operand, b: Operand): [Value, Value] {
  if (typeof a === "number") {
    if (typeof b === "number") throw new UsageError("an operation on two numbers needs no graph");
    return [b.builder.literal(a, b.dtype), b];
  }
  return [a, typeof b === "number" ? a.builder.literal(b, a.dtype) : b];
}
