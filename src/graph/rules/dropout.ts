import { UsageError } from "../../base/errors.ts";
import { numbersOf } from "../constant.ts";
import { expand } from "../ops/reshape.ts";
import type { CallSite, Rule, RuleFamily } from "../rule.ts";
import { check } from "../shapes.ts";
import type { Value } from "../value.ts";

/** x, and a mask that keeps everything: what Dropout is outside training. */
function kept(site: CallSite, [x, , training]: readonly (Value | null)[]): readonly Value[] {
  const off = !training || (training.constant !== null && numbersOf(training.constant)[0] === 0);
  check(
    site,
    off,
    () =>
      "Dropout in training mode draws random numbers: export the model for evaluation, or make the mask an input,",
  );
  return [x!, expand(x!.builder.literal(1, "bool"), x!.shape)].slice(0, site.outputCount);
}

/** An operator on sequences or optional values, which the values of this library are not. */
const noTensor: Rule = {
  infer: ({ op, name }) => {
    throw new UsageError(
      `operator "${op}" (node "${name}") works on sequences or optional values, which have no rules: export the model with ` +
        `tensors only, as Split and Concat in place of SplitToSequence and ConcatFromSequence`,
    );
  },
};

export const dropout: RuleFamily = {
  Dropout: { expand: kept },
  ...Object.fromEntries(
    [
      "SequenceAt",
      "SequenceConstruct",
      "SequenceEmpty",
      "SequenceErase",
      "SequenceInsert",
      "SequenceLength",
      "SequenceMap",
      "SplitToSequence",
      "ConcatFromSequence",
      "Optional",
      "OptionalGetElement",
      "OptionalHasElement",
    ].map((op) => [op, noTensor]),
  ),
};
