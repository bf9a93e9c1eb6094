import { intOf } from "../attributes.ts";
import { numbersOf } from "../constant.ts";
import { dataTypeOf } from "../dataTypes.ts";
import type { Value } from "../value.ts";
import { type Rewrite, madeBy, scalarOf, unscaled } from "./rewrite.ts";

/** x + 0, x - 0, x * 1, x / 1, and Cast to the type that x has. */
export const nothing: Rewrite = {
  name: "nothing",
  about:
    "sums with 0, products with 1 and casts to the same type go away, also where the 0 is a tensor made at run time",
  apply({ op, domain, inputs: [a, b], attributes, name }) {
    if (domain !== "" || !a) return null;
    if (op === "Cast") return dataTypeOf(intOf({ attributes, name }, "to", 0)) === a.dtype ? [a] : null;
    const plain = { Add: 0, Sub: 0, Mul: 1, Div: 1 }[op];
    if (plain === undefined || !b) return null;
    const neutral = (x: Value, y: Value): boolean =>
      (plain === 0 ? isZero(y) : scalarOf(y) === 1) && covers(x, y);
    if (neutral(a, b)) return [a];
    return (op === "Add" || op === "Mul") && neutral(b, a) ? [b] : null;
  },
};

/** Where(IsNaN(map), 0, map) as exporters write it behind a softmax: without a mask no row of the map is NaN. */
export const nanGuard: Rewrite = {
  name: "NaN guard",
  about: "the replacement of NaN behind a softmax over logits that no mask can make -inf",
  apply({ op, domain, inputs: [condition, , map] }) {
    if (op !== "Where" || domain !== "" || madeBy(condition, "IsNaN")?.inputs[0] !== map) return null;
    const softmax = madeBy(map, "Softmax");
    return softmax && isProduct(softmax.inputs[0]!) ? [map!] : null;
  },
};

/** Whether logits are a product, scaled, or such a product and a finite constant. */
function isProduct(logits: Value): boolean {
  const { core } = unscaled(logits);
  if (madeBy(core, "MatMul")) return true;
  const operands = madeBy(core, "Add")?.inputs ?? [];
  const [constant, rest] = [operands.find((x) => x?.constant), operands.find((x) => !x?.constant)];
  return !!constant && !!rest && numbersOf(constant.constant!).every(Number.isFinite) && isProduct(rest);
}

/** Whether x has the shape of what it and y broadcast to. */
function covers(x: Value, y: Value): boolean {
  const lead = x.shape.length - y.shape.length;
  return lead >= 0 && y.shape.every((dim, i) => dim === 1 || dim === x.shape[lead + i]);
}

/** Whether a value is certainly zero: a constant, or what exporters make of the right shape and multiply by 0. */
function isZero(value: Value): boolean {
  if (value.constant) return numbersOf(value.constant).every((n) => n === 0);
  const filled = madeBy(value, "ConstantOfShape");
  if (filled) {
    const fill = filled.attributes.value;
    return fill?.kind !== "tensor" || numbersOf(fill.value).every((n) => n === 0);
  }
  const factors = madeBy(value, "Mul")?.inputs;
  if (factors) return factors.every((factor) => isZero(factor!));
  const source = (madeBy(value, "Expand") ?? madeBy(value, "Cast") ?? madeBy(value, "Reshape"))?.inputs[0];
  return !!source && isZero(source);
}
