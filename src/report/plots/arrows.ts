import * as Plot from "@observablehq/plot";
import { UsageError } from "../../base/errors.ts";
import type { Tensor } from "../../base/tensor.ts";
import { seriesColour } from "./palette.ts";
import type { PlaneOptions } from "./plane.ts";
import { pairs, plane, viewOf } from "./plane.ts";

export interface ArrowField {
  /** What the legend says: "exact score", "trained network". */
  readonly name: string;
  /** Where the arrows start, [n, 2]. */
  readonly points: Tensor;
  /** Where they point, [n, 2]. */
  readonly vectors: Tensor;
}

export interface ArrowOptions extends PlaneOptions {
  /** One colour each, drawn in this order, each thinner than the one before, so that equal arrows show both. */
  readonly fields: readonly ArrowField[];
  /** Length in pixels of the longest arrow of all fields. Default 26. */
  readonly longest?: number;
}

/**
 * Arrows on the plane, such as scores, as an SVG. An arrow's length is
 *
 *   longest * sqrt(|vector| / largest |vector| of all fields)
 *
 * The root keeps arrows near the modes visible: a score grows with the distance from them.
 * Throws UsageError where points and vectors are not both [n, 2].
 */
export function arrows(options: ArrowOptions): string {
  const { fields, longest = 26 } = options;
  const arrowsOf = fields.map(({ name, points, vectors }) => {
    const starts = pairs(points);
    const ends = pairs(vectors);
    if (starts.length !== ends.length) {
      throw new UsageError(
        `"${name}" has ${starts.length} points and ${ends.length} vectors; each point takes one`,
      );
    }
    return starts.map(([x, y], i) => {
      const [u, v] = ends[i];
      return { x, y, size: Math.hypot(u, v), degrees: (Math.atan2(u, v) * 180) / Math.PI };
    });
  });
  const largest = arrowsOf.flat().reduce((most, { size }) => Math.max(most, size), 0);

  const legend = fields.map(({ name }, i) => ({ name, colour: seriesColour(i), shape: "line" as const }));
  const alt = `Arrows on the plane: ${fields.map(({ name }) => name).join(", ")}`;
  return plane(
    options,
    viewOf(
      options,
      fields.map(({ points }) => points),
    ),
    alt,
    legend,
    arrowsOf.map((list, i) =>
      Plot.vector(list, {
        x: "x",
        y: "y",
        rotate: "degrees",
        length: ({ size }: { size: number }) => (largest > 0 ? longest * Math.sqrt(size / largest) : 0),
        anchor: "start",
        stroke: seriesColour(i),
        strokeWidth: 1.2 + 1.6 * (fields.length - 1 - i),
        clip: true,
      }),
    ),
  );
}
