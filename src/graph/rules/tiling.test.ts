import { expect, test } from "vitest";
import { int } from "../attributes.ts";
import { trace } from "../builder.ts";
import { tanh } from "../ops/elementwise.ts";
import type { Value } from "../value.ts";
import { gradientSuite } from "./gradients.cases.ts";

const tile = (x: Value, repeats: number[]): Value =>
  x.builder.apply("Tile", [x, x.builder.literal(repeats, "int64")])[0];

gradientSuite([
  { name: "tile", inputs: { x: [2, 3, 2] }, network: ({ x }) => tanh(tile(tanh(x), [2, 1, 3])) },
  { name: "a tile of one", inputs: { x: [2, 3] }, network: ({ x }) => tanh(tile(x, [1, 1])) },
  ...[0, 1].flatMap((upper) =>
    [null, 1, -2].map((k) => ({
      name: `the ${upper ? "upper" : "lower"} triangle${k === null ? "" : ` from diagonal ${k}`}`,
      inputs: { x: [2, 3, 4] },
      network: ({ x }: Record<string, Value>) =>
        tanh(
          x.builder.apply("Trilu", k === null ? [x] : [x, x.builder.literal(k, "int64")], {
            attributes: { upper: int(upper) },
          })[0],
        ),
    })),
  ),
]);

test("repeats that do not fit are an error that names the node", () => {
  const wrong = () => trace({ x: { shape: [2, 3] } }, ({ x }) => ({ y: tile(x, [2]) }));
  expect(wrong).toThrow('1 repeats of [2, 3] at node "Tile"');
});
