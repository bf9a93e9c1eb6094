import { expect, test } from "vitest";
import { float, int } from "./attributes.ts";
import { Builder, trace } from "./builder.ts";
import { decompose } from "./decompose.ts";
import { gradients } from "./gradients.ts";
import type { Graph } from "./graph.ts";
import { interpret } from "./interpret.ts";
import { matmul } from "./ops/linear.ts";
import { tanh } from "./ops/elementwise.ts";
import { declareInputs, replay } from "./replay.ts";
import { differentiate, simplify } from "./transform.ts";
import { UsageError } from "../base/errors.ts";

const shape = [1, 3, 4];
const network = trace({ x: { shape }, w: { shape: [4, 4] } }, ({ x, w }, builder) => {
  const query = matmul(x, w);
  const [y] = builder.apply("MultiHeadAttention", [query, x, tanh(query)], {
    domain: "com.microsoft",
    attributes: { num_heads: int(2), scale: float(0.5) },
    name: "block/attention",
  });
  return { y };
});
const feeds = {
  x: { shape, data: Array.from({ length: 12 }, (_, i) => Math.sin(i)) },
  w: { shape: [4, 4], data: Array.from({ length: 16 }, (_, i) => Math.cos(i)) },
};

test("decompose writes a fused attention in standard operators of the same values, below the node's name", () => {
  const plain = decompose(network);
  expect(plain.nodes.every(({ domain }) => domain === "")).toBe(true);
  expect(plain.nodes.find(({ op }) => op === "Softmax")!.name).toBe("block/attention/Softmax");
  const [want, got] = [interpret(network, feeds), interpret(plain, feeds)];
  expect(got.y.data).toBeAllClose(want.y.data, { abs: 1e-15 });
});

test("decompose returns a graph without fused operators as it is, and simplify leaves fused ones", () => {
  const plain = decompose(network);
  expect(decompose(plain)).toBe(plain);
  expect(simplify(network).nodes.map(({ op }) => op)).toContain("MultiHeadAttention");
});

// Keys are x itself and values depend on the queries: each path to an input counts once.
const ways: readonly (readonly [string, Graph])[] = [
  ["differentiate", differentiate(network, "y", ["x", "w"])],
  ["gradients", withGradients()],
];

function withGradients(): Graph {
  const builder = new Builder();
  const inputs = declareInputs(network, builder);
  const { y } = replay(network, builder, inputs);
  const [dx, dw] = gradients(y, [inputs.x, inputs.w]);
  return builder.build({ "gradient/x": dx, "gradient/w": dw });
}

test.each(ways)("%s goes through fused operators whose inputs depend on one another", (_, graph) => {
  const found = interpret(graph, feeds);
  for (const name of ["x", "w"] as const) {
    const total = (i: number, shift: number): number => {
      const data = feeds[name].data.map((v, k) => (k === i ? v + shift : v));
      const { y } = interpret(network, { ...feeds, [name]: { ...feeds[name], data } });
      return (y.data as Float64Array).reduce((a, b) => a + b, 0);
    };
    const want = feeds[name].data.map((_, i) => (total(i, 1e-5) - total(i, -1e-5)) / 2e-5);
    expect(found[`gradient/${name}`].data).toBeAllClose(want, { abs: 1e-7, rel: 1e-6 });
  }
});

test("a fused operator that cannot be written so says why, and which node it is", () => {
  const shared = (): Graph =>
    trace({ x: { shape }, past: { dtype: "int32", shape: [1] } }, ({ x, past }, builder) => ({
      y: builder.apply("MultiHeadAttention", [x, x, x, null, null, null, null, null, past], {
        domain: "com.microsoft",
        attributes: { num_heads: int(2) },
        name: "decoder",
      })[0],
    }));
  expect(shared).toThrow(UsageError);
  expect(shared).toThrow("MultiHeadAttention with a shared buffer of earlier keys");
  expect(shared).toThrow('at node "decoder"');
});
