import { UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Html } from "./escape.ts";
import { markup, trusted } from "./escape.ts";
import { pictureOf } from "./picture.ts";
import { dataUri, encodePng } from "./png.ts";
import type { Column, Table } from "./table.ts";
import { alignment, cellText, headerText, isBest } from "./table.ts";

export type Section = TextSection | TableSection | PicturesSection | FiguresSection | DetailsSection;

interface Headed {
  /** Also stands in the page's list of contents. */
  readonly heading?: string;
}

export interface TextSection extends Headed {
  readonly kind: "text";
  readonly paragraphs: readonly string[];
}

export interface TableSection extends Headed {
  readonly kind: "table";
  readonly table: Table;
  readonly caption?: string;
}

/** Samples side by side: a row a method, a column a seed. */
export interface PicturesSection extends Headed {
  readonly kind: "pictures";
  readonly seeds: readonly number[];
  readonly rows: readonly PictureRow[];
  /** What each column was asked for, such as a class; stands under the seed. */
  readonly labels?: readonly string[];
  readonly caption?: string;
  /** What a marked picture means: "the clean classifier sees another class". */
  readonly markMeans?: string;
}

export interface PictureRow {
  /** The method. */
  readonly name: string;
  /** Stands small under the name: "accuracy 93.8 %, 64 evaluations". */
  readonly note?: string;
  /** [seeds, 1 or 3, h, w] in [-1, 1]. */
  readonly images: Tensor;
  /** For each seed: added to what hovering over the picture shows. */
  readonly titles?: readonly string[];
  /** For each seed: whether the picture is marked. */
  readonly marks?: ArrayLike<boolean | number>;
}

/** SVG figures side by side where there is room. */
export interface FiguresSection extends Headed {
  readonly kind: "figures";
  readonly figures: readonly Figure[];
  readonly caption?: string;
}

export interface Figure {
  /** From this package's plots: it is put into the page as it is. */
  readonly svg: string;
  readonly caption?: string;
}

/** Folded away until the reader asks. */
export interface DetailsSection extends Headed {
  readonly kind: "details";
  readonly summary: string;
  readonly sections: readonly Section[];
}

/**
 * A section as markup, with the id that links point to.
 * Throws UsageError where a row of pictures has not one image a seed.
 */
export function section(content: Section, id: string): Html {
  const heading = content.heading !== undefined && markup`<h2>${content.heading}</h2>`;
  return markup`<section id="${id}">${heading}${body(content, id)}</section>`;
}

function body(content: Section, id: string): Html {
  switch (content.kind) {
    case "text":
      return markup`${content.paragraphs.map((paragraph) => markup`<p>${paragraph}</p>`)}`;
    case "table":
      return markup`${caption(content)}${tableMarkup(content.table, content.heading ?? content.caption ?? "Table")}`;
    case "pictures":
      return markup`${caption(content)}${pictures(content)}`;
    case "figures":
      return markup`${caption(content)}
        <div class="${figuresClass(content.figures)}">${content.figures.map(figureMarkup)}</div>`;
    case "details":
      return markup`<details>
        <summary>${content.summary}</summary>
        ${content.sections.map((inner, i) => section(inner, `${id}-${i + 1}`))}
      </details>`;
  }
}

function caption({ caption: text }: { readonly caption?: string }): Html {
  return markup`${text !== undefined && markup`<p class="caption">${text}</p>`}`;
}

