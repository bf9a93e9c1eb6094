import { expect, test } from "vitest";
import { inPieces } from "./inPieces.ts";

test("pieces cover all rows in order, and never more run at once than there are lanes", async () => {
  let running = 0;
  let most = 0;
  const pieces = await inPieces(10, 3, 2, async (start, end) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 5 - start / 3));
    running--;
    return [start, end];
  });
  expect(pieces).toEqual([
    [0, 3],
    [3, 6],
    [6, 9],
    [9, 10],
  ]);
  expect(most).toBe(2);
});
