import { type Tensor, rows } from "../base/tensor.ts";
import { type Figure, type Section, arrows, densityUnderlay, htmlReport, scatter } from "../report/index.ts";
import { PLANE_VIEW } from "./compareModel.ts";
import type { Comparison, MethodResult, ModelComparison, ScoreField } from "./comparison.ts";
import { cardTable, methodTable } from "./tables.ts";

/** The whole tree and a close-up of a branch's end: the views of the autoguidance paper's figures. */
const VIEWS = [
  { name: "whole", view: PLANE_VIEW, pixels: 280 },
  { name: "close-up", view: { centre: [0.45, 1.22] as const, halfSize: 0.3 }, pixels: 200 },
];

/** A comparison as one self-contained page. */
export function comparisonPage(comparison: Comparison): string {
  const names = comparison.models.map(({ model }) => model).join(", ");
  return htmlReport({
    title: `Guidance compared: ${names}`,
    subtitle:
      "The same seeds under each way of guiding. A guided sample starts from the same noise as the unguided one beside it.",
    sections: comparison.models.flatMap(modelSections),
    recipe: {
      command: comparison.command,
      versions: comparison.versions,
      models: comparison.models.map(({ model, sampler, steps, seeds, label, matching }) => ({
        model,
        sampler,
        steps,
        seeds,
        label,
        ...(matching && { matching }),
      })),
    },
  });
}

function modelSections(model: ModelComparison): Section[] {
  const table: Section = {
    kind: "table",
    heading: model.model,
    table: methodTable(model),
    caption: model.description,
  };
  const card = cardTable(model);
  const cardSection: Section[] = card
    ? [{ kind: "table", heading: `${model.model}: measured with many samples`, table: card }]
    : [];
  return model.kind === "plane"
    ? [table, ...planeSections(model)]
    : [table, ...imageSections(model), ...cardSection];
}

function imageSections(model: ModelComparison): Section[] {
  const shown = model.methods.filter((method) => method.x !== undefined);
  const [first] = shown;
  if (!first) return [];
  const labels = first.labels?.map((label) => model.classes[label] ?? String(label));
  return [
    {
      kind: "pictures",
      heading: `${model.model}: the same seeds`,
      seeds: model.seeds,
      ...(labels && { labels }),
      rows: shown.map(({ guidance, x, metrics, evaluations }) => ({
        name: guidance,
        note: [
          metrics?.accuracy !== undefined && `accuracy ${metrics.accuracy.toFixed(3)}`,
          evaluations && `${evaluations.networks + evaluations.gradients} evaluations`,
        ]
          .filter(Boolean)
          .join(", "),
        images: x!,
        titles: model.seeds.map((seed, i) => `${guidance}, seed ${seed}${labels ? `, ${labels[i]}` : ""}`),
      })),
      caption: "A column is a seed, a row a way of guiding.",
    },
  ];
}

function planeSections(model: ModelComparison): Section[] {
  const shown = model.methods.filter((method) => method.x !== undefined);
  const [whole, close] = VIEWS.map(({ view, pixels }) => densityUnderlay(model.logDensity!, view, pixels));
  const figure = (method: MethodResult, underlay: typeof whole, title: string): Figure => ({
    svg: scatter({ samples: method.x, outliers: method.outliers, underlay, title, size: 400 }),
  });
  const ways = (method: MethodResult): Figure => ({
    svg: scatter({
      samples: firstRows(method.x!, method.trajectories![0].shape[0]),
      samplesName: "ends",
      trajectories: method.trajectories!.slice(waysFrom(method)),
      underlay: whole,
      title: method.guidance,
      size: 400,
    }),
  });
  return [
    {
      kind: "figures",
      heading: `${model.model}: samples over the exact density`,
      figures: shown.map((method) => figure(method, whole, method.guidance)),
      caption: "Crosses are outliers: samples where the true density is below its own 1 % quantile.",
    },
    {
      kind: "figures",
      heading: `${model.model}: a branch, close up`,
      figures: shown.map((method) => figure(method, close, method.guidance)),
    },
    {
      kind: "figures",
      heading: `${model.model}: the ways samples take`,
      figures: shown.map(ways),
      caption:
        "The same starting points under each method, from the noise level where they enter the picture.",
    },
    ...(model.scores ? [scoreSection(model.model, model.scores)] : []),
  ];
}

function scoreSection(model: string, { sigma, points, exact, network }: ScoreField): Section {
  const fields = [
    { name: "exact score", points, vectors: exact },
    { name: "the trained network's", points, vectors: network },
  ];
  return {
    kind: "figures",
    heading: `${model}: the score, exact and learned`,
    figures: [{ svg: arrows({ fields, view: PLANE_VIEW, title: `sigma = ${sigma}`, size: 520 }) }],
    caption:
      "The gradient of the log density of noised data, (D - x) / sigma². Where both arrows agree, one covers the other.",
  };
}

function firstRows(x: Tensor, count: number): Tensor {
  return rows(x, 0, Math.min(count, x.shape[0]));
}

/** The first steps happen far outside the picture: the last two thirds are drawn. */
function waysFrom({ trajectories }: MethodResult): number {
  return Math.floor((trajectories?.length ?? 0) / 3);
}
