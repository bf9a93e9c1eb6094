import type { DataType } from "../graph.ts";
import { sumTo } from "../ops/reduce.ts";
import type { CallSite, GradientCall, Rule } from "../rule.ts";
import { broadcastIndex, broadcastShapes, check, generate } from "../shapes.ts";
import type { Value } from "../value.ts";

/** Gradient of an elementwise unary operator from (upstream gradient, x, y); null where it is zero everywhere. */
type UnaryGradient = (g: Value, x: Value, y: Value, site: CallSite) => Value | null;

/** An operator that maps each element by itself; an integer type maps to itself too. */
export function unary(
  f: (x: number, site: CallSite) => number,
  gradient?: UnaryGradient,
  { dtype }: { readonly dtype?: DataType } = {},
): Rule {
  return {
    infer: (_, [x]) => [{ dtype: dtype ?? x!.dtype, shape: x!.shape }],
    gradient: ({ gradients: [g], inputs: [x], outputs: [y], site }) => [gradient?.(g!, x!, y, site) ?? null],
    evaluate: (site, [x]) => [x!.numbers.map((v) => f(v, site))],
  };
}

/** Gradients of an elementwise binary operator, before they are summed back to the operands' shapes. */
type BinaryGradient = (call: {
  g: Value;
  a: Value;
  b: Value;
  y: Value;
  wanted: readonly boolean[];
}) => readonly [Value | null, Value | null];

interface BinaryOptions {
  /** Type of the result; default: that of the operands. */
  readonly dtype?: DataType;
  /** Whether b may be of another type than a. */
  readonly mixed?: boolean;
}

/** An operator on two operands, which are broadcast. */
export function binary(
  f: (a: number, b: number, site: CallSite, dtype: DataType) => number,
  gradient?: BinaryGradient,
  { dtype, mixed = false }: BinaryOptions = {},
): Rule {
  return {
    infer: (site, [a, b]) => {
      check(site, mixed || a!.dtype === b!.dtype, () => `operands of types ${a!.dtype} and ${b!.dtype}`);
      return [{ dtype: dtype ?? a!.dtype, shape: broadcastShapes(site, a!.shape, b!.shape) }];
    },
    ...(gradient && {
      gradient: ({ gradients: [g], inputs: [a, b], outputs: [y], wanted }: GradientCall) => {
        const [da, db] = gradient({ g: g!, a: a!, b: b!, y, wanted });
        return [da && sumTo(da, a!.shape), db && sumTo(db, b!.shape)];
      },
    }),
    evaluate: (site, [a, b], [{ shape }]) => {
      const [ia, ib] = [broadcastIndex(a!.shape, shape), broadcastIndex(b!.shape, shape)];
      return [generate(shape, (i) => f(a!.numbers[ia(i)], b!.numbers[ib(i)], site, a!.dtype))];
    },
  };
}

/** An operator on one operand or more, which are broadcast: `f` folds two. */
export function variadic(
  f: (a: number, b: number) => number,
  gradient: (call: GradientCall) => readonly (Value | null)[],
  last: (total: number, count: number) => number = (total) => total,
): Rule {
  return {
    infer: (site, operands) => {
      const [first] = operands;
      const wrong = operands.find((x) => x!.dtype !== first!.dtype);
      check(site, !wrong, () => `operands of types ${first!.dtype} and ${wrong!.dtype}`);
      const shape = operands.reduce<readonly number[]>(
        (joint, x) => broadcastShapes(site, joint, x!.shape),
        [],
      );
      return [{ dtype: first!.dtype, shape }];
    },
    gradient: (call) =>
      gradient(call).map((d, i) => (d && call.wanted[i] ? sumTo(d, call.inputs[i]!.shape) : null)),
    evaluate: (_, operands, [{ shape }]) => {
      const reads = operands.map((x) => {
        const index = broadcastIndex(x!.shape, shape);
        return (i: number): number => x!.numbers[index(i)];
      });
      return [
        generate(shape, (i) =>
          last(
            reads.map((read) => read(i)).reduce((a, b) => f(a, b)),
            reads.length,
          ),
        ),
      ];
    },
  };
}