/** Wide charts need wide columns, or their text becomes too small to read. */
function figuresClass(figures: readonly Figure[]): string {
  const widest = Math.max(
    ...figures.map(({ svg }) => Number(/^<svg[^>]*\swidth="(\d+)/.exec(svg)?.[1] ?? 0)),
  );
  return widest > 500 ? "figures wide" : "figures";
}

function figureMarkup({ svg, caption: text }: Figure): Html {
  const below = text !== undefined && markup`<figcaption>${text}</figcaption>`;
  return markup`<figure>${trusted(svg)}${below}</figure>`;
}

function tableMarkup(table: Table, name: string): Html {
  const header = table.columns.map(
    (column, i) => markup`<th scope="col" class="${alignment(table, i)}">${headerCell(column)}</th>`,
  );
  const rows = table.rows.map(
    (_, r) => markup`<tr>${table.columns.map((column, i) => bodyCell(table, r, column, i))}</tr>\n`,
  );
  const notes =
    table.notes?.length &&
    markup`<ul class="notes">${table.notes.map((note) => markup`<li>${note}</li>`)}</ul>`;
  return markup`<div class="scroll" tabindex="0" role="region" aria-label="${name}">
      <table class="data">
        <thead>
          <tr>${header}</tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    ${notes || null}`;
}

function headerCell(column: Column): Html {
  const unit = column.unit !== undefined && markup` <span class="unit">${column.unit}</span>`;
  const better = column.better && markup`<span class="hidden"> (${column.better} is better)</span>`;
  return markup`${headerText(column)}${better}${unit}`;
}

function bodyCell(table: Table, r: number, column: Column, i: number): Html {
  const text = cellText(table.rows[r][i], column);
  if (i === 0) return markup`<th scope="row" class="${alignment(table, i)}">${text}</th>`;
  return markup`<td class="${alignment(table, i)}">${isBest(table, r, i) ? markup`<strong>${text}</strong>` : text}</td>`;
}

function pictures({ heading, seeds, labels, rows, markMeans }: PicturesSection): Html {
  const columns = seeds.map(
    (seed, i) =>
      markup`<th scope="col">${seed}${labels && markup`<span class="unit">${labels[i]}</span>`}</th>`,
  );
  const hasMarks =
    markMeans !== undefined && rows.some(({ marks }) => marks && Array.from(marks).some(Boolean));
  return markup`<div class="tools">
      <label class="zoom" hidden>Picture size <input type="range" min="28" max="128" step="4" value="48"></label>
      ${hasMarks && markup`<span class="legend"><span class="mark" aria-hidden="true"></span> ${markMeans}</span>`}
    </div>
    <div class="scroll" tabindex="0" role="region" aria-label="${heading ?? "Samples"}">
      <table class="pictures">
        <thead>
          <tr><th scope="col" class="left">seed</th>${columns}</tr>
        </thead>
        <tbody>
          ${rows.map((row) => pictureRow(row, seeds, labels, markMeans))}
        </tbody>
      </table>
    </div>`;
}

/** A guidance spec that may be broken into lines after its punctuation. */
function breakable(name: string): Html {
  const [first, ...rest] = name.split(/(?<=[:+])/);
  return markup`${first}${rest.map((part) => markup`<wbr>${part}`)}`;
}

function pictureRow(
  { name, note, images, titles, marks }: PictureRow,
  seeds: readonly number[],
  labels: readonly string[] | undefined,
  markMeans: string | undefined,
): Html {
  if (images.shape[0] !== seeds.length) {
    throw new UsageError(
      `the row "${name}" has ${images.shape[0]} pictures for ${seeds.length} seeds; each seed takes one`,
    );
  }
  const cells = seeds.map((seed, i) => {
    const picture = pictureOf(images, i);
    const marked = Boolean(marks?.[i]);
    const words = [name, `seed ${seed}`, labels?.[i], titles?.[i], marked ? markMeans : undefined];
    const title = words.filter((word) => word !== undefined && word !== "").join(" · ");
    return markup`<td${marked && trusted(' class="marked"')}><img src="${dataUri(encodePng(picture))}" width="${picture.width}" height="${picture.height}" alt="${title}" title="${title}"></td>`;
  });
  const small = note !== undefined && markup`<span class="unit">${note}</span>`;
  return markup`<tr><th scope="row" class="left">${breakable(name)}${small}</th>${cells}</tr>\n`;
}
