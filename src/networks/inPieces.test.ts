import { expect, test } from "vitest";
import { inPieces, rowsOfPiece } from "./inPieces.ts";

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

test("a batch is cut into quarters, but into pieces of some use and not too large ones", () => {
  expect([1, 2, 4, 5, 16, 100].map((total) => rowsOfPiece(total, 1, 4))).toEqual([1, 1, 1, 2, 4, 4]);
  expect([1, 1000, 3000, 8192].map((total) => rowsOfPiece(total, 512, 1024))).toEqual([512, 512, 750, 1024]);
});
