import { UsageError } from "../../base/errors.ts";
import { sizeOf } from "../../base/tensor.ts";
import { intOf } from "../attributes.ts";
import { constantOf, numbersOf } from "../constant.ts";
import { dataTypeOf } from "../dataTypes.ts";
import type { Constant, DataType } from "../graph.ts";
import type { CallSite, Rule, RuleFamily } from "../rule.ts";
import { check, generate, knownNumbers } from "../shapes.ts";

/** What ConstantOfShape fills in: one element, float32 0 by default. */
function filling(site: CallSite): Constant {
  const value = site.attributes.value;
  return value?.kind === "tensor" ? value.value : constantOf("float32", [1], [0]);
}

function rangeCount([start, limit, step]: readonly number[]): number {
  return Math.max(0, Math.ceil((limit - start) / step));
}

function eyeType(site: CallSite, own: DataType): DataType {
  const code = intOf(site, "dtype", 0);
  return code === 0 ? own : (dataTypeOf(code) ?? own);
}

/** An operator whose results differ from run to run: neither inferred nor differentiated. */
const random: Rule = {
  infer: ({ op, name }) => {
    throw new UsageError(
      `operator "${op}" (node "${name}") draws random numbers whenever it runs: make the noise an input of the graph instead`,
    );
  },
};

/** Tensors made from sizes and bounds that are known while tracing. */
export const generators: RuleFamily = {
  ConstantOfShape: {
    infer: (site, [shape]) => [{ dtype: filling(site).dtype, shape: knownNumbers(site, shape, "sizes")! }],
    gradient: () => [null],
    evaluate: (site, _, [{ shape }]) => {
      const [value] = numbersOf(filling(site));
      return [generate(shape, () => value)];
    },
  },
  Range: {
    infer: (site, bounds) => {
      const numbers = bounds.map((bound) => knownNumbers(site, bound, "bounds")![0]);
      check(site, numbers[2] !== 0, () => "a range with steps of 0");
      return [{ dtype: bounds[0]!.dtype, shape: [rangeCount(numbers)] }];
    },
    gradient: () => [null, null, null],
    evaluate: (_, [start, , step], [{ shape }]) => [
      generate(shape, (i) => start!.numbers[0] + i * step!.numbers[0]),
    ],
  },
  EyeLike: {
    infer: (site, [x]) => {
      check(site, x!.shape.length === 2, () => `EyeLike of [${x!.shape.join(", ")}], wanted a matrix,`);
      return [{ dtype: eyeType(site, x!.dtype), shape: x!.shape }];
    },
    gradient: () => [null],
    evaluate: (site, [x]) => {
      const [columns, k] = [x!.shape[1], intOf(site, "k", 0)];
      return [generate(x!.shape, (i) => Number((i % columns) - Math.floor(i / columns) === k))];
    },
  },
  Size: {
    infer: () => [{ dtype: "int64", shape: [] }],
    gradient: () => [null],
    fromShapes: (_, [x]) => [constantOf("int64", [], [sizeOf(x!.shape)])],
    evaluate: (_, [x]) => [[sizeOf(x!.shape)]],
  },
  RandomNormal: random,
  RandomNormalLike: random,
  RandomUniform: random,
  RandomUniformLike: random,
  Bernoulli: random,
  Multinomial: random,
};
