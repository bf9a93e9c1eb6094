import { intOf, ints, intsOf, stringOf } from "../attributes.ts";
import { convolve } from "../ops/conv.ts";
import { flip, pad, slice } from "../ops/indexing.ts";
import { matmul } from "../ops/linear.ts";
import { reduceSum } from "../ops/reduce.ts";
import { concat, reshape, swapLast, transpose } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, InferredType, RuleFamily } from "../rule.ts";
import { check, stridesOf } from "../shapes.ts";
import type { Value } from "../value.ts";

/** What Conv and ConvTranspose are told by their attributes. */
interface Geometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  /** Before each spatial axis, then after each. */
  readonly pads: readonly number[];
}

function geometryOf(site: CallSite, weight: InferredType): Geometry {
  const kernel = weight.shape.slice(2);
  const plain =
    kernel.length === 2 &&
    intOf(site, "group", 1) === 1 &&
    intsOf(site, "dilations", [1, 1]).every((d) => d === 1) &&
    stringOf(site, "auto_pad", "NOTSET") === "NOTSET" &&
    site.attributes.output_shape === undefined;
  check(
    site,
    plain,
    () => `${site.op} has a rule for two spatial axes, one group, no dilation and explicit pads only,`,
  );
  return { kernel, strides: intsOf(site, "strides", [1, 1]), pads: intsOf(site, "pads", [0, 0, 0, 0]) };
}

/** Checks that x has an image's rank and the channels the weights are for, and the bias one number an output channel. */
function checkShapes(
  site: CallSite,
  [x, weight, bias]: readonly (InferredType | null | undefined)[],
  inAxis: 0 | 1,
): void {
  check(
    site,
    x!.shape.length === 4 && x!.shape[1] === weight!.shape[inAxis],
    () => `${site.op} of [${x!.shape.join(", ")}] by weights [${weight!.shape.join(", ")}]`,
  );
  const out = weight!.shape[1 - inAxis];
  check(
    site,
    !bias || (bias.shape.length === 1 && bias.shape[0] === out),
    () => `${site.op} wants ${out} biases`,
  );
}

function convShape(site: CallSite, x: InferredType, weight: InferredType, geometry: Geometry): number[] {
  const { kernel, strides, pads } = geometry;
  const spatial = kernel.map(
    (k, i) => Math.floor((x.shape[2 + i] + pads[i] + pads[i + 2] - k) / strides[i]) + 1,
  );
  check(
    site,
    spatial.every((n) => n > 0),
    () => `a kernel of ${kernel.join(" x ")} does not fit [${x.shape.join(", ")}]`,
  );
  return [x.shape[0], weight.shape[0], ...spatial];
}

function transposeShape(site: CallSite, x: InferredType, weight: InferredType, geometry: Geometry): number[] {
  const extra = intsOf(site, "output_padding", [0, 0]);
  const fits = extra.every((n, i) => n >= 0 && n < geometry.strides[i]);
  check(site, fits, () => `output padding [${extra.join(", ")}] is not below the strides`);
  return [x.shape[0], weight.shape[1], ...reachOf(x.shape, geometry).map((n, i) => n + extra[i])];
}

/** Height and width that a transposed convolution of x reaches, without output padding. */
function reachOf(x: readonly number[], { kernel, strides, pads }: Geometry): number[] {
  return kernel.map((k, i) => (x[2 + i] - 1) * strides[i] + k - pads[i] - pads[i + 2]);
}

// --- Gradients.

/** Gradient with respect to the input, of the given shape, of a convolution whose output gradient is g. */
function inputGradient(g: Value, weight: Value, shape: readonly number[], geometry: Geometry): Value {
  const { kernel, strides, pads } = geometry;
  if (strides.every((s) => s === 1) && kernel.every((k, i) => pads[i] < k && pads[i + 2] < k)) {
    // A convolution by the flipped, transposed weights: twice as fast as ConvTranspose in ONNX Runtime.
    const turned = transpose(flip(weight, [2, 3]), [1, 0, 2, 3]);
    return convolve(
      g,
      turned,
      null,
      [1, 1],
      pads.map((n, i) => kernel[i % 2] - 1 - n),
    );
  }
  const extra = reachOf(g.shape, geometry).map((n, i) => shape[2 + i] - n);
  return g.builder.apply("ConvTranspose", [g, weight], {
    attributes: {
      kernel_shape: ints(kernel),
      strides: ints(strides),
      pads: ints(pads),
      output_padding: ints(extra),
    },
  })[0];
}

/** Gradient with respect to the weights, of a convolution of x whose output gradient is g: a matrix product for each tap. */
function weightGradient(g: Value, x: Value, geometry: Geometry): Value {
  const [out, inside] = [g.shape[1], x.shape[1]];
  const plain = geometry.strides.every((s) => s === 1);
  const taps = (plain ? movedTaps(g, x, geometry) : stridedTaps(g, x, geometry)).map((tap) =>
    reshape(tap, [1, inside, out]),
  );
  return reshape(transpose(concat(taps, 0), [2, 1, 0]), [out, inside, ...geometry.kernel]);
}

/**
 * Without strides: tap (i, j) is the product of x moved left by j - pad and g moved down by i - pad. So x is copied once for
 * each column of the kernel and g once for each row, which is less than a copy of x for each tap.
 */
