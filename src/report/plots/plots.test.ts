import { DOMParser } from "linkedom";
import { expect, test } from "vitest";
import { UsageError } from "../../base/errors.ts";
import { philox } from "../../base/philox.ts";
import { tensor } from "../../base/tensor.ts";
import { arrows } from "./arrows.ts";
import { barChart } from "./barChart.ts";
import { densityUnderlay } from "./density.ts";
import { histogram } from "./histogram.ts";
import { lineChart } from "./lineChart.ts";
import { noisingStrip } from "./noisingStrip.ts";
import { scatter } from "./scatter.ts";

const attack = `<script>alert("x")</script>&`;
const view = { centre: [0, 0] as const, halfSize: 2 };
const points = tensor([0, 0, 1, 1, -1, 5], [3, 2]);
const logDensity = ({ data }: { data: ArrayLike<number> }) =>
  Float64Array.from({ length: data.length / 2 }, (_, i) => -(data[2 * i] ** 2 + data[2 * i + 1] ** 2) / 2);

const everyPlot: Record<string, (title: string) => string> = {
  scatter: (title) =>
    scatter({
      title,
      samplesName: title,
      xLabel: title,
      samples: points,
      outliers: [0, 0, 1],
      trajectories: [points, points],
      view,
    }),
  arrows: (title) => arrows({ title, fields: [{ name: title, points, vectors: points }] }),
  lineChart: (title) =>
    lineChart({
      title,
      xLabel: title,
      yLabel: title,
      reference: { y: 1, name: title },
      series: [
        {
          name: title,
          points: [
            { x: 1, y: 2, label: title },
            { x: 2, y: 1 },
          ],
        },
      ],
    }),
  barChart: (title) =>
    barChart({
      title,
      valueLabel: title,
      bars: [{ label: title, value: 3, plusMinus: 1 }],
      reference: { value: 2, name: title },
    }),
  histogram: (title) =>
    histogram({
      title,
      xLabel: title,
      series: [{ name: title, values: [1, 2, 3] }],
      curves: [{ name: title, density: () => 1 }],
    }),
  noisingStrip: (title) =>
    noisingStrip({ title, images: tensor([0, 1], [2, 1, 1, 1]), labels: [title, "t = 999"] }),
};

