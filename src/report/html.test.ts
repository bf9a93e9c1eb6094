import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { tensor } from "../base/tensor.ts";
import { escape, markup, trusted } from "./escape.ts";
import { htmlReport } from "./html.ts";
import type { Section } from "./htmlSections.ts";
import { decodePng } from "./png.ts";
import type { Table } from "./table.ts";

const attack = `"><script>alert('x')</script><img src=x onerror=alert(1)> & co`;

function parse(sections: readonly Section[], title = "A report") {
  const text = htmlReport({ title, sections, recipe: { command: "fairlead compare", seeds: [0, 1] } });
  return { text, document: parseHTML(text).document };
}

const table: Table = {
  columns: [
    { title: "guidance" },
    { title: "recall", unit: "N = 8,192", decimals: 3, better: "higher" },
    { title: "evaluations" },
  ],
  rows: [
    ["none", 0.927, 63],
    ["cfg:4", 0.48, null],
  ],
  notes: ["Measured on the tree."],
};

test("a template escapes text and lists of text, keeps markup, and leaves nothing for what is absent", () => {
  expect(markup`<p title="${`"'`}">${["<b>", markup`<i>`]}${null}${undefined}${false}${7}</p>`.markup).toBe(
    '<p title="&quot;&#39;">&lt;b&gt;<i>7</p>',
  );
  expect(markup`${trusted("<svg/>")}`.markup).toBe("<svg/>");
  expect(escape(`<>&"'`)).toBe("&lt;&gt;&amp;&quot;&#39;");
});

test("no text from outside becomes markup, wherever it stands", () => {
  const images = tensor(new Float32Array(4), [1, 1, 2, 2]);
  const sections: Section[] = [
    { kind: "text", heading: attack, paragraphs: [attack] },
    {
      kind: "table",
      heading: attack,
      caption: attack,
      table: { columns: [{ title: attack, unit: attack }], rows: [[attack]], notes: [attack] },
    },
    {
      kind: "pictures",
      heading: attack,
      caption: attack,
      seeds: [0],
      labels: [attack],
      markMeans: attack,
      rows: [{ name: attack, note: attack, images, titles: [attack], marks: [true] }],
    },
    { kind: "figures", figures: [{ svg: "<svg></svg>", caption: attack }] },
    { kind: "details", summary: attack, sections: [] },
  ];
  const text = htmlReport({
    title: attack,
    subtitle: attack,
    sections,
    recipe: { command: attack, [attack]: attack },
  });
  const { document } = parseHTML(text);
  const [data, zoom, ...others] = [...document.querySelectorAll("script")];
  expect(others).toEqual([]);
  expect(zoom.textContent).not.toContain("alert");
  expect(JSON.parse(data.textContent)).toEqual({ command: attack, [attack]: attack });
  expect(document.querySelectorAll("[onerror], img:not([alt])").length).toBe(0);
  expect(document.querySelector("h1").textContent).toBe(attack);
  expect(document.querySelector("table.pictures img").getAttribute("title")).toContain(attack);
  expect(text.match(/<script>alert/g)).toBeNull();
});

test("every cell, title, unit and note of a table is on the page, and the best cell stands out", () => {
  const { document } = parse([{ kind: "table", table }]);
  const rows = [...document.querySelectorAll("tbody tr")].map((row) =>
    [...row.children].map((c) => c.textContent),
  );
  expect(rows).toEqual([
    ["none", "0.927", "63"],
    ["cfg:4", "0.480", "–"],
  ]);
  expect([...document.querySelectorAll("strong")].map((cell) => cell.textContent)).toEqual(["0.927"]);
  expect(document.querySelector("thead").textContent).toMatch(
    /guidance.*recall ↑.*higher is better.*N = 8,192/s,
  );
  expect(document.querySelectorAll('thead th[scope="col"]').length).toBe(3);
  expect(document.querySelectorAll('tbody th[scope="row"]').length).toBe(2);
  expect(document.querySelector(".notes").textContent).toBe("Measured on the tree.");
});

test("pictures stand in rows of methods and columns of seeds, pixels unchanged, with words for method, seed and label", () => {
  const images = tensor([-1, 1, 0, 0], [2, 1, 1, 2]);
  const { document } = parse([
    {
      kind: "pictures",
      seeds: [7, 9],
      labels: ["Bag", "Coat"],
      markMeans: "seen as another class",
      rows: [
        { name: "none", images },
        { name: "cfg:4", images, titles: ["seen as Bag", "seen as Shirt"], marks: [0, 1] },
      ],
    },
  ]);
  const pictures = [...document.querySelectorAll("table.pictures img")];
  expect(pictures.map((picture) => picture.getAttribute("title"))).toEqual([
    "none · seed 7 · Bag",
    "none · seed 9 · Coat",
    "cfg:4 · seed 7 · Bag · seen as Bag",
    "cfg:4 · seed 9 · Coat · seen as Shirt · seen as another class",
  ]);
  expect(pictures.map((picture) => picture.parentElement.className)).toEqual(["", "", "", "marked"]);
  const pixels = pictures.map((picture) => {
    const base64 = picture.getAttribute("src").replace("data:image/png;base64,", "");
    return Array.from(decodePng(Buffer.from(base64, "base64")).data);
  });
  expect(pixels.slice(0, 2)).toEqual([
    [0, 255],
    [128, 128],
  ]);
});

test("a row with another number of pictures than seeds is refused by its name", () => {
  const images = tensor([0, 0], [2, 1, 1, 1]);
  const bad: Section = { kind: "pictures", seeds: [1], rows: [{ name: "pag", images }] };
  expect(() => parse([bad])).toThrow(UsageError);
  expect(() => parse([bad])).toThrow(/"pag" has 2 pictures for 1 seeds/);
});

test("a page refers to nothing outside itself, and carries scripts only where pictures can be resized", () => {
  const { text, document } = parse([{ kind: "table", table }]);
  expect(text).not.toMatch(/(src|href)="(?!data:|#)|url\(|@import|https?:/);
  expect(document.querySelectorAll("script:not([type='application/json'])").length).toBe(0);
});

test("contents link to the sections they name, sections in details included in the page", () => {
  const paragraphs = ["text"];
  const { document } = parse([
    { kind: "text", heading: "One", paragraphs },
    { kind: "text", paragraphs },
    { kind: "text", heading: "Two", paragraphs },
    { kind: "details", heading: "Three", summary: "more", sections: [{ kind: "table", table }] },
  ]);
  const links = [...document.querySelectorAll("nav a")];
  expect(links.map((link) => link.textContent)).toEqual(["One", "Two", "Three"]);
  for (const link of links) {
    const target = document.getElementById(link.getAttribute("href").slice(1));
    expect(target.querySelector("h2").textContent).toBe(link.textContent);
  }
  expect(document.querySelectorAll("details table.data").length).toBe(1);
});
