import type { Branch, Denoiser, Labels } from "../diffusion/denoiser.ts";
import { noiseInNetwork } from "./conditions.ts";
import type { MethodSpec } from "./methods.ts";
import { scoreName } from "./push/score.ts";
import type { GuidanceResources } from "./resources.ts";

/** A model to explain guidance with. */
export interface ExplainedModel {
  readonly denoiser: Denoiser;
  readonly resources: GuidanceResources;
  /** What a network would compute for some branches of so many rows, in evaluations of its plain self; undefined: it does not tell. */
  plan?(from: Denoiser, branches: readonly Branch<Labels>[], rows: number): number | undefined;
}

/** A network that nobody asks. */
const silent = (): Denoiser => ({
  shape: [1],
  denoise: () => Promise.reject(new Error("a stand-in predicts nothing")),
});

const noGradient = (): Promise<never> => Promise.reject(new Error("a stand-in has no gradient"));

/**
 * A model that offers everything that the methods may need, with one network that also predicts without its condition: what
 * guidance asks for can be told without a model. Guides have the names that the specs give. A new resource of
 * `GuidanceResources` has its stand-in here, so that the compiler asks for one.
 */
export function standInModel(specs: readonly MethodSpec[]): ExplainedModel {
  const guides = specs.flatMap(({ guide }) => (typeof guide === "string" ? [guide] : []));
  const resources: Required<Omit<GuidanceResources<Labels>, "unconditional">> = {
    conditional: true,
    nullCondition: true,
    guides: Object.fromEntries([...guides, "first"].map((name) => [name, silent()])),
    classifier: { logProbabilityGradient: noGradient },
    cleanClassifier: { logProbabilityGradient: noGradient },
    scores: Object.fromEntries(
      specs
        .filter(({ method }) => method === "score")
        .map((spec) => [scoreName(spec), { gradient: noGradient }]),
    ),
    attention: true,
    conditionNamed: (_, rows) => new Array<number>(rows).fill(1),
    randomCondition: (rows) => rows.map(() => 1),
    noisyCondition: noiseInNetwork,
    levelEmbedding: true,
    resized: { side: 64, multiple: 1, to: silent },
  };
  return { denoiser: silent(), resources };
}
