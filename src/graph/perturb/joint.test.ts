import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import { sizeOf } from "../../base/tensor.ts";
import { type ByHand, type JointOptions, jointNetwork, jointSizes } from "../../testing/jointNetwork.ts";
import { attentionLayers } from "../attention.ts";
import { constantOf } from "../constant.ts";
import type { Graph } from "../graph.ts";
import { type InterpreterInput, interpret } from "../interpret.ts";
import { add, mul, sub } from "../ops/elementwise.ts";
import { gather } from "../ops/indexing.ts";
import { matmul } from "../ops/linear.ts";
import { reduceMean, reduceSum } from "../ops/reduce.ts";
import { concat, expand, reshape } from "../ops/reshape.ts";
import { slice } from "../ops/indexing.ts";
import { type Perturbation, gatesInput, perturb, randomInput } from "../perturb.ts";
import type { Value } from "../value.ts";
import { gaussianMatrix, kernelSize } from "./blur.ts";

const { image, text, height, width } = jointSizes;
const tokens = image + text;

const feeds = {
  sample: normal([2, 4, height, width], 1),
  encoder_hidden_states: normal([2, text, 8], 2),
};

function normal(shape: readonly number[], stream: number): InterpreterInput {
  const data = new Float64Array(sizeOf(shape));
  philox(7, stream).fillNormal(data);
  return { data, shape };
}

const outputOf = (graph: Graph, more: Record<string, InterpreterInput> = {}): ArrayLike<number> =>
  interpret(graph, { ...feeds, ...more }).velocity.data as Float64Array;

