import { UsageError } from "../../base/errors.ts";
import { type Residual, type Span, attentionSpan, blockAround, residualsOf } from "../attention/blocks.ts";
import { add, greater, mul, sub, where } from "../ops/elementwise.ts";
import { slice } from "../ops/indexing.ts";
import { expand, reshape } from "../ops/reshape.ts";
import { sameShape } from "../shapes.ts";
import type { Value } from "../value.ts";
import type { DropBlocks } from "./perturbation.ts";
import { gatesInput } from "./randomInputs.ts";
import { type At, type Site, type Target, imageFlags, imagePart } from "./site.ts";

/** The attention module gives zero; what is added to its result passes. Where the sum is inside the module, that is zero too. */
export function zeroAttention(target: Target): readonly Site[] {
  const span = attentionSpan(target.structure, imageResidual(target), target.found.wiring);
  const zero = (output: Value): Value => expand(target.builder.literal(0, output.dtype), output.shape);
  return [replaced(target, span, zero)];
}

/** The attention module gives its input. */
export function skipAttention(target: Target): readonly Site[] {
  const span = attentionSpan(target.structure, imageResidual(target), target.found.wiring);
  return [bypass(target, span, "the attention")];
}

/** The feed-forward module behind the attention gives its input. */
export function skipFeedForward(target: Target): readonly Site[] {
  const { layer, structure, found } = target;
  const { feedForward } = blockAround(structure, imageResidual(target), found);
  if (feedForward) return [bypass(target, feedForward, "the feed-forward layer")];
  throw new UsageError(
    `no feed-forward layer follows the attention "${layer.name}": choose another layer, or kind "skip-block"`,
  );
}

/** The whole block gives what enters it; of a joint block both streams. */
export function skipBlock(target: Target): readonly Site[] {
  const { structure, found } = target;
  return residuals(target).map((residual) => {
    const span = blockAround(structure, residual, found);
    return { node: producerOf(target, span), edit: (at) => [inputOf(target, span, "the block", at)] };
  });
}

/** `skipBlock` where a number is 1, which is the layer's among those of an input. */
export function dropBlock(target: Target, how: DropBlocks, chosen: readonly number[]): readonly Site[] {
  const { layer, builder } = target;
  const name = gatesInput(chosen, how);
  return skipBlock(target).map(({ node, edit }) => ({
    node,
    edit: (at) => {
      const gates = builder.findInput(name) ?? builder.input(name, "float32", [chosen.length]);
      const place = chosen.indexOf(layer.index);
      const dropped = greater(slice(gates, [{ axis: 0, start: place, end: place + 1 }]), 0.5);
      const [input] = edit(at);
      return at.compute(at.inputs).map((output) => where(dropped, input, output));
    },
  }));
}

/** What enters the block of the image's stream, and what leaves it. */
export function imageBlock(target: Target): Span {
  return blockAround(target.structure, imageResidual(target), target.found);
}

function residuals({ layer, structure, found }: Target): readonly Residual[] {
  const all = residualsOf(structure, found.wiring);
  if (all.length > 0) return all;
  throw new UsageError(
    `nowhere is the result of the attention "${layer.name}" added to what it was computed from, ` +
      `so its module and block have no boundaries: choose another layer or kind`,
  );
}

/** Where the attention's result is added to the stream of the image (of all tokens, unless it is joint). */
function imageResidual(target: Target): Residual {
  const all = residuals(target);
  const { structure, found } = target;
  const { joint, queryOrigins } = structure;
  if (!joint || all.length === 1) return all[0];
  const origin = queryOrigins.find(
    ({ joined }) => joined?.node === joint.node && joined.part === joint.imagePart,
  );
  const source = origin?.source ?? joint.node.inputs[joint.imagePart];
  return all.find(({ stream }) => found.wiring.dependsOn(source, stream)) ?? all[0];
}

/** A site that hands a span's input on in the place of its output. */
function bypass(target: Target, span: Span, what: string): Site {
  return replaced(target, span, (_, at) => inputOf(target, span, what, at));
}

/** A site that replaces a span's output; of a stream that holds all tokens of a joint attention, the image's part. */
function replaced(target: Target, span: Span, replacement: (output: Value, at: At) => Value): Site {
  const node = producerOf(target, span);
  const edit = (at: At): readonly Value[] => {
    const [output] = at.compute(at.inputs);
    const other = replacement(output, at);
    const image = imagePart(target);
    const axis = output.shape.length - 2;
    if (!image || output.shape[axis] === image.end - image.start) return [other];
    const flags = imageFlags(target.builder, output.shape[axis], image, output.dtype);
    return [add(output, mul(reshape(flags, [-1, 1]), sub(other, output)))];
  };
  return { node, edit };
}

function producerOf({ layer, found }: Target, { output }: Span): Site["node"] {
  const node = found.wiring.producer(output);
  if (node && node.outputs.length === 1) return node;
  throw new UsageError(`the value "${output}" behind the attention "${layer.name}" cannot be replaced`);
}

function inputOf({ layer }: Target, { input, output }: Span, what: string, at: At): Value {
  const value = at.value(input);
  const [replaces] = at.compute(at.inputs);
  if (sameShape(value.shape, replaces.shape)) return value;
  throw new UsageError(
    `${what} of "${layer.name}" cannot be skipped: it makes "${output}" of [${replaces.shape.join(", ")}] ` +
      `from "${input}" of [${value.shape.join(", ")}]`,
  );
}
