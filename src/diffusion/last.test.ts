import { expect, test } from "vitest";
import { last } from "./last.ts";

test("last runs to the end and returns what the generator returns", async () => {
  const seen: number[] = [];
  async function* count(): AsyncGenerator<number, string, void> {
    for (const i of [1, 2, 3]) {
      seen.push(i);
      yield await Promise.resolve(i);
    }
    return "end";
  }
  expect(await last(count())).toBe("end");
  expect(seen).toEqual([1, 2, 3]);
});

test("last passes on what the generator throws", async () => {
  // eslint-disable-next-line require-yield -- it throws before it would
  async function* fail(): AsyncGenerator<number, string, void> {
    await Promise.reject(new Error("no device"));
    return "never";
  }
  await expect(last(fail())).rejects.toThrow("no device");
});
