/** Colours that stay apart for colour-blind eyes: Okabe and Ito 2008, yellow left out as too pale on white. */
export const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d"] as const;

/** The palette's colour of the i-th series; it starts again after the last. */
export function seriesColour(index: number): string {
  return palette[index % palette.length];
}

/** Colours with one meaning in every picture. */
export const colours = {
  ink: "#1f2328",
  muted: "#59636e",
  grid: "#d1d9e0",
  sample: "#0a4a86",
  outlier: "#d55e00",
  trajectory: "#00734f",
} as const;
