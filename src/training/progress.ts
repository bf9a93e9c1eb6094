/** How far a training is. */
export interface ProgressInfo {
  /** Steps done, of `steps`. */
  readonly step: number;
  readonly steps: number;
  /** Images seen, of `total`. */
  readonly images: number;
  readonly total: number;
  /** Running mean of the loss over about the last 50 steps. */
  readonly loss: number;
  readonly imagesPerSecond: number;
  /** Seconds left at this speed. */
  readonly eta: number;
}

/** One line for a terminal: "step 1200/4096  image 4.9M/16.8M  loss 0.0123  5210 img/s  ETA 3m 12s". */
export function progressLine({
  step,
  steps,
  images,
  total,
  loss,
  imagesPerSecond,
  eta,
}: ProgressInfo): string {
  const speed = imagesPerSecond >= 100 ? imagesPerSecond.toFixed(0) : imagesPerSecond.toPrecision(3);
  return [
    `step ${step}/${steps}`,
    `image ${short(images)}/${short(total)}`,
    `loss ${loss.toPrecision(4)}`,
    `${speed} img/s`,
    `ETA ${duration(eta)}`,
  ].join("  ");
}

/** 950 -> "950", 51200 -> "51.2k", 16777216 -> "16.8M". */
function short(count: number): string {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)}M`;
  return count >= 1e4 ? `${(count / 1e3).toFixed(1)}k` : String(count);
}

/** Seconds as "42s", "3m 12s" or "2h 05m"; "?" when unknown. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${String(whole % 60).padStart(2, "0")}s`;
  return `${Math.floor(whole / 3600)}h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m`;
}
