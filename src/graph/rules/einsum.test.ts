import { expect, test } from "vitest";
import { string } from "../attributes.ts";
import { trace } from "../builder.ts";
import { interpret } from "../interpret.ts";
import { tanh } from "../ops/elementwise.ts";
import { gradientSuite } from "./gradients.cases.ts";

const names = ["a", "b", "c"];
const equations: Record<string, readonly (readonly number[])[]> = {
  "bij,bjk->bik": [
    [2, 2, 3],
    [2, 3, 2],
  ],
  "ij->ji": [[2, 3]],
  "ij->": [[2, 3]],
  "i,i->": [[3], [3]],
  "i,j->ij": [[2], [3]],
  "bn,anm,bm->ba": [
    [2, 3],
    [2, 3, 2],
    [2, 2],
  ],
  "...ij,...jk->...ik": [
    [2, 2, 2, 3],
    [2, 2, 3, 2],
  ],
  "...ij->...": [[2, 2, 3]],
  "ji,jk": [
    [3, 2],
    [3, 2],
  ],
  "ii->i": [[3, 3]],
  "ii->": [[3, 3]],
  "iji,j->i": [[2, 3, 2], [3]],
  "ij, k -> i": [[2, 3], [2]],
};

gradientSuite(
  Object.entries(equations).map(([equation, shapes]) => ({
    name: `einsum ${equation}`,
    inputs: Object.fromEntries(shapes.map((shape, i) => [names[i], shape])),
    network: (values) => {
      const operands = shapes.map((_, i) => tanh(values[names[i]]));
      return operands[0].builder.apply("Einsum", operands, { attributes: { equation: string(equation) } })[0];
    },
  })),
);

const einsum = (equation: string, shapes: readonly (readonly number[])[]) =>
  trace(Object.fromEntries(shapes.map((shape, i) => [names[i], { shape }])), (values, builder) => ({
    y: builder.apply("Einsum", Object.values(values), {
      attributes: { equation: string(equation) },
      name: "sum",
    })[0],
  }));

test("the output of an equation without an arrow is in the alphabet's order", () => {
  const { y } = interpret(einsum("ba", [[2, 3]]), { a: { data: [1, 2, 3, 4, 5, 6], shape: [2, 3] } });
  expect(y.shape).toEqual([3, 2]);
  expect(y.data).toBeAllClose([1, 4, 2, 5, 3, 6], {});
});

test.each([
  ["ij,jk->ik", [[2, 3]], 'the equation "ij,jk->ik" is not for 1 operands at node "sum"'],
  ["ijk->i", [[2, 3]], '"ijk" does not fit [2, 3] at node "sum"'],
  [
    "ij,jk->ik",
    [
      [2, 3],
      [4, 2],
    ],
    '"ij,jk->ik" with "j" of 3 and 4 at node "sum"',
  ],
  ["ij->ik", [[2, 3]], '"ij->ik" with "k" in no operand at node "sum"'],
] as const)("%s of %j is an error that names the node", (equation, shapes, message) => {
  expect(() => einsum(equation, shapes)).toThrow(message);
});
