import { philox } from "../base/philox.ts";
import { mutateModel } from "./mutateModel.ts";

/** Models of so many bytes and more are drawn less often. */
const LARGE = 20_000;

/** Mutant number `index` of the models, from a seed: the same each time. */
export function mutantOf(models: readonly Uint8Array[], seed: number, index: number): Uint8Array {
  const stream = philox(seed, index);
  const small = models.filter(({ length }) => length < LARGE);
  const large = models.filter(({ length }) => length >= LARGE);
  const pool = large.length === 0 || stream.integer(30) > 0 ? small : large;
  const [one, other] = [pool[stream.integer(pool.length)], small[stream.integer(small.length)]];
  return mutateModel(one, other, stream);
}
