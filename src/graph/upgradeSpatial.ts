import { floatOf, int, intOf, intsOf, string, stringOf } from "./attributes.ts";
import type { Builder } from "./builder.ts";
import { numbersOf } from "./constant.ts";
import type { Attribute, Node } from "./graph.ts";
import { expand, reshape } from "./ops/reshape.ts";
import { check } from "./shapes.ts";
import { type Change, type Upgrade, applyMoved } from "./upgradeCall.ts";
import type { Value } from "./value.ts";

/** Pads and the value filled in were attributes. */
const padInputs: Upgrade = (builder, node, [x]) => {
  const fill = builder.literal(floatOf(node, "value", 0), x!.dtype);
  return applyMoved(
    builder,
    node,
    [x, builder.literal(intsOf(node, "pads", []), "int64"), fill],
    ["pads", "value"],
  );
};

/** Upsample, and Resize before 11: outputs lie at position / scale, and the nearest is the one before. */
const oldResize: Upgrade = (builder, node, [x, given]) => {
  const scales = scalesOf(builder, node, given ?? null);
  const numbers = Array.from(numbersOf(scales.constant!));
  const mode = stringOf(node, "mode", "nearest");
  const down = numbers.some((scale) => scale < 1);
  const up = numbers.some((scale) => scale > 1);
  // Where an axis shrinks the nearest is the one behind.
  if (mode === "nearest" && down && up) {
    const part = (keep: (scale: number) => boolean): Value =>
      builder.literal(numbers.map((scale) => (keep(scale) ? scale : 1)));
    const grown = resized(
      builder,
      node,
      x!,
      part((scale) => scale > 1),
      mode,
      "floor",
    );
    return [
      resized(
        builder,
        node,
        grown,
        part((scale) => scale < 1),
        mode,
        "ceil",
      ),
    ];
  }
  return [resized(builder, node, x!, scales, mode, down ? "ceil" : "floor")];
};

function scalesOf(builder: Builder, node: Node, given: Value | null): Value {
  const listed = node.attributes.scales;
  const scales = given ?? (listed?.kind === "floats" ? builder.literal(listed.value) : null);
  check(node, Boolean(scales?.constant), () => `${node.op} without scales that are known`);
  return scales!;
}

function resized(
  builder: Builder,
  node: Node,
  x: Value,
  scales: Value,
  mode: string,
  nearest: string,
): Value {
  const attributes: Record<string, Attribute> = {
    mode: string(mode),
    coordinate_transformation_mode: string("asymmetric"),
    nearest_mode: string(nearest),
  };
  return builder.apply("Resize", [x, null, scales], {
    attributes,
    name: node.name || node.op,
    metadata: node.metadata,
  })[0];
}

/** Before 14 a node trained when it had running statistics as outputs. */
const batchNormTraining: Upgrade = (builder, node, inputs) => {
  check(
    node,
    intOf(node, "spatial", 1) === 1,
    () => "BatchNormalization with statistics for every position (spatial 0)",
  );
  const trains = node.outputs.length > 1;
  const attributes = trains ? { ...node.attributes, training_mode: int(1) } : node.attributes;
  const outputs = node.outputs.slice(0, trains ? 3 : 1);
  return applyMoved(builder, { ...node, attributes, outputs }, inputs, ["spatial"]);
};

/** Before 21 scale and bias had one number a group, and have one a channel since. */
const groupNormFactors: Upgrade = (builder, node, [x, scale, bias]) => {
  if (builder.opset < 21) return applyMoved(builder, node, [x, scale, bias], []);
  const byChannel = (factor: Value): Value => {
    const [groups] = factor.shape;
    return reshape(expand(reshape(factor, [groups, 1]), [groups, x!.shape[1] / groups]), [x!.shape[1]]);
  };
  return applyMoved(builder, node, [x, byChannel(scale!), byChannel(bias!)], []);
};

/** Modes were called bilinear and bicubic. */
const gridModes: Upgrade = (builder, node, inputs) => {
  if (builder.opset < 20) return applyMoved(builder, node, inputs, []);
  const mode = string(stringOf(node, "mode", "bilinear").replace(/^bi/u, ""));
  return applyMoved(builder, { ...node, attributes: { ...node.attributes, mode } }, inputs, []);
};

/** What changed of the operators on images and of the normalisations. Source: the operators' changelog of ONNX. */
export const spatialChanges: Readonly<Record<string, Change>> = {
  Pad: { since: 11, upgrade: padInputs },
  Upsample: { since: 10, upgrade: oldResize },
  Resize: { since: 11, upgrade: oldResize },
  BatchNormalization: { since: 14, upgrade: batchNormTraining },
  GroupNormalization: { since: 21, upgrade: groupNormFactors },
  GridSample: { since: 20, upgrade: gridModes },
};
