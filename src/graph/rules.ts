import { UsageError } from "../base/errors.ts";
import { conv } from "./ops/conv.ts";
import { elementwise } from "./ops/elementwise.ts";
import { indexing } from "./ops/indexing.ts";
import { linear } from "./ops/linear.ts";
import { normalise } from "./ops/normalise.ts";
import { reduce } from "./ops/reduce.ts";
import { reshapeFamily } from "./ops/reshape.ts";
import { resample } from "./ops/resample.ts";
import type { Rule, RuleFamily } from "./rule.ts";

const families: readonly RuleFamily[] = [
  elementwise,
  reduce,
  linear,
  conv,
  reshapeFamily,
  indexing,
  normalise,
  resample,
];

/** Every operator Fairlead knows, by name. */
export const rules: ReadonlyMap<string, Rule> = new Map(families.flatMap((family) => Object.entries(family)));

/** The rule of an operator; throws UsageError naming operator and node when there is none. */
export function ruleOf(op: string, domain: string, node: string): Rule {
  const key = domain === "" || domain === "ai.onnx" ? op : `${domain}::${op}`;
  const rule = rules.get(key);
  if (!rule) {
    throw new UsageError(
      `no rule for operator "${key}" (node "${node}"): add one to a family in src/graph/ops, ` +
        `or rewrite the node with standard operators first`,
    );
  }
  return rule;
}
