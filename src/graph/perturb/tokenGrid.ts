import { UsageError } from "../../base/errors.ts";
import type { NamedType } from "../graph.ts";

/**
 * Height and width of the grid that a layer's tokens form, row by row: what was given, else an even part of the height and width
 * of the network's sample, else a square. Throws UsageError where none of these has so many tokens.
 */
export function tokenGrid(
  layer: string,
  tokens: number,
  given: readonly [number, number] | undefined,
  inputs: readonly NamedType[],
): readonly [number, number] {
  if (given) {
    if (given[0] * given[1] === tokens) return given;
    throw new UsageError(
      `the attention "${layer}" has ${tokens} tokens, the given grid ${given.join(" x ")}`,
    );
  }
  const images = inputs.filter(({ shape }) => shape.length === 4);
  for (const { shape } of images) {
    const [height, width] = shape.slice(2) as number[];
    for (let by = 1; by <= Math.max(height, width); by++) {
      for (const round of [Math.ceil, Math.floor]) {
        const grid = [round(height / by), round(width / by)] as const;
        if (grid[0] * grid[1] === tokens) return grid;
      }
    }
  }
  const side = Math.round(Math.sqrt(tokens));
  if (images.length === 0 && side * side === tokens) return [side, side];
  throw new UsageError(
    `which grid the ${tokens} tokens of the attention "${layer}" form is not known: give it, { grid: [height, width] }`,
  );
}