for (const [name, draw] of Object.entries(everyPlot)) {
  test(`${name} is a well-formed, self-contained SVG whose texts cannot add markup`, () => {
    const text = draw(attack);
    expect(unbalanced(text)).toEqual([]);
    const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    expect(svg.getAttribute("xmlns")).toBe("http://www.w3.org/2000/svg");
    expect(svg.getAttribute("aria-label")).not.toBe("");
    expect(svg.querySelectorAll("script").length).toBe(0);
    expect([...svg.querySelectorAll("text")].some((label) => label.textContent.includes(attack))).toBe(true);
    expect(text).not.toMatch(/NaN|undefined|href="(?!data:)/);
  });
}

/** Elements opened and not closed, or closed and not opened; attributes must be quoted. An XML reader in miniature. */
function unbalanced(text: string): string[] {
  const open: string[] = [];
  const wrong: string[] = [];
  const rest = text.replace(
    /<(\/?)([\w:-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
    (_, end, name: string, __, empty) => {
      if (end) {
        if (open.pop() !== name) wrong.push(name);
      } else if (!empty) open.push(name);
      return "";
    },
  );
  return [...wrong, ...open, ...(rest.match(/[<>]|&(?!(?:amp|lt|gt|quot|#39|#160|nbsp);)/g) ?? [])];
}

/** Absolute places of the dots in a path of half pixels. */
function dotsOf(svg: string): [number, number][] {
  const d = /<path[^>]*stroke-linecap="round"[^>]*>/.exec(
    svg.replace(/<path([^>]*)d="M([^"]*)"/g, '<path$1d="M$2"'),
  );
  const path = / d="([^"]*)"/.exec(d?.[0] ?? "")?.[1] ?? "";
  let [x, y] = [0, 0];
  return [...path.matchAll(/m(-?\d+),?(-?\d+)h0/gi)].map(([, dx, dy]) => {
    [x, y] = [x + Number(dx), y + Number(dy)];
    return [x / 2, y / 2];
  });
}

test("dots stand where their coordinates say, those out of view are left out, and all are counted", () => {
  // A frame of 400 - 52 - 16 = 332 px for 4 units: 83 px a unit, the centre at (52 + 166, 26 + 166).
  const svg = scatter({ samples: points, view, size: 400 });
  expect(dotsOf(svg)).toBeAllClose(
    [
      [301, 109],
      [218, 192],
    ],
    { abs: 1e-9 },
  );
  expect(svg).toContain("3 samples");
});

test("dots on the same half pixel are drawn once, and still counted", () => {
  const samples = tensor([0, 0, 0.001, 0, 1, 0], [3, 2]);
  const svg = scatter({ samples, view, size: 400 });
  expect(dotsOf(svg)).toBeAllClose(
    [
      [218, 192],
      [301, 192],
    ],
    { abs: 1e-9 },
  );
  expect(svg).toContain("3 samples");
});

test("outliers are crosses and not dots, and are counted apart", () => {
  const svg = scatter({ samples: points, outliers: [true, false, true], view, size: 400 });
  expect(dotsOf(svg)).toBeAllClose([[301, 109]], { abs: 1e-9 });
  expect(svg).toContain("1 samples");
  expect(svg).toContain("2 outliers");
  expect(svg).toMatch(/d="M215\.5,189\.5l5,5m0,-5l-5,5"/);
});

test("8,192 samples over a density stay under 120 kB", () => {
  const data = new Float64Array(2 * 8192);
  philox(1, 0).fillNormal(data);
  const svg = scatter({ samples: tensor(data, [8192, 2]), underlay: densityUnderlay(logDensity, view, 200) });
  expect(svg.length).toBeLessThan(120_000);
  expect(dotsOf(svg).length).toBeGreaterThan(6000);
});

test("a density is asked for at the middle of each pixel, the top row first", () => {
  let asked: number[] = [];
  densityUnderlay(
    (x) => {
      asked = Array.from(x.data);
      return logDensity(x);
    },
    { centre: [1, 10], halfSize: 2 },
    2,
  );
  expect(asked).toEqual([0, 11, 2, 11, 0, 9, 2, 9]);
});

test("trajectories are one line a sample through all steps", () => {
  const steps = [4, 3, 2].map((factor) => tensor([factor, 0, 0, factor], [2, 2]));
  const svg = scatter({ trajectories: steps, view: { centre: [0, 0], halfSize: 5 }, size: 400 });
  const lines = [...svg.matchAll(/<path d="(M[^"]*L[^"]*)" \/>/g)].map((match) => match[1].split("L").length);
  expect(lines).toEqual([3, 3]);
  expect(svg).toContain("2 trajectories");
});

test("an arrow's length goes with the root of its vector, its direction with the vector", () => {
  const at = tensor([0, 0, 0, 0], [2, 2]);
  const vectors = tensor([0, 4, 1, 0], [2, 2]);
  const svg = arrows({ fields: [{ name: "score", points: at, vectors }], view, longest: 20 });
  const rotations = [...svg.matchAll(/rotate\((-?[\d.]+)\)/g)].map((match) => Number(match[1]));
  expect(rotations).toEqual([0, 90]); // clockwise from up
  const lengths = [...svg.matchAll(/d="M0,0L0,(-[\d.]+)M/g)].map((match) => Number(match[1]));
  expect(lengths).toBeAllClose([-20, -10], { abs: 0.01 });
});

test("a histogram is a density: its bins sum to the share of values in range", () => {
  const svg = histogram({
    xLabel: "x",
    range: [0, 2],
    bins: 2,
    series: [{ name: "a", values: [0.5, 1.5, 1.6, 2, 7] }],
  });
  const heights = [...svg.matchAll(/<rect height="([\d.]+)" [^>]*y="[\d.]+" x="/g)].map((match) =>
    Number(match[1]),
  );
  // 1 of 5 and 3 of 5 values, in bins of width 1.
  expect(heights[1] / heights[0]).toBeCloseTo(3, 2);
  expect(svg).toContain("a (N = 5)");
});

test("what cannot be drawn is refused in a sentence", () => {
  expect(() => scatter({ samples: tensor([1, 2, 3], [1, 3]) })).toThrow(/shape \[n, 2\], got \[1, 3\]/);
  expect(() => scatter({})).toThrow(UsageError);
  expect(() =>
    lineChart({ xLabel: "w", yLabel: "d", series: [{ name: "a", points: [{ x: 1, y: NaN }] }] }),
  ).toThrow(/no finite point/);
  expect(() =>
    lineChart({ xLabel: "w", yLabel: "d", yScale: "log", series: [{ name: "a", points: [{ x: 1, y: 0 }] }] }),
  ).toThrow(/log scale/);
  expect(() => barChart({ valueLabel: "d", bars: [] })).toThrow(/no finite value/);
  expect(() => histogram({ xLabel: "x", series: [{ name: "a", values: [NaN] }] })).toThrow(/no finite value/);
  expect(() => noisingStrip({ images: tensor([0], [1, 1, 1, 1]), labels: [] })).toThrow(
    /1 images take 1 labels, got 0/,
  );
  expect(() => arrows({ fields: [{ name: "s", points, vectors: tensor([1, 1], [1, 2]) }] })).toThrow(
    /3 points and 1 vectors/,
  );
});
