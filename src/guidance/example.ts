import { UsageError } from "../base/errors.ts";
import { buildGuidance } from "./build.ts";
import type { Method } from "./method.ts";
import { completeSpec, formatGuidance, parseGuidance } from "./spec.ts";
import { standInModel } from "./standIn.ts";

/** How a method is shown. */
export interface Example {
  /** The guidance with the method in it. */
  readonly spec: string;
  /** What it is seen beside, on the same seeds: "none", and the same guidance without the method, where that is another. */
  readonly beside: readonly string[];
  /** The shipped model that it is shown on. */
  readonly model: "tree" | "fashion-mnist";
  /** The sampler, where the model's own cannot do what the guidance asks of it. */
  readonly sampler?: string;
}

/** Guidance that a correction has something to correct in. */
const CORRECTED = "cfg:4";

/** A guidance that shows what the method does at its defaults, as its entry in the catalogue says or else by its role. */
export function exampleOf(method: Method): Example {
  const { name, role, example = {} } = method;
  const alone = formatGuidance([completeSpec({ method: name })]);
  const corrects = role === "adjust" || role === "condition";
  const spec = formatGuidance(parseGuidance(example.spec ?? (corrects ? `${CORRECTED}+${alone}` : alone)));
  const without = example.beside ?? withoutMethod(spec, name);
  return {
    spec,
    beside: without === "none" || without === spec ? ["none"] : ["none", without],
    model: example.model ?? (worksInThePlane(spec) ? "tree" : "fashion-mnist"),
    ...(renoises(spec) && { sampler: "euler" }),
  };
}

/** The guidance without the method: its predictions meet by extrapolation, nothing is corrected by it. */
function withoutMethod(spec: string, name: string): string {
  const rest = parseGuidance(spec)
    .filter(({ method }) => method !== name)
    .map(({ combine, ...weak }) =>
      combine?.method === name ? weak : { ...weak, ...(combine && { combine }) },
    );
  return formatGuidance(rest);
}

function renoises(spec: string): boolean {
  return buildGuidance(spec, standInModel(parseGuidance(spec)).resources).renoises;
}

/** Whether the tree's networks, which have no attention and no embeddings, can be guided so. */
function worksInThePlane(spec: string): boolean {
  const { denoiser, resources } = standInModel(parseGuidance(spec));
  const { conditional, guides, classifier } = resources;
  try {
    buildGuidance(spec, { conditional, nullCondition: false, unconditional: denoiser, guides, classifier });
    return true;
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

/** What a reader can type to see the method at work. */
export function exampleCommand(method: Method): string {
  const { spec, beside, model, sampler } = exampleOf(method);
  const chosen = sampler === undefined ? "" : ` --sampler ${sampler}`;
  return `fairlead compare ${model} --guidance ${[...beside, spec].join(" ")}${chosen}`;
}
