import type { Labels } from "../diffusion/denoiser.ts";
import { sameWanted } from "./ask.ts";
import type { Asked, AskedPrediction } from "./asked.ts";
import { branchWords, formulaOf, intervalWords } from "./explainWords.ts";
import type { RangeExplanation } from "./explanation.ts";
import { type Interval, inInterval } from "./interval.ts";
import type { Method } from "./method.ts";
import type { MethodSpec } from "./methods.ts";
import type { ExplainedModel } from "./standIn.ts";

/** A method of the expression, and its place in the guidance that was built. */
export interface Part {
  readonly spec: MethodSpec;
  readonly method: Method;
  /** For people; with a number where it stands twice. */
  readonly name: string;
  readonly index: number;
}

/** What a range is described with. */
export interface Setting {
  readonly parts: readonly Part[];
  readonly model: ExplainedModel;
  readonly condition: Labels | null;
  readonly rows: number;
  readonly sigma: number;
}

/** What is asked for at a noise level, in words and numbers. */
export function describe(
  asked: Asked<Labels>,
  { parts, model, condition, rows, sigma }: Setting,
): Omit<RangeExplanation, "low" | "high" | "steps" | "run"> {
  const active = parts.filter((part) => acts(part, asked));
  const branches: { first: AskedPrediction<Labels>; for: string[] }[] = [];
  for (const one of asked.predictions) {
    const known = branches.find(({ first }) => !one.degraded && !first.degraded && sameWanted(first, one));
    const purpose = purposeOf(one, parts);
    if (known) known.for.push(purpose);
    else branches.push({ first: one, for: [purpose] });
  }
  const work = workOf(asked, model, parts, rows);
  return {
    cost: asked.cost,
    atMost: asked.atMost,
    branches: branches.map(({ first, for: wantedFor }) => ({
      for: wantedFor,
      network: networkName(first, model, parts),
      asked: [
        branchWords(first.branch, condition),
        first.degraded && "of a sample made from what it is compared with",
      ]
        .filter(Boolean)
        .join(", "),
    })),
    formulas: [...formulasOf(active)],
    off: parts.filter((part) => !acts(part, asked)).map((part) => whyOff(part, sigma)),
    ...(work.length > 0 && { work }),
  };
}

const lists = { weak: "terms", push: "pushes", adjust: "adjusts", condition: "changes" } as const;

function acts({ method, index }: Part, asked: Asked<Labels>): boolean {
  if (method.role === "weak") return asked.terms.some((term) => term.index === index);
  return method.role !== "combine" && asked[lists[method.role] as "pushes"].includes(index);
}

function purposeOf({ role, term }: AskedPrediction<Labels>, parts: readonly Part[]): string {
  if (role === "strong") return "strong";
  const part = parts.find(({ method, index }) => method.role === "weak" && index === term)!;
  return role === "weak" ? `weak of ${part.name}` : `what ${part.name} compares it with`;
}

function whyOff({ spec, method, name }: Part, sigma: number): string {
  const interval = spec.interval as Interval | undefined;
  if (interval && !inInterval(sigma, interval)) return `${name} acts ${intervalWords(interval)}`;
  if (method.role === "condition") return `${name} leaves the condition as it is`;
  if (method.role === "adjust") return `${name} compares with the strong prediction, and nothing guides here`;
  return `${name} is off: its ${method.strength} is ${String(method.off)} here`;
}

/** The formulas of what acts, and, where several move the prediction, how they come together. */
function* formulasOf(active: readonly Part[]): Generator<{ method: string; formula: string }> {
  const moving = active.filter(({ method }) => method.role === "weak" || method.role === "push");
  if (moving.length === 0) yield { method: "strong", formula: "D = strong" };
  for (const { name, spec } of moving) yield { method: name, formula: formulaOf(spec) };
  if (moving.length > 1) {
    const sum = moving.map(({ name }) => `(D_${name.replace(" ", "")} - strong)`).join(" + ");
    yield { method: "together", formula: `D = strong + ${sum}` };
  }
  for (const { name, spec, method } of active)
    if (method.role === "adjust") yield { method: name, formula: formulaOf(spec) };
}

/** What the networks really compute, where they can tell. */
function workOf({ predictions }: Asked<Labels>, model: ExplainedModel, parts: readonly Part[], rows: number) {
  return [...new Set(predictions.map(({ from }) => from))].flatMap((from) => {
    if (!model.plan) return [];
    const own = predictions.filter((one) => one.from === from);
    const first = own.filter((one, i) => own.findIndex((other) => sameWanted(one, other)) === i);
    const plan = model.plan(
      from,
      first.map(({ branch }) => branch),
      rows,
    );
    return plan === undefined ? [] : [{ network: networkName(own[0], model, parts), evaluations: plan }];
  });
}

function networkName(
  { from, term }: AskedPrediction<Labels>,
  { denoiser, resources }: ExplainedModel,
  parts: readonly Part[],
): string {
  if (from === denoiser) return "the network";
  if (from === resources.unconditional) return "the unconditional network";
  const guideOf = Object.entries(resources.guides ?? {}).find(([, network]) => network === from);
  if (guideOf) return `the guide ${guideOf[0]}`;
  const maker = parts.find(({ method, index }) => method.role === "weak" && index === term);
  return maker ? `what ${maker.name} makes of the network` : "another network";
}
