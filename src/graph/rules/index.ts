import { UsageError } from "../../base/errors.ts";
import type { Rule, RuleFamily } from "../rule.ts";
import { activations } from "./activations.ts";
import { argmax } from "./argmax.ts";
import { batchNorm } from "./batchNorm.ts";
import { attentionOperator } from "./attentionOperator.ts";
import { casts } from "./cast.ts";
import { convolution } from "./convGeneral.ts";
import { depth } from "./depth.ts";
import { dropout } from "./dropout.ts";
import { einsumFamily } from "./einsum.ts";
import { elementwise } from "./elementwise.ts";
import { extrema } from "./extrema.ts";
import { fused } from "./fused/index.ts";
import { gathering } from "./gather.ts";
import { generators } from "./generators.ts";
import { gridSampling } from "./gridSample.ts";
import { indexing } from "./indexing.ts";
import { layerNorm } from "./layerNorm.ts";
import { linear } from "./linear.ts";
import { localNorm } from "./localNorm.ts";
import { logic } from "./logic.ts";
import { losses } from "./losses.ts";
import { normalise } from "./normalise.ts";
import { padding } from "./pad.ts";
import { pool } from "./pool.ts";
import { quantise } from "./quantise.ts";
import { reduce } from "./reduce.ts";
import { resize } from "./resize.ts";
import { reshapeFamily } from "./reshape.ts";
import { rotary } from "./rotary.ts";
import { scattering } from "./scatter.ts";
import { scan } from "./scan.ts";
import { selecting } from "./select.ts";
import { slicing } from "./slicing.ts";
import { tiling } from "./tiling.ts";
import { trigonometry } from "./trigonometry.ts";

const families: readonly RuleFamily[] = [
  elementwise,
  trigonometry,
  activations,
  extrema,
  logic,
  casts,
  reduce,
  argmax,
  scan,
  linear,
  einsumFamily,
  convolution,
  reshapeFamily,
  tiling,
  slicing,
  padding,
  gridSampling,
  depth,
  dropout,
  indexing,
  gathering,
  scattering,
  selecting,
  attentionOperator,
  rotary,
  quantise,
  losses,
  generators,
  normalise,
  layerNorm,
  batchNorm,
  localNorm,
  pool,
  resize,
  fused,
];

/** Every operator Fairlead knows, by name. */
export const rules: ReadonlyMap<string, Rule> = new Map(families.flatMap((family) => Object.entries(family)));

const keyOf = (op: string, domain: string): string =>
  domain === "" || domain === "ai.onnx" ? op : `${domain}::${op}`;

/** The rule of an operator, if there is one. */
export function findRule(op: string, domain: string): Rule | undefined {
  return rules.get(keyOf(op, domain));
}

/** The rule of an operator; throws UsageError naming operator and node when there is none. */
export function ruleOf(op: string, domain: string, node: string): Rule {
  const rule = findRule(op, domain);
  if (!rule) {
    throw new UsageError(`no rule for operator "${keyOf(op, domain)}" (node "${node}"): ${wayOut(domain)}`);
  }
  return rule;
}

/** What to do about an operator that has no rule. */
function wayOut(domain: string): string {
  if (domain === "com.microsoft.nchwc") {
    return (
      "ONNX Runtime wrote it for one kind of processor; take the model as it was exported, " +
      "or optimise it again at the level ORT_ENABLE_EXTENDED"
    );
  }
  if (domain.startsWith("com.microsoft")) {
    return (
      "it is of ONNX Runtime alone, from its optimiser or from quantisation; take the model as it was exported, " +
      "or put standard operators in its place"
    );
  }
  return (
    "export the model with standard operators (another opset, or functions inlined), put some in its place, " +
    "add a rule to a family in src/graph/rules, or say the types of its outputs in the file to carry it along"
  );
}
