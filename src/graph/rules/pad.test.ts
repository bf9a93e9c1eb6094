import { expect, test } from "vitest";
import { string } from "../attributes.ts";
import { trace } from "../builder.ts";
import { gradients } from "../gradients.ts";
import { interpret } from "../interpret.ts";
import { add, tanh } from "../ops/elementwise.ts";
import { pad } from "../ops/indexing.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

function padded(
  x: Value,
  mode: string,
  widths: readonly number[],
  { fill, axes }: { fill?: Value; axes?: readonly number[] } = {},
): Value {
  const list = (numbers: readonly number[]): Value => x.builder.literal(numbers, "int64");
  const inputs = [x, list(widths), fill ?? null, axes ? list(axes) : null];
  return x.builder.apply("Pad", axes ? inputs : inputs.slice(0, fill ? 3 : 2), {
    attributes: { mode: string(mode) },
  })[0];
}

gradientSuite([
  { name: "pad", inputs: { x: [2, 3] }, network: ({ x }) => tanh(pad(x, [1, 0, 2, 1])) },
  { name: "a pad that cuts", inputs: { x: [4, 3] }, network: ({ x }) => tanh(pad(x, [-1, 1, 0, -2])) },
  {
    name: "a pad filled with an input",
    inputs: { x: [2, 3], v: [] },
    network: ({ x, v }) => tanh(padded(x, "constant", [1, 0, -1, 2], { fill: v })),
  },
  {
    name: "a pad that repeats the edge",
    inputs: { x: [2, 3] },
    network: ({ x }) => tanh(padded(x, "edge", [0, 3, 2, 1])),
  },
  {
    name: "a pad that reflects along named axes",
    inputs: { x: [2, 4, 3] },
    network: ({ x }) => tanh(padded(x, "reflect", [2, 3, 1, 2], { axes: [-1, 1] })),
  },
  {
    name: "a pad that reflects what is left of an axis",
    inputs: { x: [5] },
    network: ({ x }) => tanh(padded(x, "reflect", [-1, 2])),
  },
  {
    name: "a pad that goes round",
    inputs: { x: [3, 2] },
    opset: 19,
    network: ({ x }) => tanh(padded(x, "wrap", [2, 1, 4, 3])),
  },
]);

test("a pad of named axes fills in a given value", () => {
  const graph = trace({ x: { shape: [2, 2] } }, ({ x }, builder) => {
    const widths = builder.literal([1, 0], "int64");
    const axes = builder.literal([-1], "int64");
    return { y: builder.apply("Pad", [x, widths, builder.literal(9), axes])[0] };
  });
  expect(interpret(graph, { x: { data: [1, 2, 3, 4], shape: [2, 2] } }).y.data).toBeAllClose(
    [9, 1, 2, 9, 3, 4],
    {},
  );
});

test("each mode reads its own elements outside", () => {
  const graph = trace({ x: { shape: [3] } }, ({ x }) => ({
    edge: padded(x, "edge", [2, 2]),
    reflect: padded(x, "reflect", [2, 2]),
    wrap: padded(x, "wrap", [2, 2]),
    cut: padded(x, "edge", [-1, 2]),
  }));
  const { edge, reflect, wrap, cut } = interpret(graph, { x: { data: [1, 2, 3], shape: [3] } });
  expect(edge.data).toBeAllClose([1, 1, 1, 2, 3, 3, 3], { abs: 0 });
  expect(reflect.data).toBeAllClose([3, 2, 1, 2, 3, 2, 1], { abs: 0 });
  expect(wrap.data).toBeAllClose([2, 3, 1, 2, 3, 1, 2], { abs: 0 });
  expect(cut.data).toBeAllClose([2, 3, 3, 3], { abs: 0 });
});

test("the gradient of a pad counts how often each element was read, and its fill's how often it stands", () => {
  const graph = trace({ x: { shape: [4] }, v: { shape: [] } }, ({ x, v }) => {
    const y = padded(x, "reflect", [2, 3]);
    const z = padded(x, "constant", [2, -1], { fill: v });
    return { dx: gradients(add(y, 0), [x])[0], dv: gradients(z, [v])[0] };
  });
  const { dx, dv } = interpret(graph, { x: { data: [1, 2, 3, 4], shape: [4] }, v: { data: [0], shape: [] } });
  expect(dx.data).toBeAllClose([2, 3, 3, 1], { abs: 0 });
  expect(dv.data).toBeAllClose([2], { abs: 0 });
});

test("pads that cut more than there is, too few pads and unknown modes are errors that name the node", () => {
  const make = (mode: string, widths: number[]) => () =>
    trace({ x: { shape: [2, 3] } }, ({ x }, builder) =>
      builder.scope("pool", () => ({ y: padded(x, mode, widths) })),
    );
  expect(make("constant", [0, -2, 0, -2])).toThrow('pads of -2 and -2 for an axis of 3 at node "pool/Pad"');
  expect(make("edge", [1, 1])).toThrow('2 pads for 2 axes at node "pool/Pad"');
  expect(make("mirror", [1, 0, 0, 0])).toThrow('Pad has no mode "mirror" at node "pool/Pad"');
});
