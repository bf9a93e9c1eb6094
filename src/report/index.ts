/** Pictures, plots, tables, progress lines and pages. */
export { escape } from "./escape.ts";
export { bytes, count, duration, fixed, percent, rate, significant } from "./format.ts";
export { grid } from "./grid.ts";
export type { GridOptions } from "./grid.ts";
export { htmlReport } from "./html.ts";
export type { ReportOptions } from "./html.ts";
export type {
  DetailsSection,
  Figure,
  FiguresSection,
  PictureRow,
  PicturesSection,
  Section,
  TableSection,
  TextSection,
} from "./htmlSections.ts";
export { pictureOf } from "./picture.ts";
export type { Picture } from "./picture.ts";
export { arrows } from "./plots/arrows.ts";
export type { ArrowField, ArrowOptions } from "./plots/arrows.ts";
export { barChart } from "./plots/barChart.ts";
export type { Bar, BarChartOptions } from "./plots/barChart.ts";
export { densityLevels, densityPalette, densityUnderlay, signedUnderlay } from "./plots/density.ts";
export type { Field, Rgb, Underlay, View } from "./plots/density.ts";
export { histogram } from "./plots/histogram.ts";
export type { HistogramOptions } from "./plots/histogram.ts";
export { lineChart } from "./plots/lineChart.ts";
export type { LineChartOptions, LinePoint, LineSeries } from "./plots/lineChart.ts";
export { noisingStrip } from "./plots/noisingStrip.ts";
export type { StripOptions } from "./plots/noisingStrip.ts";
export type { PlaneOptions } from "./plots/plane.ts";
export { scatter } from "./plots/scatter.ts";
export type { ScatterOptions } from "./plots/scatter.ts";
export { dataUri, decodePng, encodeIndexedPng, encodePng, readRecipe, recipeKey, writePng } from "./png.ts";
export type { Recipe } from "./png.ts";
export { createProgress } from "./progress.ts";
export type { Progress, ProgressOptions, TextStream } from "./progress.ts";
export { markdownTable, terminalTable } from "./table.ts";
export type { Cell, Column, Table } from "./table.ts";
export { withPreviews } from "./trainingPreview.ts";
