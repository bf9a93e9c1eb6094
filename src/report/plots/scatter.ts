import * as Plot from "@observablehq/plot";
import type { Tensor } from "../../base/tensor.ts";
import { count } from "../format.ts";
import { crossPath, dotPath } from "./dots.ts";
import type { LegendEntry } from "./figure.ts";
import { pathMark } from "./figure.ts";
import { colours } from "./palette.ts";
import type { PlaneOptions } from "./plane.ts";
import { inView, pairs, plane, viewOf } from "./plane.ts";

export interface ScatterOptions extends PlaneOptions {
  /** [n, 2]. Default: none, the density alone. */
  readonly samples?: Tensor;
  /** What the legend calls them. Default "samples". */
  readonly samplesName?: string;
  /** For each sample, whether it is an outlier; those are drawn as orange crosses. Default: not marked. */
  readonly outliers?: ArrayLike<boolean | number>;
  /** The ways of some samples: one [m, 2] tensor a step, as samplers yield them, drawn as m thin lines. */
  readonly trajectories?: readonly Tensor[];
}

/** From this many in view on, dots are smaller and let the density through. */
const many = 1500;

/**
 * Samples of the plane over their exact density, as an SVG. Give `view` for a close-up.
 * Points out of view are not drawn; the legend counts them all. About 60 kB for 8,192 samples.
 * Throws UsageError where samples or trajectories are not [n, 2].
 */
export function scatter(options: ScatterOptions): string {
  const { samples, samplesName = "samples", outliers, trajectories = [] } = options;
  const view = viewOf(options, samples ? [samples] : trajectories);
  const points = samples ? pairs(samples) : [];
  const inliers = points.filter((_, i) => !outliers?.[i]);
  const marked = points.filter((_, i) => outliers?.[i]);
  const ways = trajectories.flatMap((step) => pairs(step).map(([x, y], way) => ({ x, y, way })));
  const wayCount = trajectories.length > 0 ? trajectories[0].shape[0] : 0;

  const legend: LegendEntry[] = [
    { name: `${count(inliers.length)} ${samplesName}`, colour: colours.sample, shape: "dot" },
    { name: `${count(marked.length)} outliers`, colour: colours.outlier, shape: "cross" },
    { name: `${count(wayCount)} trajectories`, colour: colours.trajectory, shape: "line" },
  ];
  const shownLegend = legend.filter((_, i) => [samples, outliers, wayCount > 0][i]);
  const alt = `Scatter plot: ${shownLegend.map(({ name }) => name).join(", ") || "a density"}`;
  return plane(options, view, options.title ? `${options.title}. ${alt}` : alt, shownLegend, [
    dots(inliers.filter(inView(view))),
    Plot.line(ways, { x: "x", y: "y", z: "way", stroke: colours.trajectory, strokeWidth: 0.8, clip: true }),
    crosses(marked.filter(inView(view))),
  ]);
}

function dots(points: readonly [number, number][]): Plot.Markish {
  return pathMark((x, y) => dotPath(points.map(([a, b]) => [x(a), y(b)])), {
    transform: "scale(0.5)",
    fill: "none",
    stroke: colours.sample,
    "stroke-width": points.length < many ? "6.4" : "3.6",
    "stroke-linecap": "round",
    "stroke-opacity": points.length < many ? "0.9" : "0.7",
  });
}

function crosses(points: readonly [number, number][]): Plot.Markish {
  return pathMark(
    (x, y) =>
      crossPath(
        points.map(([a, b]) => [x(a), y(b)]),
        2.5,
      ),
    {
      fill: "none",
      stroke: colours.outlier,
      "stroke-width": "1.4",
    },
  );
}
