import * as Plot from "@observablehq/plot";
import { UsageError } from "../../base/errors.ts";
import { count } from "../format.ts";
import { figure } from "./figure.ts";
import { seriesColour } from "./palette.ts";

export interface HistogramOptions {
  /** One histogram each, drawn over one another. */
  readonly series: readonly { readonly name: string; readonly values: ArrayLike<number> }[];
  /** Exact densities drawn over them as lines, each the probability per unit of x. */
  readonly curves?: readonly { readonly name: string; readonly density: (x: number) => number }[];
  /** With its unit. */
  readonly xLabel: string;
  /** Default: from the least to the largest value. Values outside are counted in the total and not drawn. */
  readonly range?: readonly [number, number];
  /** Default 40. */
  readonly bins?: number;
  readonly title?: string;
  readonly width?: number;
  readonly height?: number;
}

/**
 * Histograms normalised to densities, so that they stand beside exact ones, as an SVG:
 *
 *   height = values in the bin / (all values * width of the bin)
 *
 * Throws UsageError where there is no finite value to draw.
 */
export function histogram(options: HistogramOptions): string {
  const { series, curves = [], xLabel, bins = 40, title, width = 640, height = 340 } = options;
  const [low, high] =
    options.range ??
    rangeOf(
      series.map(({ values }) => values),
      xLabel,
    );
  const heights = series.map(({ values }) => densities(values, low, high, bins));
  const step = (high - low) / bins;

  const names = [
    ...series.map(({ name, values }) => `${name} (N = ${count(values.length)})`),
    ...curves.map((c) => c.name),
  ];
  const legend = names.map((name, i) => ({
    name,
    colour: seriesColour(i),
    shape: i < series.length ? ("line" as const) : ("dashed" as const),
  }));
  return figure(
    { alt: `Histogram of ${xLabel}: ${names.join(", ")}`, width, height, title, legend },
    {
      x: { domain: [low, high], label: xLabel, labelAnchor: "center", labelOffset: 38, labelArrow: "none" },
      y: { label: "density", labelArrow: "none", grid: true, nice: true, zero: true },
      marks: [
        ...heights.flatMap((values, i) => {
          const edges = values.map((y, b) => ({ y, x1: low + b * step, x2: low + (b + 1) * step }));
          return [
            Plot.rectY(edges, {
              x1: "x1",
              x2: "x2",
              y: "y",
              fill: seriesColour(i),
              fillOpacity: 0.18,
              inset: 0,
            }),
            Plot.line(outline(edges), { stroke: seriesColour(i), strokeWidth: 1.5 }),
          ];
        }),
        ...curves.map(({ density }, i) =>
          Plot.line(sampled(density, low, high), {
            stroke: seriesColour(series.length + i),
            strokeWidth: 2,
            strokeDasharray: "5,3",
          }),
        ),
        Plot.ruleY([0]),
      ],
    },
  );
}

/** Height of each bin of [low, high); the last bin holds `high` itself too. */
export function densities(values: ArrayLike<number>, low: number, high: number, bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  const step = (high - low) / bins;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value >= low && value <= high) counts[Math.min(bins - 1, Math.floor((value - low) / step))]++;
  }
  return counts.map((n) => n / (values.length * step));
}

function rangeOf(lists: readonly ArrayLike<number>[], xLabel: string): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      if (!Number.isFinite(list[i])) continue;
      low = Math.min(low, list[i]);
      high = Math.max(high, list[i]);
    }
  }
  if (low > high) throw new UsageError(`the histogram of ${xLabel} has no finite value`);
  return low < high ? [low, high] : [low - 0.5, high + 0.5];
}

function outline(edges: readonly { x1: number; x2: number; y: number }[]): [number, number][] {
  const top = edges.flatMap(({ x1, x2, y }): [number, number][] => [
    [x1, y],
    [x2, y],
  ]);
  return [[edges[0].x1, 0], ...top, [edges[edges.length - 1].x2, 0]];
}

function sampled(density: (x: number) => number, low: number, high: number): [number, number][] {
  const points = 300;
  return Array.from({ length: points + 1 }, (_, i) => {
    const x = low + ((high - low) * i) / points;
    return [x, density(x)];
  });
}
