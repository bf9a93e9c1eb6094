import { tensor, zip } from "../base/tensor.ts";
import type { Model } from "../models/model.ts";
import { mixtureOfData } from "../training/objectives/exactScore.ts";
import type { ScoreField } from "./comparison.ts";

/** A noise level at which the tree is smooth enough for arrows to be read, and still a tree. */
const SIGMA = 0.2;
/** Arrows along one side. */
const SIDE = 18;

/** The exact score and the network's, (D - x) / sigma^2, on a grid over the view of the figures. */
export async function scoreField(
  { denoiser, config }: Model,
  { centre, halfSize }: { readonly centre: readonly [number, number]; readonly halfSize: number },
): Promise<ScoreField> {
  const at = (i: number, middle: number): number => middle + halfSize * ((2 * i + 1) / SIDE - 1);
  const grid = Array.from({ length: SIDE * SIDE }, (_, i) => [
    at(i % SIDE, centre[0]),
    at(Math.floor(i / SIDE), centre[1]),
  ]);
  const points = tensor(Float64Array.from(grid.flat()), [SIDE * SIDE, 2]);
  const [denoised] = await denoiser.denoise(points, SIGMA, [{ condition: null }]);
  const network = zip((d, x) => (d - x) / SIGMA ** 2, denoised, points);
  return { sigma: SIGMA, points, exact: mixtureOfData(config.data).score(points, SIGMA), network };
}