describe.each([
  ["image before text", {}, 0],
  ["text before image", { textFirst: true }, text],
  ["norms of queries", { queryNorm: true }, 0],
  ["one stream, text first", { oneStream: true, textFirst: true }, text],
] as const)("a joint attention with %s", (_, options: JointOptions, start) => {
  const plain = jointNetwork(options);
  const byHand = (change: Omit<ByHand, "block">): ArrayLike<number> =>
    outputOf(jointNetwork(options, { block: 1, ...change }));
  const perturbed = (how: Omit<Perturbation, "layers"> & { kind: Perturbation["kind"] }): Graph =>
    perturb(plain, { layers: ["blocks.1"], ...how } as Perturbation);
  const isImage = (token: number): boolean => token >= start && token < start + image;

  /** A constant [tokens, tokens]. */
  const square = (like: Value, f: (query: number, key: number) => number): Value =>
    like.builder.constant(
      constantOf(
        like.dtype,
        [tokens, tokens],
        Array.from({ length: tokens ** 2 }, (_, i) => f(Math.floor(i / tokens), i % tokens)),
      ),
    );

  test("is known as joint, with the image's place", () => {
    const found = attentionLayers(plain);
    expect(found.map(({ name, kind, block }) => ({ name, kind, block }))).toEqual([
      { name: "blocks.0/attn", kind: "joint", block: 0 },
      { name: "blocks.1/attn", kind: "joint", block: 1 },
    ]);
    for (const layer of found) {
      expect(layer).toMatchObject({ heads: 2, headSize: 4, queries: tokens, keys: tokens });
      expect(layer.image).toEqual({ start, end: start + image });
    }
  });

  test("under the identity: an image token sees no other image token, text sees all", () => {
    const apart = (scores: Value): Value =>
      add(
        scores,
        square(scores, (q, k) => (isImage(q) && isImage(k) && q !== k ? -1e30 : 0)),
      );
    const want = byHand({ scores: apart });
    expect(outputOf(perturbed({ kind: "identity" }))).toBeAllClose(want, { abs: 1e-6 });
    expect(want).not.toBeAllClose(outputOf(plain), { abs: 1e-2 });
  });

  test("under the soft identity of 0, 1 and by head", () => {
    const soft = (u: number | number[]): ArrayLike<number> =>
      outputOf(perturbed({ kind: "soft-identity", u } as never));
    const identity = outputOf(perturbed({ kind: "identity" }));
    expect(soft(0)).toBeAllClose(outputOf(plain), { abs: 1e-6 });
    expect(soft(1)).toBeAllClose(identity, { abs: 1e-6 });
    expect(soft([1, 1])).toBeAllClose(identity, { abs: 1e-6 });
    expect(soft([1, 0])).not.toBeAllClose(identity, { abs: 1e-3 });
  });

  test("uniform: image tokens see image tokens alike, with their share of attention kept", () => {
    const even = (map: Value): Value => {
      const inside = square(map, (q, k) => Number(isImage(q) && isImage(k)));
      const share = reduceSum(mul(map, inside), [3], { keep: true });
      return add(mul(map, sub(1, inside)), mul(mul(inside, 1 / image), share));
    };
    expect(outputOf(perturbed({ kind: "uniform" }))).toBeAllClose(byHand({ map: even }), { abs: 1e-6 });
  });

  test("under a mask: only scores between image tokens are hidden", () => {
    const how = { kind: "off-diagonal-mask", layers: ["blocks.1"], p: 0.5 } as const;
    const changed = perturb(plain, how);
    const name = randomInput(attentionLayers(plain)[1], how);
    const data = Float32Array.from({ length: image ** 2 }, (_, i) =>
      Number((i * 7) % 3 === 0 && i % (image + 1) > 0),
    );
    const hide = (scores: Value): Value =>
      add(
        scores,
        square(scores, (q, k) =>
          isImage(q) && isImage(k) ? -1e30 * data[(q - start) * image + k - start] : 0,
        ),
      );
    const got = outputOf(changed, { [name]: { data, shape: [1, 1, image, image] } });
    expect(got).toBeAllClose(byHand({ scores: hide }), { abs: 1e-6 });
  });

  /** A change of the image's rows of [batch, tokens, channels], which may hold the text's too. */
  const onImage =
    (change: (x: Value) => Value) =>
    (x: Value): Value => {
      if (x.shape[1] === image) return change(x);
      const [from, to] = [start, start + image];
      const middle = change(slice(x, [{ axis: 1, start: from, end: to }]));
      const before = from > 0 ? [slice(x, [{ axis: 1, start: 0, end: from }])] : [];
      const behind = to < tokens ? [slice(x, [{ axis: 1, start: to, end: tokens }])] : [];
      return concat([...before, middle, ...behind], 1);
    };

  /** The image's rows of a module's output replaced by its input. */
  const given = (out: Value, input: Value): Value => {
    if (out.shape[1] === image) return input;
    const flags = Array.from({ length: tokens }, (_, i) => Number(isImage(i)));
    const inside = out.builder.literal(flags, out.dtype, [tokens, 1]);
    return add(mul(out, sub(1, inside)), mul(input, inside));
  };

  test("with queries blurred: only the image's", () => {
    const mean = (q: Value): Value => expand(reduceMean(q, [1], { keep: true }), q.shape);
    const queries = onImage(mean);
    expect(outputOf(perturbed({ kind: "blur-queries", sigma: Infinity } as never))).toBeAllClose(
      byHand({ queries }),
      { abs: 1e-6 },
    );
    const gaussian = (q: Value): Value => {
      const size = kernelSize(1, width);
      const one = (side: number): Value =>
        q.builder.literal(gaussianMatrix(side, size, 1), q.dtype, [side, side]);
      const grid = matmul(one(width), reshape(q, [2, height, width, 8]));
      return reshape(matmul(one(height), reshape(grid, [2, height, width * 8])), [2, image, 8]);
    };
    expect(outputOf(perturbed({ kind: "blur-queries", sigma: 1 } as never))).toBeAllClose(
      byHand({ queries: onImage(gaussian) }),
      { abs: 1e-6 },
    );
  });

  test("skipped: the image's part of the module gives zero, or its input", () => {
    const zero = (x: Value): Value => mul(x, 0);
    expect(outputOf(perturbed({ kind: "zero-attention" }))).toBeAllClose(
      byHand({ imageAttention: onImage(zero) }),
      { abs: 1e-6 },
    );
    expect(outputOf(perturbed({ kind: "skip-attention" }))).toBeAllClose(byHand({ imageAttention: given }), {
      abs: 1e-6,
    });
  });

  test("with the image's tokens shuffled as they enter the block", () => {
    const how = { kind: "shuffle-tokens", layers: ["blocks.1"] } as const;
    const name = randomInput(attentionLayers(plain)[1], how);
    const order = Array.from({ length: image }, (_, i) => (i * 5 + 3) % image);
    const entering = onImage((x) => gather(x, x.builder.literal(order, "int64"), 1));
    const got = outputOf(perturb(plain, how), { [name]: { data: order, shape: [image] } });
    expect(got).toBeAllClose(byHand({ entering }), { abs: 1e-6 });
  });

  test("without its block: both streams pass", () => {
    expect(outputOf(perturbed({ kind: "skip-block" }))).toBeAllClose(byHand({ skip: true }), { abs: 1e-6 });
    expect(outputOf(perturbed({ kind: "skip-feed-forward" }))).toBeAllClose(byHand({ imageForward: given }), {
      abs: 1e-6,
    });
  });

  test("with its block dropped by a number: both streams pass where it is 1, none where it is 0", () => {
    const how = { kind: "drop-blocks", layers: ["blocks.1"] } as const;
    const dropping = (gate: number): ArrayLike<number> =>
      outputOf(perturb(plain, how), { [gatesInput([1], how)]: { data: [gate], shape: [1] } });
    expect(dropping(1)).toBeAllClose(byHand({ skip: true }), { abs: 1e-6 });
    expect(dropping(0)).toBeAllClose(outputOf(plain), { abs: 1e-6 });
  });
});
