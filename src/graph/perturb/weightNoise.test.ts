import { expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import { Builder, trace } from "../builder.ts";
import { constantOf, numbersOf } from "../constant.ts";
import type { Constant, Graph } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { add } from "../ops/elementwise.ts";
import { matmul } from "../ops/linear.ts";
import { perturb, perturbing } from "../perturb.ts";
import { declareInputs, replay } from "../replay.ts";
import { attentionLayers } from "../attention.ts";
import { softmax } from "../ops/normalise.ts";
import { swapLast } from "../ops/reshape.ts";

const side = 80;

/** x a + b, then times c; a and c large enough to keep their names. */
function network(dtype: "float32" | "float16" = "float32"): Graph {
  return trace({ x: { dtype, shape: [2, side] } }, ({ x }, builder) => {
    const weight = (stream: number): Constant => {
      const numbers = new Float64Array(side * side);
      philox(1, stream).fillNormal(numbers);
      return constantOf(
        dtype,
        [side, side],
        numbers.map((n) => 3 + 0.5 * n),
      );
    };
    const first = builder.scope("blocks.0", () => matmul(x, builder.constant(weight(1), "a")));
    const bias = builder.constant(constantOf(dtype, [side], new Array<number>(side).fill(0.1)), "b");
    return { y: builder.scope("blocks.1", () => matmul(add(first, bias), builder.constant(weight(2), "c"))) };
  });
}

const numbers = (graph: Graph, name: string): Float64Array => {
  const found = [...graph.initializers].find(([key]) => key.startsWith(name))!;
  return numbersOf(found[1]);
};

const spread = (values: Float64Array): number => {
  const mean = values.reduce((a, b) => a + b) / values.length;
  return Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
};

test.each(["float32", "float16"] as const)(
  "noise has the wanted part of each weight's own spread (%s)",
  (dtype) => {
    const plain = network(dtype);
    const noisy = perturb(plain, { kind: "weight-noise", std: 0.4 });
    for (const name of ["a", "c"]) {
      const noise = numbers(noisy, name).map((w, i) => w - numbers(plain, name)[i]);
      const relative = spread(noise) / spread(numbers(plain, name));
      // Standard error 0.4 / sqrt(2 * 6400).
      expect(Math.abs(relative - 0.4)).toBeLessThan(4 * 0.0035);
    }
    // A vector is no matrix or kernel.
    expect(numbers(noisy, "b")).toEqual(numbers(plain, "b"));
  },
);

test("noise follows its seed, differs by weight, and 0 is off", () => {
  const plain = network();
  const noise = (std: number, seed: number, name: string): Float64Array =>
    numbers(perturb(plain, { kind: "weight-noise", std, seed }), name).map(
      (w, i) => w - numbers(plain, name)[i],
    );
  expect(noise(0, 1, "a").every((n) => n === 0)).toBe(true);
  expect(noise(0.1, 1, "a")).toEqual(noise(0.1, 1, "a"));
  expect(noise(0.1, 1, "a")).not.toEqual(noise(0.1, 2, "a"));
  const [a, c] = [noise(0.1, 1, "a"), noise(0.1, 1, "c")];
  const correlation = a.reduce((sum, n, i) => sum + n * c[i], 0) / (a.length * spread(a) * spread(c));
  // Standard error 1 / sqrt(6400).
  expect(Math.abs(correlation)).toBeLessThan(4 / 80);
});

test("weights are chosen by their name or their reader's module", () => {
  const plain = network();
  for (const weights of [["a"], ["blocks.0"], ["/^blocks\\.0\\.weight$/"]]) {
    const noisy = perturb(plain, { kind: "weight-noise", std: 1, weights });
    expect(numbers(noisy, "a")).not.toEqual(numbers(plain, "a"));
    expect(numbers(noisy, "c")).toEqual(numbers(plain, "c"));
  }
  expect(() => perturb(plain, { kind: "weight-noise", std: 1, weights: ["d"] })).toThrow(
    'no weight is called "d"; there are for example blocks.',
  );
});

test("the plain and the noisy network in one graph share what is not noisy, also when asked twice", () => {
  const plain = network();
  const builder = new Builder();
  const inputs = declareInputs(plain, builder);
  const how = { kind: "weight-noise", std: 1, weights: ["/^c/"] } as const;
  const outputs = [undefined, how, { ...how }].map(
    (one) => replay(plain, builder, inputs, one && perturbing(plain, builder, one)).y,
  );
  const merged = builder.build(Object.fromEntries(outputs.map((y, i) => [String(i), y])));
  expect(merged.nodes.filter(({ op }) => op === "MatMul")).toHaveLength(3);
});

test("no perturbation reads large weights: noise does when they are written", () => {
  let reads = 0;
  const unread: Constant = {
    dtype: "float32",
    shape: [side, side],
    get data() {
      reads++;
      return new Float32Array(side * side).fill(0.01);
    },
  };
  const graph = trace({ x: { shape: [2, 6, side] } }, ({ x }, builder) => {
    const [q, k, v] = [1, 2, 3].map((i) => add(matmul(x, builder.constant(unread, "w")), i));
    return { y: add(x, matmul(softmax(matmul(q, swapLast(k))), v)) };
  });
  expect(attentionLayers(graph)).toHaveLength(1);
  for (const kind of ["identity", "uniform", "off-diagonal-mask", "zero-attention", "skip-block"] as const)
    perturb(graph, { kind, layers: "all" });
  perturb(graph, { kind: "blur-queries", sigma: 1, layers: "all", grid: [2, 3] });
  const noisy = perturb(graph, { kind: "weight-noise", std: 1 });
  expect(reads).toBe(0);
  expect(spread(numbers(noisy, "w"))).toBeLessThan(1e-6);
  expect(reads).toBe(1);
});

test("weights that a graph's own functions read get the same noise as without functions", () => {
  const plain = network();
  const weights = [...plain.initializers.keys()];
  const inputs = ["x", ...weights];
  const called: Graph = {
    ...plain,
    domains: { own: 1 },
    functions: [
      {
        domain: "own",
        name: "Net",
        inputs,
        outputs: ["y"],
        attributes: [],
        defaults: {},
        nodes: plain.nodes,
        opsets: { "": plain.opset },
      },
    ],
    nodes: [{ op: "Net", domain: "own", name: "net", inputs, outputs: ["y"], attributes: {} }],
  };
  const x = { data: Float64Array.from({ length: 2 * side }, (_, i) => Math.sin(i)), shape: [2, side] };
  const noisy = (graph: Graph) => interpret(perturb(graph, { kind: "weight-noise", std: 0.4 }), { x }).y.data;
  expect(noisy(called)).toBeAllClose(noisy(plain), { rel: 1e-12 });
  expect(noisy(called)).not.toEqual(interpret(plain, { x }).y.data);
});
