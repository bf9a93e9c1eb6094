import { UsageError } from "../base/errors.ts";
import type { Denoiser, Labels } from "../diffusion/denoiser.ts";
import type { LayerSelection } from "../graph/perturb.ts";
import { compose } from "./guidance.ts";
import type { Base, Guidance, Push, Term } from "./guidance.ts";
import type { MethodSpec } from "./methods.ts";
import { classifierGuidance } from "./push/classifier.ts";
import type { NoiseAwareClassifier } from "./push/classifier.ts";
import { completeSpec, formatGuidance, parseGuidance } from "./spec.ts";
import { autoguidance } from "./weak/weakerNetwork.ts";
import { cfg } from "./weak/condition.ts";
import { pag } from "./weak/perturbedAttention.ts";

/** What a model offers to guidance, beside the network that is guided. */
export interface GuidanceResources<C = Labels> {
  /** Whether the guided network takes a condition at all. */
  readonly conditional: boolean;
  /** Whether a conditional network also predicts without one (trained with condition dropout); default: true. */
  readonly nullCondition?: boolean;
  /** A separate unconditional network; preferred over the null condition. */
  readonly unconditional?: Denoiser<C>;
  /** Worse networks by name; the first is the default. */
  readonly guides?: Readonly<Record<string, Denoiser<C>>>;
  readonly classifier?: NoiseAwareClassifier<C>;
  /** Whether the network has self-attention; or its layers' names, in execution order. Default: false. */
  readonly attention?: boolean | readonly string[];
}

/**
 * The guidance that `spec` asks for (text as for `parseGuidance`, or specs), made from what the model offers; give it
 * to `guide`. Its label is the canonical text.
 * Throws a UsageError that says what the model lacks and what to do, also for a method that is off.
 */
export function buildGuidance<C>(
  spec: string | readonly MethodSpec[],
  resources: GuidanceResources<C>,
): Guidance<C> {
  const given = typeof spec === "string" ? parseGuidance(spec) : spec;
  const specs = given.map((one) => completeSpec({ ...one }));
  const guidance = compose<C>(
    specs.map((one) => part(one, resources)),
    {
      label: formatGuidance(specs),
      base: resources.conditional ? undefined : "null",
      unconditional: resources.conditional ? resources.unconditional : undefined,
    },
  );
  checkBase(specs, guidance.base, resources);
  return guidance;
}

function part<C>(spec: MethodSpec, resources: GuidanceResources<C>): Term<C> | Push<C> {
  switch (spec.method) {
    case "cfg":
      return cfg({ ...spec, unconditional: unconditionalFor(resources) });
    case "pag":
      return pag({ ...spec, layers: existingLayers(spec.layers, resources.attention) });
    case "autoguidance":
      return autoguidance({ ...spec, guide: guideNamed(spec.guide, resources.guides ?? {}) });
    case "classifier":
      return classifierGuidance({ ...spec, classifier: classifierOf(resources) });
    default:
      throw new UsageError(`unknown guidance method ${JSON.stringify(spec satisfies never)}`);
  }
}

/** The separate network for CFG's weak prediction; undefined: the guided network's own null condition. */
function unconditionalFor<C>(resources: GuidanceResources<C>): Denoiser<C> | undefined {
  if (!resources.conditional) {
    throw new UsageError(
      "cfg needs a network with a condition to drop; this model's is unconditional. Use pag, autoguidance or classifier",
    );
  }
  if (resources.unconditional === undefined && resources.nullCondition === false) {
    throw new UsageError(
      "cfg needs an unconditional prediction; this network was trained without condition dropout and the model has no " +
        "unconditional network. Train one, or train with condition dropout",
    );
  }
  return resources.unconditional;
}

function existingLayers(
  layers: LayerSelection,
  attention: boolean | readonly string[] = false,
): LayerSelection {
  if (attention === false || (attention !== true && attention.length === 0)) {
    throw new UsageError("pag needs self-attention; this network has none. Use cfg or autoguidance");
  }
  if (attention === true || layers === "all") return layers;
  for (const layer of layers) {
    const exists =
      typeof layer === "number" ? layer < attention.length : attention.some((one) => one.includes(layer));
    if (!exists) {
      throw new UsageError(
        `pag: this network has no attention layer ${layer}; it has ` +
          attention.map((one, index) => `${index} (${one})`).join(", "),
      );
    }
  }
  return layers;
}

function guideNamed<C>(
  wanted: string | undefined,
  guides: Readonly<Record<string, Denoiser<C>>>,
): Denoiser<C> {
  const names = Object.keys(guides);
  if (names.length === 0) {
    throw new UsageError(
      "autoguidance needs a guide, a worse network for the same data; this model has none. Train a smaller or shorter one",
    );
  }
  if (wanted !== undefined && !Object.hasOwn(guides, wanted)) {
    throw new UsageError(
      `autoguidance: this model has no guide "${wanted}"; its guides: ${names.join(", ")}`,
    );
  }
  return guides[wanted ?? names[0]];
}

function classifierOf<C>(resources: GuidanceResources<C>): NoiseAwareClassifier<C> {
  if (resources.classifier !== undefined) return resources.classifier;
  throw new UsageError(
    "classifier guidance needs a classifier trained on noised samples; this model has none. Train one, or use cfg",
  );
}

/** Refuses a strong prediction that the model cannot make, or that another method makes pointless. */
function checkBase<C>(specs: readonly MethodSpec[], base: Base, resources: GuidanceResources<C>): void {
  if (!resources.conditional) {
    if (!specs.some((spec) => spec.method === "classifier" && spec.base === "condition")) return;
    throw new UsageError(
      "classifier: base=condition needs a conditional network; this model's is unconditional",
    );
  }
  if (base === "condition") return;
  if (specs.some((spec) => spec.method === "cfg")) {
    throw new UsageError("cfg has no condition to drop with base=null: leave out base=null, or cfg");
  }
  if (resources.unconditional === undefined && resources.nullCondition === false) {
    throw new UsageError(
      "classifier starts from an unconditional prediction here, and this model has none (no condition dropout, no " +
        "unconditional network). Write base=condition",
    );
  }
}
