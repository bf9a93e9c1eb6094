import { gather } from "../../ops/indexing.ts";
import { transpose } from "../../ops/reshape.ts";
import type { Rule, RuleFamily } from "../../rule.ts";
import type { Value } from "../../value.ts";

/** [batch, ...space, channels] as [batch, channels, ...space]. */
export function channelsFirst(x: Value): Value {
  const space = x.shape.slice(2).map((_, i) => i + 1);
  return transpose(x, [0, x.shape.length - 1, ...space]);
}

/** [batch, channels, ...space] as [batch, ...space, channels]. */
export function channelsBehind(x: Value): Value {
  const space = x.shape.slice(2).map((_, i) => i + 2);
  return transpose(x, [0, ...space, 1]);
}

/** A standard operator whose images have their channels last; all other inputs are as in the standard. */
const turned = (op: string): Rule => ({
  expand: ({ attributes, outputCount: outputs }, [x, ...rest]) =>
    x!.builder.apply(op, [channelsFirst(x!), ...rest], { attributes, outputs }).map(channelsBehind),
});

/** Resize, whose scales and sizes are in the order of the image's axes. */
const turnedResize: Rule = {
  expand: ({ attributes }, [x, , scales, sizes]) => {
    const { builder, shape } = x!;
    const order = [0, shape.length - 1, ...shape.slice(2).map((_, i) => i + 1)];
    const inOrder = (list: Value | null | undefined): Value | null =>
      list && list.shape[0] === shape.length ? gather(list, builder.literal(order, "int64")) : null;
    const inputs = [channelsFirst(x!), null, inOrder(scales), inOrder(sizes)];
    return builder.apply("Resize", inputs, { attributes }).map(channelsBehind);
  },
};

const standard = [
  "AveragePool",
  "BatchNormalization",
  "Conv",
  "ConvTranspose",
  "DepthToSpace",
  "GlobalAveragePool",
  "GlobalMaxPool",
  "GridSample",
  "InstanceNormalization",
  "LRN",
  "MaxPool",
  "SpaceToDepth",
];

/** The layout that ONNX Runtime gives image operators on GPUs and other accelerators. */
export const channelsLast: RuleFamily = {
  ...Object.fromEntries(standard.map((op) => [`com.ms.internal.nhwc::${op}`, turned(op)])),
  "com.ms.internal.nhwc::Resize": turnedResize,
  "com.microsoft::NhwcMaxPool": turned("MaxPool"),
};
