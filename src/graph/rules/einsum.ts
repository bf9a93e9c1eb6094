import { sizeOf } from "../../base/tensor.ts";
import { string, stringOf } from "../attributes.ts";
import { equal, mul, where } from "../ops/elementwise.ts";
import { expand, reshape } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, InferredType, RuleFamily } from "../rule.ts";
import { affineIndex, check, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";

/** An equation without an ellipsis: an axis has a letter, those under the ellipsis digits from the right. */
interface Equation {
  readonly operands: readonly (readonly string[])[];
  readonly output: readonly string[];
  readonly sizes: ReadonlyMap<string, number>;
}

/** Throws UsageError for an equation that does not fit the operands. */
function equationOf(site: CallSite, shapes: readonly (readonly number[])[]): Equation {
  const text = stringOf(site, "equation", "").replaceAll(" ", "");
  const [left, right] = text.split("->") as [string, string?];
  const terms = left.split(",");
  const fits = /^[a-zA-Z.,]+$/.test(left) && terms.length === shapes.length;
  check(site, fits, () => `the equation "${text}" is not for ${shapes.length} operands`);

  let hidden = 0;
  const operands = terms.map((term, i) => {
    const covered = shapes[i].length - term.replace("...", "").length;
    hidden = Math.max(hidden, term.includes("...") ? covered : 0);
    const axes = axesOf(term, covered);
    check(site, axes.length === shapes[i].length, () => `"${term}" does not fit [${shapes[i].join(", ")}]`);
    return axes;
  });
  const output = right === undefined ? impliedOutput(operands) : axesOf(right, hidden);

  const sizes = new Map<string, number>();
  operands.forEach((axes, i) => {
    axes.forEach((axis, k) => {
      const [size, known] = [shapes[i][k], sizes.get(axis) ?? 1];
      check(
        site,
        size === known || size === 1 || known === 1,
        () => `"${text}" with "${axis}" of ${known} and ${size}`,
      );
      sizes.set(axis, Math.max(size, known));
    });
  });
  const unknown = output.find((axis) => !sizes.has(axis));
  check(site, unknown === undefined, () => `"${text}" with "${unknown}" in no operand`);
  return { operands, output, sizes };
}

/** The letters of a term, and a digit for each of the `hidden` axes that its ellipsis stands for. */
function axesOf(term: string, hidden: number): string[] {
  const digits = Array.from({ length: hidden }, (_, i) => String(hidden - 1 - i));
  const [before, after] = term.split("...") as [string, string?];
  return after === undefined ? [...before] : [...before, ...digits, ...after];
}

/** Without "->": the ellipsis and then the letters that stand once, in the alphabet's order. */
function impliedOutput(operands: readonly (readonly string[])[]): string[] {
  const all = operands.flat();
  const digits = [...new Set(all.filter((axis) => /\d/.test(axis)))].sort().reverse();
  const once = all.filter((axis) => !/\d/.test(axis) && all.indexOf(axis) === all.lastIndexOf(axis));
  return [...digits, ...once.sort()];
}

const sized = ({ sizes }: Equation, axes: readonly string[]): number[] =>
  axes.map((axis) => sizes.get(axis)!);

interface Operand {
  readonly value: Value;
  readonly axes: readonly string[];
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Einsum over named axes. Numbers without axes are factors, which ONNX Runtime does not take. */
function einsum(operands: readonly Operand[], output: readonly string[]): Value {
  const factors = operands.filter(({ axes }) => axes.length === 0).map(({ value }) => value);
  const tensors = operands.filter(({ axes }) => axes.length > 0);
  const names = [...new Set(tensors.flatMap(({ axes }) => axes))];
  const letters = (axes: readonly string[]): string =>
    axes.map((axis) => ALPHABET[names.indexOf(axis)]).join("");
  const equation = `${tensors.map(({ axes }) => letters(axes)).join(",")}->${letters(output)}`;
  const values = tensors.map(({ value }) => value);
  const products =
    tensors.length === 0
      ? []
      : values[0].builder.apply("Einsum", values, { attributes: { equation: string(equation) } });
  return [...products, ...factors].reduce((a, b) => mul(a, b));
}

/** An operand without the axes of length 1 that are broadcast. */
function squeezed(equation: Equation, value: Value, axes: readonly string[]): Operand {
  const kept = axes.map((axis, i) => value.shape[i] === equation.sizes.get(axis));
  return {
    value: reshape(
      value,
      value.shape.filter((_, i) => kept[i]),
    ),
    axes: axes.filter((_, i) => kept[i]),
  };
}

/** The einsum of g and the other operands to the axes of this one, expanded along what was only summed. */
function operandGradient(equation: Equation, inputs: readonly Value[], g: Value, which: number): Value {
  const own = squeezed(equation, inputs[which], equation.operands[which]);
  const others = inputs.flatMap((value, i) =>
    i === which ? [] : [squeezed(equation, value, equation.operands[i])],
  );
  const factors = [squeezed(equation, g, equation.output), ...others];
  const unique = [...new Set(own.axes)];
  const known = new Set(factors.flatMap(({ axes }) => axes));
  const found = einsum(
    factors,
    unique.filter((axis) => known.has(axis)),
  );
  const spread = reshape(
    found,
    unique.map((axis) => (known.has(axis) ? equation.sizes.get(axis)! : 1)),
  );
  const whole = expand(spread, sized(equation, unique));
  return reshape(onDiagonals(whole, unique, own.axes), inputs[which].shape);
}

/** x over `unique` axes laid on the diagonals of a tensor over `axes`, of which some are repeated. */
function onDiagonals(x: Value, unique: readonly string[], axes: readonly string[]): Value {
  return axes.reduce<Value>((out, axis, at) => {
    const first = axes.indexOf(axis);
    if (first === at) return out;
    // One more axis, and zeros where it differs from the first of its name.
    const shape = [...out.shape.slice(0, at), 1, ...out.shape.slice(at)];
    const size = x.shape[unique.indexOf(axis)];
    const steps = x.builder.literal(
      Array.from({ length: size }, (_, i) => i),
      "int64",
    );
    const along = (place: number): Value =>
      reshape(
        steps,
        shape.map((_, i) => (i === place ? size : 1)),
      );
    return where(equal(along(first), along(at)), reshape(out, shape), 0);
  }, x);
}

function gradient({ site, inputs, gradients: [g], wanted }: GradientCall): (Value | null)[] {
  const values = inputs.map((input) => input!);
  const equation = equationOf(
    site,
    values.map(({ shape }) => shape),
  );
  return values.map((_, i) => (wanted[i] ? operandGradient(equation, values, g!, i) : null));
}

/** The sum, over all axes that the output does not have, of products. */
function evaluate(site: CallSite, inputs: readonly HostInput[], { shape }: InferredType): Float64Array {
  const equation = equationOf(
    site,
    inputs.map((input) => input.shape),
  );
  const axes = [...equation.sizes.keys()];
  const joint = sized(equation, axes);
  const indexOf = (own: readonly string[], dims: readonly number[]): ((i: number) => number) => {
    const strides = stridesOf(dims).map((stride, i) => (dims[i] === 1 ? 0 : stride));
    return affineIndex(
      joint,
      axes.map((axis) => own.reduce((sum, name, i) => sum + (name === axis ? strides[i] : 0), 0)),
    );
  };
  const reads = inputs.map((input, i) => indexOf(equation.operands[i], input.shape));
  const write = indexOf(equation.output, shape);
  const out = new Float64Array(sizeOf(shape));
  for (let i = 0; i < sizeOf(joint); i++) {
    out[write(i)] += inputs.reduce((product, { numbers }, k) => product * numbers[reads[k](i)], 1);
  }
  return out;
}

export const einsumFamily: RuleFamily = {
  Einsum: {
    infer: (site, inputs) => {
      const equation = equationOf(
        site,
        inputs.map((input) => input!.shape),
      );
      return [{ dtype: inputs[0]!.dtype, shape: sized(equation, equation.output) }];
    },
    gradient,
    evaluate: (site, inputs, [type]) => [
      evaluate(
        site,
        inputs.map((input) => input!),
        type,
      ),
    ],
  },
};
