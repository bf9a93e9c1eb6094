import { expect, test } from "vitest";
import { int, string } from "../attributes.ts";
import { trace } from "../builder.ts";
import { interpret } from "../interpret.ts";
import { tanh } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

interface Modes {
  readonly mode?: string;
  readonly outside?: string;
  readonly corners?: boolean;
}

function sampled(
  x: Value,
  grid: Value,
  { mode = "linear", outside = "zeros", corners = false }: Modes,
): Value {
  return x.builder.apply("GridSample", [x, grid], {
    attributes: { mode: string(mode), padding_mode: string(outside), align_corners: int(corners ? 1 : 0) },
  })[0];
}

/** Points inside, and a little outside. */
const points = (shape: readonly number[]) => ({ shape, from: -1.3, to: 1.3 });

gradientSuite([
  {
    name: "an image read linearly, zeros outside",
    inputs: { x: [2, 1, 3, 2], g: points([2, 1, 2, 2]) },
    opset: 20,
    network: ({ x, g }) => tanh(sampled(x, g, {})),
  },
  {
    name: "an image read linearly from corner to corner, its edge outside",
    inputs: { x: [1, 2, 3, 2], g: points([1, 2, 1, 2]) },
    opset: 20,
    network: ({ x, g }) => sampled(x, g, { outside: "border", corners: true }),
  },
  {
    name: "a volume read linearly, reflected outside",
    inputs: { x: [1, 1, 2, 3, 2], g: points([1, 2, 1, 2, 3]) },
    opset: 20,
    second: false,
    network: ({ x, g }) => sampled(x, g, { outside: "reflection" }),
  },
  {
    name: "an image read at the nearest pixel",
    inputs: { x: [1, 2, 3, 3], g: points([1, 2, 2, 2]) },
    network: ({ x, g }) => tanh(sampled(x, g, { mode: "nearest", outside: "border" })),
  },
  {
    name: "an image read by cubics, reflected outside",
    inputs: { x: [1, 1, 3, 2], g: points([1, 1, 1, 2]) },
    network: ({ x, g }) => sampled(x, g, { mode: "bicubic", outside: "reflection", corners: true }),
  },
]);

test("the grid of an image's own pixels gives the image back", () => {
  const shape = [1, 1, 2, 3];
  const columns = [-2 / 3, 0, 2 / 3];
  const grid = [-0.5, 0.5].flatMap((y) => columns.flatMap((x) => [x, y]));
  const data = [1, 2, 3, 4, 5, 6];
  for (const mode of ["linear", "nearest", "cubic"]) {
    const graph = trace({ x: { shape }, g: { shape: [1, 2, 3, 2] } }, ({ x, g }) => ({
      y: sampled(x, g, { mode }),
    }));
    const { y } = interpret(graph, { x: { data, shape }, g: { data: grid, shape: [1, 2, 3, 2] } });
    expect(y.shape).toEqual(shape);
    expect(y.data).toBeAllClose(data, { abs: 1e-6 });
  }
});

test("a grid of another number of axes, and unknown modes, are errors that name the node", () => {
  const make = (grid: number[], modes: Modes) => () =>
    trace({ x: { shape: [1, 1, 2, 3] }, g: { shape: grid } }, ({ x, g }, builder) =>
      builder.scope("warp", () => ({ y: sampled(x, g, modes) })),
    );
  expect(make([1, 2, 2], {})).toThrow(
    'GridSample of [1, 1, 2, 3] by a grid [1, 2, 2] at node "warp/GridSample"',
  );
  expect(make([1, 2, 2, 2], { outside: "wrap" })).toThrow('no mode "linear" with "wrap" outside at node');
});
