import * as Plot from "@observablehq/plot";
import { UsageError } from "../../base/errors.ts";
import { significant } from "../format.ts";
import { figure } from "./figure.ts";
import { colours, seriesColour } from "./palette.ts";

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Half the width of an interval drawn around the value, in its unit. Default: none. */
  readonly plusMinus?: number;
}

export interface BarChartOptions {
  /** From top to bottom. Labels differ. */
  readonly bars: readonly Bar[];
  /** With its unit. */
  readonly valueLabel: string;
  readonly title?: string;
  /** A dashed line, such as the value without guidance. */
  readonly reference?: { readonly value: number; readonly name: string };
  readonly width?: number;
}

/** Horizontal bars from 0 with their values written beside them, as an SVG. Throws UsageError where no value is finite. */
export function barChart({ bars, valueLabel, title, reference, width = 640 }: BarChartOptions): string {
  const shown = bars.filter(({ value }) => Number.isFinite(value));
  if (shown.length === 0) throw new UsageError(`the chart of ${valueLabel} has no finite value`);
  const longest = Math.max(...shown.map(({ label }) => Array.from(label).length));
  const margin = Math.min(width / 2, 20 + 6.8 * longest);
  const legend = reference ? [{ name: reference.name, colour: colours.muted, shape: "dashed" as const }] : [];
  const alt = `Bar chart of ${valueLabel}: ${shown.map(({ label, value }) => `${label} ${significant(value)}`).join(", ")}`;
  const spread = shown.filter(({ plusMinus }) => plusMinus !== undefined);
  return figure(
    { alt, width, height: 62 + 30 * shown.length, title, legend },
    {
      marginTop: 10,
      marginLeft: margin,
      marginRight: 70,
      x: {
        label: valueLabel,
        labelAnchor: "center",
        labelOffset: 38,
        labelArrow: "none",
        grid: true,
        nice: true,
        zero: true,
      },
      y: { domain: shown.map(({ label }) => label), label: null, padding: 0.35, tickSize: 0 },
      marks: [
        Plot.barX(shown, { x: "value", y: "label", fill: seriesColour(0) }),
        Plot.ruleY(spread, {
          y: "label",
          x1: ({ value, plusMinus = 0 }: Bar) => value - plusMinus,
          x2: ({ value, plusMinus = 0 }: Bar) => value + plusMinus,
          stroke: colours.ink,
        }),
        Plot.ruleX([0], { stroke: colours.muted }),
        reference
          ? Plot.ruleX([reference.value], { stroke: colours.muted, strokeWidth: 1.5, strokeDasharray: "4,3" })
          : null,
        Plot.text(shown, {
          x: ({ value, plusMinus = 0 }: Bar) => Math.max(0, value + plusMinus),
          y: "label",
          text: ({ value }: Bar) => significant(value),
          textAnchor: "start",
          dx: 6,
          stroke: "white",
          strokeWidth: 3,
          fill: colours.ink,
        }),
      ],
    },
  );
}
