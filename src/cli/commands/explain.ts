import { z } from "zod";
import { samplerByName } from "../../diffusion/samplers/index.ts";
import { explainGuidance } from "../../guidance/explain.ts";
import type { Explanation, RangeExplanation } from "../../guidance/explanation.ts";
import { sigmaText } from "../../guidance/explainWords.ts";
import type { EvaluationCount } from "../../guidance/guide.ts";
import { parseGuidance } from "../../guidance/spec.ts";
import { type Sampling, defaultSampling } from "../../models/bundle.ts";
import { explainedModel, plannedVisits } from "../../models/explainModel.ts";
import { openModel } from "../../models/model.ts";
import { checkSampler } from "../../models/sample.ts";
import { count, significant } from "../../report/format.ts";
import { type Io, print, printJson } from "../io.ts";
import { withRuntime } from "../openRuntime.ts";
import { common, positiveNumber, readOptions, settings, stepCount } from "../options.ts";

const explainOptions = {
  model: z.string().optional(),
  sampler: z.string().optional(),
  steps: stepCount.optional(),
  sigmaMin: positiveNumber.optional(),
  sigmaMax: positiveNumber.optional(),
  rho: positiveNumber.optional(),
  schedule: z.string().optional(),
  samplerOption: settings.default({}),
  json: common.json,
};

type Options = z.output<z.ZodObject<typeof explainOptions>>;
type Run = Omit<Sampling, "start">;

/** `fairlead explain SPEC`: what a guidance asks for at each noise level, without computing it. Returns the exit code. */
export async function runExplain(io: Io, spec: string, given: unknown): Promise<number> {
  const options = readOptions(explainOptions, given);
  parseGuidance(spec);
  if (options.sampler !== undefined) samplerByName(options.sampler);
  const { explanation, run } = await explained(io, spec, options);
  if (options.json) printJson(io, { ...explanation, ...(run && { sampling: run }) });
  else for (const line of textOf(explanation, run)) print(io, line);
  return 0;
}

interface Explained {
  readonly explanation: Explanation;
  /** How the run is sampled that it tells of; null: it tells of none. */
  readonly run: Run | null;
}

async function explained(io: Io, spec: string, options: Options): Promise<Explained> {
  const { model: name, samplerOption } = options;
  if (name === undefined) {
    const asked = wanted(options);
    const run = Object.keys(asked).length > 0 ? { ...defaultSampling, ...asked } : null;
    return { explanation: await explainRun(spec, run, samplerOption), run };
  }
  return withRuntime(io, { threads: 1 }, async (runtime) => {
    const model = await openModel(runtime, name);
    try {
      const { start: _, ...sampling } = model.sampling;
      const run = { ...sampling, ...wanted(options) };
      return {
        explanation: await explainRun(
          spec,
          run,
          samplerOption,
          explainedModel(model, await model.resourcesFor(spec)),
        ),
        run,
      };
    } finally {
      await model.dispose();
    }
  });
}

async function explainRun(
  spec: string,
  run: Run | null,
  samplerOptions: Options["samplerOption"],
  model?: ReturnType<typeof explainedModel>,
): Promise<Explanation> {
  const visits = run && (await plannedVisits(run, samplerOptions));
  const explanation = explainGuidance(spec, { model, ...(visits && { visits, sigmas: shownOf(visits) }) });
  if (run) checkSampler({ ...explanation, label: spec }, samplerByName(run.sampler));
  return explanation;
}

/** What the command line says of the sampling. */
function wanted({ sampler, steps, sigmaMin, sigmaMax, rho, schedule }: Options): Partial<Run> {
  const given = Object.entries({ sampler, steps, sigmaMin, sigmaMax, rho, schedule });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** A few noise levels of a run, from its first to its last. */
function shownOf(visits: readonly { readonly sigma: number }[]): number[] {
  const all = [...new Set(visits.map(({ sigma }) => sigma))];
  const few = Math.min(6, all.length);
  const at = Array.from({ length: few }, (_, i) => Math.round((i * (all.length - 1)) / Math.max(1, few - 1)));
  return at.map((i) => all[i]);
}

function textOf(explanation: Explanation, run: Run | null): string[] {
  const { guidance, base, methods, order, ranges, run: total } = explanation;
  const strong = base === "null" ? "the prediction without the condition" : "the network's own prediction";
  return [
    guidance,
    "",
    ...methods.flatMap((one) => [
      `${one.method}${one.weak ? ` (weak prediction: ${one.weak})` : ""}: ${one.summary}`,
      `  acts ${one.acts}${one.strengths ? `; ${strengthText(one.strengths)}` : ""}`,
    ]),
    `strong: ${strong}, which all begin with`,
    "",
    ...ranges.flatMap((range) => [...rangeText(range, total?.steps), ""]),
    "Order:",
    ...order.map((line, i) => `  ${i + 1}. ${line}`),
    ...(run ? ["", runText(explanation, run)] : []),
  ];
}

function rangeText(range: RangeExplanation, steps: number | undefined): string[] {
  const { low, high, cost, atMost, branches, formulas, off, work, run } = range;
  const [from, to] = [low, high].map(sigmaText);
  const where =
    high === Infinity ? (low === 0 ? "At every sigma" : `sigma > ${from}`) : `${from} < sigma <= ${to}`;
  const width = Math.max(
    ...branches.map((one) => one.for.join(", ").length),
    ...formulas.map((one) => one.method.length),
  );
  const line = (name: string, text: string): string => `  ${name.padEnd(width)}  ${text}`;
  return [
    `${where}${range.steps ? `, ${stepsText(range.steps)}` : ""}: ${atMost ? "at most " : ""}${costText(cost)}`,
    ...branches.map((one) => line(one.for.join(", "), [one.network, one.asked].filter(Boolean).join(", "))),
    ...formulas.map(({ method, formula }) => line(method, formula)),
    ...off.map((text) => `  ${text}`),
    ...(work ?? [])
      .filter(({ evaluations }) => Math.abs(evaluations - Math.round(evaluations)) > 0.005)
      .map(
        ({ network, evaluations }) =>
          `  computed together: ${significant(evaluations)} plain evaluations of ${network}`,
      ),
    ...(run ? [`  of the run: ${run.steps} of ${steps} steps, ${costText(run.cost)}`] : []),
  ];
}

function stepsText({ from, to }: { from: number; to: number | null }): string {
  if (to === null) return `from step ${from} on`;
  return from === to ? `step ${from}` : `steps ${from} to ${to}`;
}

function costText({ networks, gradients }: EvaluationCount): string {
  const text = `${count(networks)} network evaluation${networks === 1 ? "" : "s"}`;
  return gradients === 0 ? text : `${text}, ${count(gradients)} gradient${gradients === 1 ? "" : "s"}`;
}

function strengthText(strengths: readonly { readonly sigma: number; readonly strength: number }[]): string {
  return strengths
    .map(({ sigma, strength }) => `${significant(strength)} at sigma ${significant(sigma)}`)
    .join(", ");
}

function runText({ run: total }: Explanation, { sampler, steps, sigmaMin, sigmaMax }: Run): string {
  const head = `A run of ${sampler}, ${steps} steps from sigma ${sigmaMax} to ${sigmaMin}:`;
  if (!total) return `${head} the sampler decides by itself how often it evaluates`;
  const atMost = total.atMost ? "at most " : "";
  return `${head} ${count(total.visits)} evaluations by the sampler, ${atMost}${costText(total.cost)} a sample`;
}
