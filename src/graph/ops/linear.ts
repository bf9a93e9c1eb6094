import type { Value } from "../value.ts";

/** Matrix product over the last two axes, leading axes broadcast. */
export function matmul(a: Value, b: Value): Value {
  return a.builder.apply("MatMul", [a, b])[0];
}