function movedTaps(g: Value, x: Value, { kernel, pads }: Geometry): Value[] {
  const [height, width] = [x.shape[2], g.shape[3]];
  const wide = byChannel(x);
  const columns = Array.from({ length: kernel[1] }, (_, j) => {
    const before = pads[1] - j;
    return flat(pad(wide, [0, 0, 0, before, 0, 0, 0, width - x.shape[3] - before]));
  });
  // Whole rows move: slices of one padded g are cheaper than pads.
  const above = kernel[0] - 1 - pads[0];
  const high = pad(byChannel(g), [0, 0, above, 0, 0, 0, height - g.shape[2] + pads[0], 0]);
  const rows = Array.from({ length: kernel[0] }, (_, i) => {
    const start = kernel[0] - 1 - i;
    return swapLast(flat(slice(high, [{ axis: 2, start, end: start + height }])));
  });
  return rows.flatMap((row) => columns.map((column) => matmul(column, row)));
}

/** With strides: the padded x is read at the positions that a tap is put at. */
function stridedTaps(g: Value, x: Value, { kernel, strides, pads }: Geometry): Value[] {
  const [height, width] = g.shape.slice(2);
  const padded = pad(byChannel(x), [0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]]);
  const turnedG = swapLast(flat(byChannel(g)));
  const taps: Value[] = [];
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      const read = slice(padded, [
        { axis: 2, start: i, end: i + (height - 1) * strides[0] + 1, step: strides[0] },
        { axis: 3, start: j, end: j + (width - 1) * strides[1] + 1, step: strides[1] },
      ]);
      taps.push(matmul(flat(read), turnedG));
    }
  }
  return taps;
}

/** [batch, channels, h, w] to [channels, batch, h, w]. */
const byChannel = (x: Value): Value => transpose(x, [1, 0, 2, 3]);

/** All but the first axis as one. */
const flat = (x: Value): Value => reshape(x, [x.shape[0], -1]);

function convGradient({ site, inputs, gradients: [g], wanted }: GradientCall): (Value | null)[] {
  const [x, weight, bias] = inputs;
  const geometry = geometryOf(site, weight!);
  return [
    wanted[0] ? inputGradient(g!, weight!, x!.shape, geometry) : null,
    wanted[1] ? weightGradient(g!, x!, geometry) : null,
    bias && wanted[2] ? reduceSum(g!, [0, 2, 3]) : null,
  ];
}

/**
 * ConvTranspose is the transpose of Conv: its gradients are those of Conv with input and gradient exchanged. What output
 * padding adds is less than a stride, so it starts no further window.
 */
function convTransposeGradient({ site, inputs, gradients: [g], wanted }: GradientCall): (Value | null)[] {
  const [x, weight, bias] = inputs;
  const geometry = geometryOf(site, weight!);
  return [
    wanted[0] ? convolve(g!, weight!, null, geometry.strides, geometry.pads) : null,
    wanted[1] ? weightGradient(x!, g!, geometry) : null,
    bias && wanted[2] ? reduceSum(g!, [0, 2, 3]) : null,
  ];
}

// --- The host reference.

/** Calls `visit(wide, weight, small)` with the flat indices of every product that a convolution of `wide` to `small` sums. */
function forEachProduct(
  wide: readonly number[],
  weight: readonly number[],
  small: readonly number[],
  { kernel, strides, pads }: Geometry,
  visit: (wide: number, weight: number, small: number) => void,
): void {
  const [batch, , height, width] = small;
  const [sx, sw, sy] = [stridesOf(wide), stridesOf(weight), stridesOf(small)];
  for (let n = 0; n < batch; n++)
    for (let o = 0; o < weight[0]; o++)
      for (let c = 0; c < weight[1]; c++)
        for (let i = 0; i < kernel[0]; i++)
          for (let j = 0; j < kernel[1]; j++)
            for (let y = 0; y < height; y++)
              for (let x = 0; x < width; x++) {
                const [row, column] = [y * strides[0] + i - pads[0], x * strides[1] + j - pads[1]];
                if (row < 0 || row >= wide[2] || column < 0 || column >= wide[3]) continue;
                visit(
                  n * sx[0] + c * sx[1] + row * sx[2] + column,
                  o * sw[0] + c * sw[1] + i * sw[2] + j,
                  n * sy[0] + o * sy[1] + y * sy[2] + x,
                );
              }
}

/** The bias of each output channel everywhere, 0 without one. */
function filled(shape: readonly number[], bias: HostInput | null | undefined): Float64Array {
  const [batch, channels, height, width] = shape;
  return Float64Array.from({ length: batch * channels * height * width }, (_, i) =>
    bias ? bias.numbers[Math.floor(i / (height * width)) % channels] : 0,
  );
}

export const conv: RuleFamily = {
  Conv: {
    infer: (site, inputs) => {
      const geometry = geometryOf(site, inputs[1]!);
      checkShapes(site, inputs, 1);
      return [{ dtype: inputs[0]!.dtype, shape: convShape(site, inputs[0]!, inputs[1]!, geometry) }];
    },
    gradient: convGradient,
    evaluate: (site, [x, weight, bias], [{ shape }]) => {
      const out = filled(shape, bias);
      forEachProduct(x!.shape, weight!.shape, shape, geometryOf(site, weight!), (wide, w, small) => {
        out[small] += x!.numbers[wide] * weight!.numbers[w];
      });
      return [out];
    },
  },
  ConvTranspose: {
    infer: (site, inputs) => {
      const geometry = geometryOf(site, inputs[1]!);
      checkShapes(site, inputs, 0);
      return [{ dtype: inputs[0]!.dtype, shape: transposeShape(site, inputs[0]!, inputs[1]!, geometry) }];
    },
    gradient: convTransposeGradient,
    evaluate: (site, [x, weight, bias], [{ shape }]) => {
      const out = filled(shape, bias);
      forEachProduct(shape, weight!.shape, x!.shape, geometryOf(site, weight!), (wide, w, small) => {
        out[wide] += x!.numbers[small] * weight!.numbers[w];
      });
      return [out];
    },
  },
};
