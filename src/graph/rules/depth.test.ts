import { expect, test } from "vitest";
import { int, string } from "../attributes.ts";
import { trace } from "../builder.ts";
import { interpret } from "../interpret.ts";
import { tanh } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

function moved(x: Value, op: string, block: number, mode?: string): Value {
  const attributes = { blocksize: int(block), ...(mode && { mode: string(mode) }) };
  return x.builder.apply(op, [x], { attributes })[0];
}

gradientSuite([
  {
    name: "depth to space, places first",
    inputs: { x: [2, 8, 1, 3] },
    network: ({ x }) => tanh(moved(x, "DepthToSpace", 2)),
  },
  {
    name: "depth to space, channels first",
    inputs: { x: [1, 8, 2, 3] },
    network: ({ x }) => tanh(moved(x, "DepthToSpace", 2, "CRD")),
  },
  {
    name: "space to depth",
    inputs: { x: [2, 2, 4, 6] },
    network: ({ x }) => tanh(moved(x, "SpaceToDepth", 2)),
  },
]);

test("space to depth is undone by depth to space with places first", () => {
  const shape = [1, 2, 2, 4];
  const graph = trace({ x: { shape } }, ({ x }) => ({
    deep: moved(x, "SpaceToDepth", 2),
    y: moved(moved(x, "SpaceToDepth", 2), "DepthToSpace", 2, "DCR"),
  }));
  const data = Array.from({ length: 16 }, (_, i) => i);
  const { deep, y } = interpret(graph, { x: { data, shape } });
  expect(deep.shape).toEqual([1, 8, 1, 2]);
  expect(deep.data).toBeAllClose([0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15], { abs: 0 });
  expect(y.data).toBeAllClose(data, { abs: 0 });
});

test("channels or sizes that make no blocks are errors that name the node", () => {
  const make = (op: string, shape: number[]) => () =>
    trace({ x: { shape } }, ({ x }, builder) => builder.scope("up", () => ({ y: moved(x, op, 2) })));
  expect(make("DepthToSpace", [1, 6, 2, 2])).toThrow(
    '6 channels make no blocks of 2 x 2 at node "up/DepthToSpace"',
  );
  expect(make("SpaceToDepth", [1, 1, 3, 2])).toThrow(
    'cannot be cut into blocks of 2 x 2 at node "up/SpaceToDepth"',
  );
  expect(make("SpaceToDepth", [1, 4, 4])).toThrow("SpaceToDepth of [1, 4, 4] with blocks of 2 at node");
});
