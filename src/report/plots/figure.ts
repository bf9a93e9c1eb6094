import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Html } from "../escape.ts";
import { markup, trusted } from "../escape.ts";
import { colours } from "./palette.ts";

export interface FigureOptions {
  /** What the picture shows, in words, for people who cannot see it. */
  readonly alt: string;
  /** Pixels, the frame with its axes; title and legend add to the height. */
  readonly width: number;
  readonly height: number;
  /** A heading above the frame. Default: none. */
  readonly title?: string;
  /** Names and colours explained in rows above the frame. Default: none. */
  readonly legend?: readonly LegendEntry[];
}

export interface LegendEntry {
  readonly name: string;
  readonly colour: string;
  readonly shape: "dot" | "line" | "dashed" | "cross";
}

const side = 12;
const titleHeight = 24;
const rowHeight = 20;

/**
 * A plot as the text of a self-contained SVG file: white background, title and legend above, numbers to 0.01 px.
 * Text is escaped on the way: no label can add markup.
 */
export function figure(options: FigureOptions, plot: Plot.PlotOptions): string {
  const { width, height } = options;
  const { document } = parseHTML("<html></html>");
  const drawing = Plot.plot({
    document,
    width,
    height,
    marginTop: 26,
    marginRight: 20,
    marginBottom: 48,
    marginLeft: 60,
    ...plot,
  });
  drawing.querySelector("style")?.remove();
  return page(options, trusted(roundNumbers(drawing.innerHTML)));
}

/** An SVG file of given contents, `width` x `height` pixels below title and legend. */
export function page(options: FigureOptions, contents: Html): string {
  const { alt, width, height, title, legend = [] } = options;
  const rows = legendRows(legend, width - 2 * side);
  const legendTop = title === undefined ? 0 : titleHeight;
  const top = legendTop + rows.length * rowHeight;
  const total = height + top;
  const heading =
    title !== undefined && markup`<text x="${side}" y="19" font-size="14" font-weight="600">${title}</text>`;
  return markup`<svg
    xmlns="http://www.w3.org/2000/svg"
    role="img"
    aria-label="${alt}"
    width="${width}"
    height="${total}"
    viewBox="0 0 ${width} ${total}"
    style="max-width:100%;height:auto"
    font-family="system-ui, sans-serif"
    font-size="12"
    fill="${colours.ink}"
  >
    <rect width="${width}" height="${total}" fill="white" />
    ${heading}${rows.map((row, r) => legendRow(row, legendTop + r * rowHeight + 14))}
    <g text-anchor="middle" transform="translate(0,${top})" color="${colours.ink}">${contents}</g>
  </svg>`.markup;
}

/**
 * A Plot mark that is one path, for thousands of shapes in little text.
 *
 * @param build the path's `d`, from scales that take data to pixels
 */
export function pathMark(
  build: (x: (value: number) => number, y: (value: number) => number) => string,
  attributes: Readonly<Record<string, string>>,
): Plot.Markish {
  const render: Plot.RenderFunction = (_index, scales, _values, _dimensions, context) => {
    const path = context.document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", build(numeric(scales.x), numeric(scales.y)));
    for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, value);
    return path;
  };
  return render;
}

interface PlacedEntry extends LegendEntry {
  readonly x: number;
}

/** Entries from left to right, a new row where the width is used up. Widths of letters are estimated. */
function legendRows(entries: readonly LegendEntry[], width: number): PlacedEntry[][] {
  const rows: PlacedEntry[][] = [];
  let x = Infinity;
  for (const entry of entries) {
    const entryWidth = 24 + 6.6 * Array.from(entry.name).length + 16;
    if (x + entryWidth - 16 > width) {
      rows.push([]);
      x = 0;
    }
    rows[rows.length - 1].push({ ...entry, x: side + x });
    x += entryWidth;
  }
  return rows;
}

function legendRow(row: readonly PlacedEntry[], y: number): Html {
  return markup`${row.map(
    (entry) => markup`${swatch(entry, y - 4)}<text x="${entry.x + 24}" y="${y}">${entry.name}</text>`,
  )}`;
}

function swatch({ shape, colour, x }: PlacedEntry, y: number): Html {
  const middle = x + 9;
  switch (shape) {
    case "dot":
      return markup`<circle cx="${middle}" cy="${y}" r="3.5" fill="${colour}" />`;
    case "cross":
      return markup`<path
        d="M${middle - 3.5},${y - 3.5}l7,7m0,-7l-7,7"
        stroke="${colour}"
        stroke-width="1.8"
      />`;
    case "line":
      return markup`<path d="M${x},${y}h18" stroke="${colour}" stroke-width="2" />`;
    case "dashed":
      return markup`<path d="M${x},${y}h18" stroke="${colour}" stroke-width="2" stroke-dasharray="4,3" />`;
  }
}

function numeric(scale: unknown): (value: number) => number {
  if (typeof scale !== "function") throw new TypeError("a path mark needs x and y scales");
  return (value) => Number(scale(value));
}

/** Coordinates in attributes to 0.01 px; text and data stay as they are. */
function roundNumbers(markup: string): string {
  return markup.replace(/ (?:d|transform|[cr]?[xy][12]?|width|height)="[^"]*"/g, (attribute) =>
    attribute.replace(/-?\d+\.\d{3,}(?:e-?\d+)?/g, (number) => String(Number(Number(number).toFixed(2)))),
  );
}
