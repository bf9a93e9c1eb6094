/** Sums of loss and metrics over the steps of one line of stats.jsonl. */
export interface WindowSums {
  readonly steps: number;
  readonly sums: Readonly<Record<string, number>>;
}

/** The window with one more step's values. A metric missing in some steps counts as 0 there. */
export function addToWindow(
  { steps, sums }: WindowSums,
  values: Readonly<Record<string, number>>,
): WindowSums {
  const next: Record<string, number> = { ...sums };
  for (const [name, value] of Object.entries(values)) next[name] = (next[name] ?? 0) + value;
  return { steps: steps + 1, sums: next };
}

/** The mean of each value over the window's steps. */
export function windowMeans({ steps, sums }: WindowSums): Record<string, number> {
  return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / steps]));
}
