/**
 * A network of two attention blocks over the pixels of [4, 2, 3], as a graph and written out in loops: what a perturbation makes of it
 * is known without the graph. D(x; label) = h2 + label/10, h1 = x + attention(x), h2 = h1 + attention(h1).
 */
import { philox } from "../../base/philox.ts";
import { type Tensor, rowSize, tensor } from "../../base/tensor.ts";
import type { Denoiser, Labels } from "../../diffusion/denoiser.ts";
import { trace } from "../../graph/builder.ts";
import { constantOf } from "../../graph/constant.ts";
import type { Graph } from "../../graph/graph.ts";
import { interpret } from "../../graph/interpret.ts";
import { add, mul } from "../../graph/ops/elementwise.ts";
import { matmul } from "../../graph/ops/linear.ts";
import { softmax } from "../../graph/ops/normalise.ts";
import { reshape, swapLast, transpose } from "../../graph/ops/reshape.ts";
import { type Drawn, drawRandomInputs, mapOutput, perturb, withAttentionMaps } from "../../graph/perturb.ts";
import type { Perturbation } from "../../graph/perturb.ts";
import type { Value } from "../../graph/value.ts";

export const [HEADS, SIZE, HEIGHT, WIDTH] = [2, 2, 2, 3];
export const [CHANNELS, TOKENS] = [HEADS * SIZE, HEIGHT * WIDTH];
export const LAYERS = ["down.0/attention", "mid.0/attention"] as const;

type Part = "q" | "k" | "v" | "out";
const parts: readonly Part[] = ["q", "k", "v", "out"];

/** [CHANNELS, CHANNELS] of a block, row by row, as float32 holds them. */
function weightsOf(block: number, part: Part): Float64Array {
  const weights = new Float64Array(CHANNELS ** 2);
  philox(5, 10 * block + parts.indexOf(part)).fillNormal(weights);
  return Float64Array.from(weights, (w) => Math.fround(0.7 * w));
}

const graphs = new Map<number, Graph>();

function graphFor(batch: number): Graph {
  const known = graphs.get(batch);
  if (known) return known;
  const made = trace({ x: { shape: [batch, CHANNELS, HEIGHT, WIDTH] } }, ({ x }, builder) => {
    let h = swapLast(reshape(x, [batch, CHANNELS, TOKENS]));
    LAYERS.forEach((name, block) => {
      h = builder.scope(name, () => add(h, attend(h, block, batch)));
    });
    return { y: reshape(swapLast(h), x.shape) };
  });
  graphs.set(batch, made);
  return made;
}

function attend(h: Value, block: number, batch: number): Value {
  const weight = (part: Part): Value =>
    h.builder.constant(constantOf("float32", [CHANNELS, CHANNELS], weightsOf(block, part)));
  const split = (part: Part): Value =>
    transpose(reshape(matmul(h, weight(part)), [batch, TOKENS, HEADS, SIZE]), [0, 2, 1, 3]);
  const map = softmax(mul(matmul(split("q"), swapLast(split("k"))), 1 / Math.sqrt(SIZE)));
  const context = transpose(matmul(map, split("v")), [0, 2, 1, 3]);
  return matmul(reshape(context, [batch, TOKENS, CHANNELS]), weight("out"));
}

/** The graph, run on the host in float64. */
export const attentionNetwork: Denoiser = {
  shape: [CHANNELS, HEIGHT, WIDTH],
  denoise(x, sigma, branches) {
    const graph = graphFor(x.shape[0]);
    const answers = branches.map(({ condition, perturbation }) => {
      const how = perturbation ? perturb(graph, perturbation) : graph;
      const { y } = interpret(how, { x, ...drawRandomInputs(how.inputs, sigma) });
      return labelled(y.data as Float64Array, x, condition);
    });
    return Promise.resolve(answers);
  },
  attended(x, _sigma, _branch, layers) {
    const maps = interpret(
      withAttentionMaps(graphFor(x.shape[0]), layers, { give: "received", alone: true }),
      { x },
    );
    return Promise.resolve(
      LAYERS.map((name) => mapOutput({ name }, "received"))
        .filter((output) => Object.hasOwn(maps, output))
        .map((output) =>
          tensor(Float64Array.from(maps[output].data as Float64Array), [x.shape[0], HEIGHT, WIDTH]),
        ),
    );
  },
};

