import * as Plot from "@observablehq/plot";
import { UsageError } from "../../base/errors.ts";
import { figure } from "./figure.ts";
import { colours, seriesColour } from "./palette.ts";

export interface LinePoint {
  readonly x: number;
  readonly y: number;
  /** Stands beside the point: the weight it was measured at. */
  readonly label?: string;
}

export interface LineSeries {
  readonly name: string;
  readonly points: readonly LinePoint[];
}

export interface LineChartOptions {
  readonly series: readonly LineSeries[];
  /** With its unit: "guidance weight w (1 is off)", "time (s)". */
  readonly xLabel: string;
  readonly yLabel: string;
  readonly title?: string;
  /** Default "linear". */
  readonly xScale?: "linear" | "log";
  readonly yScale?: "linear" | "log";
  /** Whether the y axis starts at 0. Default false. */
  readonly yFromZero?: boolean;
  /** A dashed horizontal line, such as the value without guidance. */
  readonly reference?: { readonly y: number; readonly name: string };
  /** Join points in the order given, as for a curve of one metric over another. Default: by x. */
  readonly inGivenOrder?: boolean;
  readonly width?: number;
  readonly height?: number;
}

/**
 * One or more series as lines with dots, each with its colour and its shape of dot, as an SVG.
 * Points that are not finite are left out; throws UsageError where none is left, or one is not positive on a log scale.
 */
export function lineChart(options: LineChartOptions): string {
  const { series, xLabel, yLabel, title, xScale = "linear", yScale = "linear", reference } = options;
  const { width = 640, height = 360 } = options;
  const points = series.flatMap(({ name, points }) =>
    points
      .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))
      .map((point) => ({ ...point, name })),
  );
  if (points.length === 0) throw new UsageError(`the chart of ${yLabel} over ${xLabel} has no finite point`);
  for (const [scale, key, label] of [
    [xScale, "x", xLabel],
    [yScale, "y", yLabel],
  ] as const) {
    if (scale === "log" && points.some((point) => point[key] <= 0)) {
      throw new UsageError(`${label} has values that are not positive; they have no place on a log scale`);
    }
  }

  const names = series.map(({ name }) => name);
  const legend = [
    ...names.map((name, i) => ({ name, colour: seriesColour(i), shape: "line" as const })),
    ...(reference ? [{ name: reference.name, colour: colours.muted, shape: "dashed" as const }] : []),
  ];
  return figure(
    { alt: `Line chart of ${yLabel} over ${xLabel}: ${names.join(", ")}`, width, height, title, legend },
    {
      x: {
        type: xScale,
        label: xLabel,
        labelAnchor: "center",
        labelOffset: 38,
        labelArrow: "none",
        nice: xScale === "linear",
      },
      y: {
        type: yScale,
        label: yLabel,
        labelArrow: "none",
        grid: true,
        nice: true,
        zero: options.yFromZero ?? false,
      },
      color: { domain: names, range: names.map((_, i) => seriesColour(i)) },
      symbol: { domain: names, range: names.map((_, i) => symbols[i % symbols.length]) },
      marks: [
        reference
          ? Plot.ruleY([reference.y], { stroke: colours.muted, strokeWidth: 1.5, strokeDasharray: "4,3" })
          : null,
        Plot.line(points, {
          x: "x",
          y: "y",
          stroke: "name",
          z: "name",
          strokeWidth: 2,
          ...(options.inGivenOrder ? {} : { sort: "x" }),
        }),
        Plot.dot(points, {
          x: "x",
          y: "y",
          fill: "name",
          symbol: "name",
          r: 3.5,
          stroke: "white",
          strokeWidth: 0.8,
        }),
        Plot.text(
          points.filter(({ label }) => label !== undefined),
          {
            x: "x",
            y: "y",
            text: "label",
            dy: -10,
            fontSize: 11,
            fill: colours.ink,
            stroke: "white",
            strokeWidth: 3,
          },
        ),
      ],
    },
  );
}

const symbols = ["circle", "square", "triangle", "diamond", "star", "cross", "wye"] as const;
