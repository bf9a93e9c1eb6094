/**
 * Calls `run(start, end)` for pieces of at most `size` of `total` rows, as many at a time as there are lanes, and returns
 * the results in order.
 */
export async function inPieces<T>(
  total: number,
  size: number,
  lanes: number,
  run: (start: number, end: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  async function lane(): Promise<void> {
    while (next * size < total) {
      const piece = next++;
      results[piece] = await run(piece * size, Math.min((piece + 1) * size, total));
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}

/**
 * Rows of a piece of a batch of `total` rows: a quarter, so that up to four lanes share even a small batch, within [least, most].
 * It does not depend on the number of lanes, so neither do results.
 */
export function rowsOfPiece(total: number, least: number, most: number): number {
  return Math.max(least, Math.min(Math.ceil(total / 4), most));
}
