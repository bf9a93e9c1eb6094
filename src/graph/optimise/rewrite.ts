import { numbersOf } from "../constant.ts";
import type { Builder } from "../builder.ts";
import type { Attribute } from "../graph.ts";
import type { Call, Value } from "../value.ts";

/** A call about to be made: what a rewrite looks at. What its inputs come from is rewritten already. */
export interface Application {
  readonly builder: Builder;
  readonly op: string;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly (Value | null)[];
  readonly attributes: Readonly<Record<string, Attribute>>;
  /** Whether a value is read once: if that is on the way to this call, it is not computed any more after a rewrite. */
  readonly readOnce: (value: Value) => boolean;
}

/** One way to compute the same numbers faster. */
export interface Rewrite {
  readonly name: string;
  /** What stands there instead, and why that is faster. */
  readonly about: string;
  /** The outputs, computed in the better way; null where the rewrite does not apply. */
  apply(call: Application): readonly Value[] | null;
}

/** The call of `op` (of the standard domain) that computes a value; null for any other. */
export function madeBy(value: Value | null | undefined, op: string): Call | null {
  return value?.call?.op === op && value.call.domain === "" ? value.call : null;
}

/** A constant of one element as a number; null for any other value. */
export function scalarOf(value: Value | null | undefined): number | null {
  if (!value?.constant || value.shape.some((dim) => dim !== 1)) return null;
  return numbersOf(value.constant)[0];
}

/** Takes factors off a value: value = scale * core. */
export function unscaled(value: Value): { core: Value; scale: number } {
  const { call } = value;
  if (call?.domain !== "" || (call.op !== "Mul" && call.op !== "Div")) return { core: value, scale: 1 };
  const [a, b] = [call.inputs[0]!, call.inputs[1]!];
  const right = scalarOf(b);
  if (right !== null && a.shape.length === value.shape.length) {
    const { core, scale } = unscaled(a);
    return { core, scale: call.op === "Mul" ? scale * right : scale / right };
  }
  const left = call.op === "Mul" ? scalarOf(a) : null;
  if (left === null || b.shape.length !== value.shape.length) return { core: value, scale: 1 };
  const { core, scale } = unscaled(b);
  return { core, scale: scale * left };
}
