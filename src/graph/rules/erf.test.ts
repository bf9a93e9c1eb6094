import { expect, test } from "vitest";
import { erf } from "./erf.ts";

test("the error function has its tabulated values", () => {
  // Abramowitz & Stegun, table 7.1, and erfc(5) = 1.5374597944280349e-12.
  const table: [number, number][] = [
    [0, 0],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [-2, -0.9953222650189527],
    [5, 1 - 1.5374597944280349e-12],
    [7, 1],
  ];
  for (const [x, want] of table) expect(erf(x)).toBeAllClose(want, { rel: 1e-15 });
});
