import { UsageError } from "../../base/errors.ts";
import { philox } from "../../base/philox.ts";
import { sizeOf } from "../../base/tensor.ts";
import { moduleOf } from "../attention/modules.ts";
import type { Builder } from "../builder.ts";
import { constantOf, numbersOf } from "../constant.ts";
import { isFloat } from "../dataTypes.ts";
import type { Constant, ConstantArray, Graph } from "../graph.ts";
import { inlineFunctions } from "../inlineFunctions.ts";
import { nameMatcher } from "./matchName.ts";
import type { WeightNoise } from "./perturbation.ts";
import type { Site } from "./site.ts";

/**
 * w + std * (standard deviation of w) * noise for each chosen weight, the noise drawn from (seed, place among the graph's
 * initializers). Weights are not read before the graph that has them is written or run.
 */
export function weightNoise(graph: Graph, builder: Builder, how: WeightNoise): readonly Site[] {
  const chosen = chosenWeights(graph, how.weights);
  const noisy = new Map<string, Constant>();
  [...graph.initializers].forEach(([name, constant], place) => {
    if (chosen.has(name)) noisy.set(name, withNoise(constant, how.std, how.seed ?? 0, place));
  });
  const readers = inlineFunctions(graph).nodes.filter(({ inputs }) => inputs.some((name) => noisy.has(name)));
  return readers.map((node) => ({
    node,
    edit: (at) =>
      at.compute(
        at.inputs.map((input, i) => {
          const constant = noisy.get(node.inputs[i]);
          return constant ? builder.constant(constant, `${node.inputs[i]}/noisy`) : input;
        }),
      ),
  }));
}

/** Floating-point matrices and kernels whose name, or a reader's module and ".weight", match one of the patterns. */
function chosenWeights(graph: Graph, patterns: readonly string[] | undefined): ReadonlySet<string> {
  const weights = [...graph.initializers].filter(
    ([, { dtype, shape }]) => isFloat(dtype) && shape.length >= 2 && sizeOf(shape) > 1,
  );
  if (!patterns) return new Set(weights.map(([name]) => name));
  const modules = new Map<string, string[]>();
  for (const node of inlineFunctions(graph).nodes) {
    for (const input of node.inputs) {
      if (graph.initializers.has(input))
        modules.set(input, [...(modules.get(input) ?? []), `${moduleOf(node)}.weight`]);
    }
  }
  const chosen = new Set<string>();
  for (const pattern of patterns) {
    const matches = nameMatcher(pattern);
    const found = weights.filter(([name]) => matches(name) || modules.get(name)?.some(matches));
    if (found.length === 0) {
      const some = weights.slice(0, 5).map(([name]) => modules.get(name)?.[0] ?? name);
      throw new UsageError(`no weight is called "${pattern}"; there are for example ${some.join(", ")}`);
    }
    for (const [name] of found) chosen.add(name);
  }
  return chosen;
}

/** Made once for the same weights and options, so that graphs built with them share it. */
const made = new WeakMap<Constant, Map<string, Constant>>();

function withNoise(constant: Constant, std: number, seed: number, place: number): Constant {
  const known = made.get(constant) ?? new Map<string, Constant>();
  made.set(constant, known);
  const key = `${std}/${seed}/${place}`;
  const found = known.get(key);
  if (found) return found;
  let data: ConstantArray | undefined;
  const noisy: Constant = {
    dtype: constant.dtype,
    shape: constant.shape,
    get data() {
      return (data ??= disturbed(constant, std, philox(seed, place)));
    },
  };
  known.set(key, noisy);
  return noisy;
}

function disturbed(constant: Constant, std: number, stream: ReturnType<typeof philox>): ConstantArray {
  const weights = numbersOf(constant);
  const mean = weights.reduce((sum, w) => sum + w, 0) / weights.length;
  const variance = weights.reduce((sum, w) => sum + (w - mean) ** 2, 0) / weights.length;
  const noise = new Float64Array(weights.length);
  stream.fillNormal(noise);
  const scale = std * Math.sqrt(variance);
  return constantOf(
    constant.dtype,
    constant.shape,
    weights.map((w, i) => w + scale * noise[i]),
  ).data;
}
