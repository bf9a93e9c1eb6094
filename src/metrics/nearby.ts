import type { Matrix } from "./features.ts";

/**
 * The share of `points` that have at least one of `others` within `radius` (Euclidean, surface included). Both [n, 2].
 * Others are sorted into square cells a little wider than the radius, so only 3 x 3 cells are searched for each point.
 */
export function shareNearby(points: Matrix, others: Matrix, radius: number): number {
  const size = radius * (1 + 1e-9);
  const cells = new Map<number, number[]>();
  for (let j = 0; j < others.n; j++) {
    const key = cellKey(Math.floor(others.data[2 * j] / size), Math.floor(others.data[2 * j + 1] / size));
    const cell = cells.get(key);
    if (cell) cell.push(j);
    else cells.set(key, [j]);
  }

  const hasNeighbour = (px: number, py: number): boolean => {
    const cx = Math.floor(px / size);
    const cy = Math.floor(py / size);
    for (let x = cx - 1; x <= cx + 1; x++) {
      for (let y = cy - 1; y <= cy + 1; y++) {
        for (const j of cells.get(cellKey(x, y)) ?? []) {
          const dx = others.data[2 * j] - px;
          const dy = others.data[2 * j + 1] - py;
          if (dx * dx + dy * dy <= radius * radius) return true;
        }
      }
    }
    return false;
  };

  let found = 0;
  for (let i = 0; i < points.n; i++) {
    if (hasNeighbour(points.data[2 * i], points.data[2 * i + 1])) found++;
  }
  return found / points.n;
}

/** One number for a cell. Far-away cells may share one: that costs a look, never a wrong answer. */
function cellKey(x: number, y: number): number {
  return x * 67108859 + y;
}
