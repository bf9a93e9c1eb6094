import * as Plot from "@observablehq/plot";
import { UsageError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { Underlay, View } from "./density.ts";
import type { LegendEntry } from "./figure.ts";
import { figure } from "./figure.ts";
import { colours } from "./palette.ts";

/** What all pictures of the plane share. */
export interface PlaneOptions {
  /** What lies under everything: `densityUnderlay` or `signedUnderlay`. Default: white. */
  readonly underlay?: Underlay;
  /** What is shown. Default: what the underlay covers; without one, all points with a margin of 5 %. */
  readonly view?: View;
  /** Edge of the picture in pixels. Default 400. */
  readonly size?: number;
  readonly title?: string;
  /** Defaults "x₁" and "x₂": the toy's axes have no unit. */
  readonly xLabel?: string;
  readonly yLabel?: string;
}

/** A square picture of the plane: underlay, then the marks, then the frame. */
export function plane(
  options: PlaneOptions,
  view: View,
  alt: string,
  legend: readonly LegendEntry[],
  marks: readonly Plot.Markish[],
): string {
  const { size = 400, title, xLabel = "x₁", yLabel = "x₂", underlay } = options;
  const { centre, halfSize } = view;
  const margins = { marginTop: 26, marginRight: 16, marginBottom: 46, marginLeft: 52 };
  const edge = size - margins.marginLeft - margins.marginRight;
  return figure(
    { alt, title, legend, width: size, height: edge + margins.marginTop + margins.marginBottom },
    {
      ...margins,
      x: {
        domain: [centre[0] - halfSize, centre[0] + halfSize],
        label: xLabel,
        labelAnchor: "center",
        labelOffset: 36,
        labelArrow: "none",
        ticks: 6,
      },
      y: {
        domain: [centre[1] - halfSize, centre[1] + halfSize],
        label: yLabel,
        labelArrow: "none",
        ticks: 6,
      },
      length: { type: "identity" },
      marks: [
        underlay ? image(underlay, edge / (2 * halfSize)) : null,
        ...marks,
        Plot.frame({ stroke: colours.muted }),
      ],
    },
  );
}

/** The view asked for, else the underlay's, else the smallest that holds all points, with a margin of 5 % of its size. */
export function viewOf({ view, underlay }: PlaneOptions, points: readonly Tensor[]): View {
  if (view) return view;
  if (underlay) return underlay.view;

  const least = [Infinity, Infinity];
  const most = [-Infinity, -Infinity];
  for (const { data } of points) {
    for (let i = 0; i < data.length; i++) {
      least[i % 2] = Math.min(least[i % 2], data[i]);
      most[i % 2] = Math.max(most[i % 2], data[i]);
    }
  }
  const reach = Math.max(most[0] - least[0], most[1] - least[1]) / 2;
  if (!Number.isFinite(reach))
    throw new UsageError("a picture of the plane needs a view, or finite points to find one");
  return {
    centre: [(least[0] + most[0]) / 2, (least[1] + most[1]) / 2],
    halfSize: reach > 0 ? 1.1 * reach : 1,
  };
}

/** The rows of [n, 2] as pairs. Throws UsageError for another shape. */
export function pairs({ data, shape }: Tensor): [number, number][] {
  if (shape.length !== 2 || shape[1] !== 2) {
    throw new UsageError(`a picture of the plane takes points of shape [n, 2], got [${shape.join(", ")}]`);
  }
  return Array.from({ length: shape[0] }, (_, i) => [data[2 * i], data[2 * i + 1]]);
}

/** Whether a point lies in the view. */
export function inView({ centre, halfSize }: View): (point: readonly [number, number]) => boolean {
  return ([x, y]) => Math.abs(x - centre[0]) <= halfSize && Math.abs(y - centre[1]) <= halfSize;
}

function image({ uri, view: { centre, halfSize } }: Underlay, pixelsPerUnit: number): Plot.Markish {
  const edge = 2 * halfSize * pixelsPerUnit;
  return Plot.image([centre], {
    x: centre[0],
    y: centre[1],
    width: edge,
    height: edge,
    src: uri,
    preserveAspectRatio: "none",
    clip: true,
  });
}
