import { UsageError } from "../base/errors.ts";
import { type Tensor, rowSize, sameKind } from "../base/tensor.ts";
import type { Branch, Labels } from "../diffusion/denoiser.ts";
import { type EmbeddingNoise, noisyEmbedding } from "../diffusion/embeddingNoise.ts";
import type { GuidanceResources } from "./resources.ts";

/**
 * What guidance can do with the conditions of a network that knows these classes: `conditionNamed` takes a class's number, or its
 * name in whatever case, with - or _ for spaces; `randomCondition` draws each class equally likely.
 */
export function classConditions(
  names: readonly string[],
): Required<Pick<GuidanceResources<Labels>, "conditionNamed" | "randomCondition">> {
  // Equal conditions are one, so that they are asked for once.
  const made = new Map<string, Labels>();
  return {
    conditionNamed(name, rows) {
      const label = labelNamed(name, names);
      const known = made.get(`${label} ${rows}`) ?? new Array<number>(rows).fill(label);
      made.set(`${label} ${rows}`, known);
      return known;
    },
    randomCondition: (rows) => rows.map((stream) => stream.integer(names.length)),
  };
}

function labelNamed(name: string, names: readonly string[]): number {
  const plain = (text: string): string => text.trim().toLowerCase().replace(/[-_]/g, " ");
  const named = names.findIndex((one) => plain(one) === plain(name));
  const label = named >= 0 ? named : /^\d+$/.test(name) ? Number(name) : names.length;
  if (label < names.length) return label;
  throw new UsageError(
    `this model has no class "${name}"; its classes are ${names.map((one, i) => `${i} ${one}`).join(", ")}`,
  );
}

/** `noisyCondition` of a network that embeds its condition: the network puts the noise on the embedding. */
export function noiseInNetwork<C>(branch: Branch<C>, conditionNoise: EmbeddingNoise): Branch<C> {
  return { ...branch, conditionNoise };
}

/**
 * `noisyCondition` of a denoiser whose condition is a tensor [batch, ...dims], such as the embedding of a text: the noise is on
 * the condition itself, each row's numbers taken as one embedding. Without any seeds (`guide` looks what is asked for before it
 * has a batch) the condition is copied. Throws a UsageError for seeds of another number than rows.
 */
export function noiseOnTensor(branch: Branch<Tensor>, how: EmbeddingNoise): Branch<Tensor> {
  const { condition } = branch;
  if (condition === null) return branch;
  const [rows, size] = [condition.shape[0], rowSize(condition)];
  const count = how.seeds.length;
  if (count !== 0 && count !== rows)
    throw new UsageError(`a condition of ${rows} rows takes ${rows} seeds, got ${count}`);
  const data = sameKind(condition.data, condition.data.length);
  data.set(condition.data);
  for (let row = 0; row < count; row++)
    data.set(noisyEmbedding(condition.data.subarray(row * size, (row + 1) * size), how, row), row * size);
  return { ...branch, condition: { data, shape: condition.shape } };
}
