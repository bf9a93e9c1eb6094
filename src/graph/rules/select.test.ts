import { expect, test } from "vitest";
import { nodeRuntime } from "../../runtime/node.ts";
import { int } from "../attributes.ts";
import { Builder, trace } from "../builder.ts";
import { numbersOf } from "../constant.ts";
import type { Attribute } from "../graph.ts";
import { interpret } from "../interpret.ts";
import { add, cast, tanh } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const top = (x: Value, k: number, attributes: Record<string, Attribute>): readonly Value[] =>
  x.builder.apply("TopK", [x, x.builder.literal([k], "int64")], { attributes, outputs: 2 });

gradientSuite([
  ...[1, 0].flatMap((largest) =>
    [0, -1].map((axis) => ({
      name: `the 2 ${largest ? "largest" : "smallest"} along axis ${axis}`,
      inputs: { x: [3, 4] },
      network: ({ x }: Record<string, Value>) => {
        const [values, places] = top(tanh(x), 2, { largest: int(largest), axis: int(axis) });
        return add(tanh(values), cast(places, x.dtype));
      },
    })),
  ),
  {
    name: "rows where a known condition holds",
    inputs: { x: [4, 2] },
    network: ({ x }) =>
      tanh(
        x.builder.apply("Compress", [x, x.builder.literal([0, 1, 1, 0], "bool")], {
          attributes: { axis: int(0) },
        })[0],
      ),
  },
  {
    name: "elements where a known condition holds",
    inputs: { x: [2, 3] },
    network: ({ x }) => tanh(x.builder.apply("Compress", [x, x.builder.literal([0, 1, 0, 1, 1], "bool")])[0]),
  },
  ...[0, 1].map((time) => ({
    name: `sequences along axis ${time} read backwards`,
    inputs: { x: [3, 3, 2] },
    network: ({ x }: Record<string, Value>) =>
      tanh(
        x.builder.apply("ReverseSequence", [x, x.builder.literal([1, 3, 2], "int64")], {
          attributes: { time_axis: int(time), batch_axis: int(1 - time) },
        })[0],
      ),
  })),
]);

test("of equal values TopK takes the first, as ONNX Runtime does", async () => {
  const graph = trace({ x: { shape: [6] } }, ({ x }) => {
    const [values, places] = top(x, 4, {});
    return { values, places };
  });
  const x = { data: Float32Array.of(2, 7, 2, 7, 1, 2), shape: [6] };
  const program = await nodeRuntime({ threads: 1 }).compile(graph);
  const native = await program.run({ x });
  await program.dispose();
  const host = interpret(graph, { x });
  expect(host.values.data).toBeAllClose([7, 7, 2, 2], {});
  expect(numbersOf(host.places)).toBeAllClose([1, 3, 0, 2], {});
  expect(native.values.data).toBeAllClose([7, 7, 2, 2], {});
  expect(Array.from(native.places.data as unknown as BigInt64Array, Number)).toEqual([1, 3, 0, 2]);
});

/** What a call on constants is folded to. */
function folded(
  op: string,
  make: (builder: Builder) => Value[],
  outputs: number,
  attributes: Record<string, Attribute> = {},
) {
  const builder = new Builder();
  return builder.apply(op, make(builder), { outputs, attributes }).map(({ constant, shape }) => ({
    shape,
    data: Array.from(numbersOf(constant!)),
  }));
}

test("what is not 0 in a known tensor is known", () => {
  const [found] = folded("NonZero", (b) => [b.literal([0, 3, 0, 4, 5, 0], "int64", [2, 3])], 1);
  expect(found).toEqual({ shape: [2, 3], data: [0, 1, 1, 1, 0, 1] });
});

test("the different elements and slices of a known tensor are known", () => {
  const list = (b: Builder) => [b.literal([2, 1, 1, 3, 4, 3], "float32")];
  const [y, first, inverse, counts] = folded("Unique", list, 4);
  expect(y.data).toEqual([1, 2, 3, 4]);
  expect(first.data).toEqual([1, 0, 3, 4]);
  expect(inverse.data).toEqual([1, 0, 0, 2, 3, 2]);
  expect(counts.data).toEqual([2, 1, 2, 1]);
  expect(folded("Unique", list, 1, { sorted: int(0) })[0].data).toEqual([2, 1, 3, 4]);
  const rows = (b: Builder) => [b.literal([1, 0, 2, 0, 1, 0], "float32", [3, 2])];
  expect(folded("Unique", rows, 1, { axis: int(0) })[0]).toEqual({ shape: [2, 2], data: [1, 0, 2, 0] });
});

test.each(["NonZero", "Unique"])(
  "%s of what is known at run time only is refused by name, with the way out",
  (op) => {
    const wrong = () =>
      trace({ x: { shape: [3] } }, ({ x }, builder) => ({ y: builder.apply(op, [x], { name: "pick" })[0] }));
    expect(wrong).toThrow(
      new RegExp(`"${op}" \\(node "pick"\\) gives depends on numbers.*choose with Where`),
    );
  },
);

test("more than an axis has is an error that names the node", () => {
  const wrong = () => trace({ x: { shape: [3] } }, ({ x }) => ({ y: top(x, 4, {})[0] }));
  expect(wrong).toThrow('4 of an axis of 3 at node "TopK"');
});
