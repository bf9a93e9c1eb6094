import { describe, expect, test } from "vitest";
import { batchIndices } from "./batchIndices.ts";
import { imageDataset, labelOf } from "./dataset.ts";

const arrays = {
  name: "tiny",
  shape: [1, 1, 2] as const,
  classes: ["Cat", "Dog"],
  labels: [0, 1, 1],
  images: Uint8Array.of(0, 255, 51, 102, 153, 204),
};

describe("batch", () => {
  test("writes the asked images in [-1, 1] in the asked order and returns their labels", () => {
    const out = new Float32Array(6);
    expect(imageDataset(arrays).batch([2, 0, 2], out)).toEqual([1, 0, 1]);
    expect(out).toBeAllClose([0.2, 0.6, -1, 1, 0.2, 0.6], { abs: 1e-7 });
  });

  test("without labels every label is -1, the null condition", () => {
    const dataset = imageDataset({ ...arrays, labels: null, classes: [] });
    expect(dataset.batch(Int32Array.of(0, 1), new Float32Array(4))).toEqual([-1, -1]);
  });

  test("indices and buffers that do not fit are refused", () => {
    const dataset = imageDataset(arrays);
    expect(() => dataset.batch([3], new Float32Array(2))).toThrow("tiny has images 0 to 2, got index 3");
    expect(() => dataset.batch([-1], new Float32Array(2))).toThrow("got index -1");
    expect(() => dataset.batch([0], new Float32Array(3))).toThrow("1 images of tiny are 2 values, got 3");
  });
});

test("arrays that do not belong together are refused", () => {
  expect(() => imageDataset({ ...arrays, labels: [0] })).toThrow("tiny has 3 images but 1 labels");
  expect(() => imageDataset({ ...arrays, labels: [0, 1, 2] })).toThrow("tiny has a label 2, wanted 0 to 1");
  expect(() => imageDataset({ ...arrays, images: new Uint8Array(5) })).toThrow("wanted a multiple of 2");
  expect(() => imageDataset({ ...arrays, images: new Uint8Array(0) })).toThrow("at least one image");
});

test("a class is found by name or number, an unknown one is answered with the list", () => {
  const dataset = imageDataset(arrays);
  expect([labelOf(dataset, "dog"), labelOf(dataset, "0"), labelOf(dataset, 1)]).toEqual([1, 0, 1]);
  for (const bad of ["bird", "2", "-1", 2, ""]) {
    expect(() => labelOf(dataset, bad)).toThrow(`tiny has no class "${bad}"; its classes are 0 Cat, 1 Dog`);
  }
});

describe("batchIndices", () => {
  test("every epoch holds every sample once, also when batches reach over its end", () => {
    const [count, batchSize] = [10, 4];
    const drawn = Array.from({ length: 15 }, (_, step) => [
      ...batchIndices(7, step, batchSize, count),
    ]).flat();
    const epochs = Array.from({ length: 6 }, (_, e) => drawn.slice(e * count, (e + 1) * count));
    for (const epoch of epochs) expect([...epoch].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(new Set(epochs.map(String)).size).toBe(6);
  });

  test("a step's batch depends on its arguments only, not on the steps asked before", () => {
    const forward = Array.from({ length: 40 }, (_, step) => String(batchIndices(1, step, 3, 7)));
    for (let step = 39; step >= 0; step--) {
      batchIndices(2, step, 5, 11);
      expect(String(batchIndices(1, step, 3, 7))).toBe(forward[step]);
    }
    expect(String(batchIndices(2, 0, 7, 7))).not.toBe(String(batchIndices(1, 0, 7, 7)));
  });

  test("the order of an epoch does not depend on the batch size", () => {
    const flat = (size: number) =>
      Array.from({ length: 60 / size }, (_, s) => [...batchIndices(3, s, size, 20)]).flat();
    expect(flat(60)).toEqual(flat(4));
  });

  test("numbers that make no batch are refused", () => {
    expect(() => batchIndices(0, -1, 4, 10)).toThrow("the step is an integer of at least 0, got -1");
    expect(() => batchIndices(0, 0, 0, 10)).toThrow("the batch size is an integer of at least 1");
    expect(() => batchIndices(0, 0, 1, 0)).toThrow("the count of samples is an integer of at least 1");
  });
});
