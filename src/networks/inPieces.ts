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
  const starts = Array.from({ length: Math.ceil(total / size) }, (_, i) => i * size);
  const results: T[] = [];
  for (let i = 0; i < starts.length; i += lanes) {
    const some = starts.slice(i, i + lanes);
    results.push(...(await Promise.all(some.map((start) => run(start, Math.min(start + size, total))))));
  }
  return results;
}
