import { expect, test } from "vitest";
import { int, string } from "../attributes.ts";
import { trace } from "../builder.ts";
import { gradients } from "../gradients.ts";
import { interpret } from "../interpret.ts";
import { tanh } from "../ops/elementwise.ts";
import { reduceSum } from "../ops/reduce.ts";
import { reshape } from "../ops/reshape.ts";
import { gradientSuite } from "./gradients.cases.ts";

const indices = (shape: readonly number[], data: readonly number[]) => ({
  shape,
  data,
  kind: "integer" as const,
});

gradientSuite(
  ["none", "add", "mul", "min", "max"].flatMap((reduction) => {
    // Only sums and products are defined where an element is written twice.
    const apart = reduction === "none";
    return [
      {
        name: `elements written by ${reduction}`,
        inputs: { x: [3, 4], i: indices([2, 3], [1, 0, -1, 2, apart ? 3 : 2, 0]), u: [2, 3] },
        network: ({ x, i, u }) =>
          tanh(
            x.builder.apply("ScatterElements", [tanh(x), i, u], {
              attributes: { axis: int(1), reduction: string(reduction) },
            })[0],
          ),
      },
      {
        name: `slices written by ${reduction}`,
        inputs: { x: [3, 2, 2], i: indices([3, 1], [1, -3, apart ? 2 : 1]), u: [3, 2, 2] },
        network: ({ x, i, u }) =>
          tanh(
            x.builder.apply("ScatterND", [tanh(x), i, u], {
              attributes: { reduction: string(reduction) },
            })[0],
          ),
      },
    ];
  }),
);

test("a product that an update makes 0 still has the update's slope", () => {
  const graph = trace({ u: { dtype: "float64", shape: [2] } }, ({ u }, builder) => {
    const x = builder.literal([3, 5, 7], "float64");
    const i = builder.literal([1, 0], "int64");
    const [y] = builder.apply("ScatterElements", [x, i, u], { attributes: { reduction: string("mul") } });
    return { slope: gradients(reduceSum(y, [0]), [u])[0] };
  });
  expect(interpret(graph, { u: { data: [0, 2], shape: [2] } }).slope.data).toBeAllClose([5, 3], {});
});

test("ties share the gradient of a written maximum equally", () => {
  const graph = trace(
    { x: { dtype: "float64", shape: [2] }, u: { dtype: "float64", shape: [3] } },
    ({ x, u }, builder) => {
      const i = builder.literal([0, 0, 1], "int64");
      const [y] = builder.apply("ScatterElements", [x, i, u], { attributes: { reduction: string("max") } });
      const [dx, du] = gradients(reduceSum(y, [0]), [x, u]);
      return { dx, du };
    },
  );
  const found = interpret(graph, { x: { data: [4, 1], shape: [2] }, u: { data: [4, 4, 2], shape: [3] } });
  expect(found.dx.data).toBeAllClose([1 / 3, 0], {});
  expect(found.du.data).toBeAllClose([1 / 3, 1 / 3, 1], {});
});

test.each([
  ["ScatterElements", [2, 2], 'updates of [2, 2] for indices of [1, 2] at node "write"'],
  ["ScatterND", [3], 'updates of [3], wanted [1] at node "write"'],
] as const)("%s with updates of %j is an error that names the node", (op, updates, message) => {
  const wrong = () =>
    trace({ x: { shape: [2, 3] }, u: { shape: updates } }, ({ x, u }, builder) => ({
      y: builder.apply(op, [x, reshape(builder.literal([0, 1], "int64"), [1, 2]), u], { name: "write" })[0],
    }));
  expect(wrong).toThrow(message);
});

test("a reduction that there is not is an error that names the node", () => {
  const wrong = () =>
    trace({ x: { shape: [2] } }, ({ x }, builder) => ({
      y: builder.apply("ScatterElements", [x, builder.literal([0], "int64"), builder.literal([1])], {
        attributes: { reduction: string("xor") },
      })[0],
    }));
  expect(wrong).toThrow('ScatterElements has no rule for the reduction xor at node "ScatterElements"');
});