function labelled(values: ArrayLike<number>, x: Tensor, condition: Labels | null): Tensor {
  const size = rowSize(x);
  const data = Float64Array.from(
    values,
    (value, i) => value + (condition?.[Math.floor(i / size)] ?? -1) / 10,
  );
  return tensor(data, x.shape);
}

/** What is drawn for a perturbation at a noise level, in the order of the graph's inputs. */
export function drawnFor(how: Perturbation, sigma: number): Drawn[] {
  return Object.values(drawRandomInputs(perturb(graphFor(1), how).inputs, sigma));
}

/** [tokens][channels] of one row. */
export type Tokens = number[][];
/** [heads][queries][keys] */
export type Map3 = number[][][];

/** What is changed in a block. */
export interface Change {
  readonly map?: (map: Map3) => Map3;
  readonly scores?: (scores: Map3) => Map3;
  readonly queries?: (queries: Tokens) => Tokens;
  readonly enters?: (tokens: Tokens) => Tokens;
  readonly skip?: boolean;
}

/** D(x; condition) with changes in the blocks, in loops. */
export function byHand(
  x: Tensor,
  condition: Labels | null,
  [first, second]: readonly [Change, Change],
): number[] {
  const size = rowSize(x);
  const all = Array.from({ length: x.shape[0] }, (_, row) => {
    const values = x.data.subarray(row * size, (row + 1) * size);
    const entering = range(TOKENS).map((t) => range(CHANNELS).map((c) => values[c * TOKENS + t]));
    const leaving = blockOf(blockOf(entering, 0, first), 1, second);
    return range(CHANNELS).flatMap((c) => range(TOKENS).map((t) => leaving[t][c]));
  });
  return Array.from(labelled(all.flat(), x, condition).data);
}

/** The maps of a block for one row of x. */
export function mapsByHand(x: Tensor, row: number, block: number): Map3 {
  let seen: Map3 = [];
  const watch: Change = {
    map(map) {
      seen = map;
      return map;
    },
  };
  const one = tensor(Float64Array.from(x.data.subarray(row * rowSize(x), (row + 1) * rowSize(x))), [
    1,
    ...x.shape.slice(1),
  ]);
  byHand(one, null, block === 0 ? [watch, {}] : [{}, watch]);
  return seen;
}

function blockOf(tokens: Tokens, block: number, change: Change): Tokens {
  if (change.skip) return tokens;
  const h = change.enters?.(tokens) ?? tokens;
  const times = (rows: Tokens, part: Part): Tokens => {
    const w = weightsOf(block, part);
    return rows.map((row) =>
      range(CHANNELS).map((j) => sum(row.map((value, i) => value * w[i * CHANNELS + j]))),
    );
  };
  const q = change.queries?.(times(h, "q")) ?? times(h, "q");
  const [k, v] = [times(h, "k"), times(h, "v")];
  const ofHead = (head: number, c: number): number => head * SIZE + c;

  const scores = range(HEADS).map((head) =>
    q.map((query) =>
      k.map(
        (key) => sum(range(SIZE).map((c) => query[ofHead(head, c)] * key[ofHead(head, c)])) / Math.sqrt(SIZE),
      ),
    ),
  );
  const softened = (change.scores?.(scores) ?? scores).map((rows) =>
    rows.map((row) => {
      const powers = row.map((score) => Math.exp(score - Math.max(...row)));
      return powers.map((power) => power / sum(powers));
    }),
  );
  const map = change.map?.(softened) ?? softened;
  const context = range(TOKENS).map((t) =>
    range(CHANNELS).map((c) => sum(v.map((value, key) => map[Math.floor(c / SIZE)][t][key] * value[c]))),
  );
  const added = times(context, "out");
  return h.map((row, t) => row.map((value, c) => value + added[t][c]));
}

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
