import { intOf, stringOf } from "../attributes.ts";
import { reshape, transpose } from "../ops/reshape.ts";
import type { CallSite, HostInput, InferredType, Rule, RuleFamily } from "../rule.ts";
import { affineIndex, check, generate, stridesOf } from "../shapes.ts";

/** A rearrangement as Reshape to `split`, Transpose by `order`, Reshape to `shape`. */
interface Rearranged {
  readonly split: readonly number[];
  readonly order: readonly number[];
  readonly shape: readonly number[];
}

type Rearrange = (site: CallSite, x: Pick<InferredType, "shape">) => Rearranged;

function imageOf(
  site: CallSite,
  { shape }: Pick<InferredType, "shape">,
): readonly [number, readonly number[]] {
  const block = intOf(site, "blocksize", 0);
  const fits = shape.length === 4 && block > 0;
  check(site, fits, () => `${site.op} of [${shape.join(", ")}] with blocks of ${block}`);
  return [block, shape];
}

/** Channels to blocks of pixels: the place in the block is counted before the channels (DCR), or behind them (CRD). */
const depthToSpace: Rearrange = (site, x) => {
  const [block, [batch, channels, height, width]] = imageOf(site, x);
  const left = channels / block ** 2;
  const crd = stringOf(site, "mode", "DCR") === "CRD";
  check(site, Number.isInteger(left), () => `${channels} channels make no blocks of ${block} x ${block}`);
  return {
    split: crd ? [batch, left, block, block, height, width] : [batch, block, block, left, height, width],
    order: crd ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2],
    shape: [batch, left, height * block, width * block],
  };
};

/** Blocks of pixels to channels, the place in the block counted before the channels. */
const spaceToDepth: Rearrange = (site, x) => {
  const [block, [batch, channels, height, width]] = imageOf(site, x);
  const [rows, columns] = [height / block, width / block];
  const fits = Number.isInteger(rows) && Number.isInteger(columns);
  check(site, fits, () => `[${x.shape.join(", ")}] cannot be cut into blocks of ${block} x ${block}`);
  return {
    split: [batch, channels, rows, block, columns, block],
    order: [0, 3, 5, 1, 2, 4],
    shape: [batch, channels * block ** 2, rows, columns],
  };
};

function rearranging(rearrange: Rearrange): Rule {
  return {
    infer: (site, [x]) => [{ dtype: x!.dtype, shape: rearrange(site, x!).shape }],
    gradient: ({ site, inputs: [x], gradients: [g] }) => {
      const { split, order } = rearrange(site, x!);
      const back = order.map((_, axis) => order.indexOf(axis));
      const moved = reshape(
        g!,
        order.map((axis) => split[axis]),
      );
      return [reshape(transpose(moved, back), x!.shape)];
    },
    evaluate: (site, [x]) => [evaluateMoved(x!, rearrange(site, x!))],
  };
}

function evaluateMoved(x: HostInput, { split, order }: Rearranged): Float64Array {
  const shape = order.map((axis) => split[axis]);
  const strides = stridesOf(split);
  const index = affineIndex(
    shape,
    order.map((axis) => strides[axis]),
  );
  return generate(shape, (i) => x.numbers[index(i)]);
}

export const depth: RuleFamily = {
  DepthToSpace: rearranging(depthToSpace),
  SpaceToDepth: rearranging(spaceToDepth),
};
