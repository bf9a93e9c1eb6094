import { expect, test } from "vitest";
import { exerciseModel } from "../src/testing/exerciseModel.ts";
import { modelsToMutate } from "../src/testing/fixtureModels.ts";
import { mutantOf } from "../src/testing/fuzz.ts";

const models = modelsToMutate();

test("500 damaged models are read and rewritten, or refused in a sentence", () => {
  const outcomes = new Set<string>();
  for (let index = 0; index < 500; index++) {
    const mutant = mutantOf(models, 3, index);
    expect(
      () => outcomes.add(exerciseModel(mutant)),
      `npm run fuzz -- --seed 3 --from ${index} --count 1`,
    ).not.toThrow();
  }
  expect(outcomes).toEqual(new Set(["rewritten", "kept", "refused"]));
});

test("the same seed damages models in the same way", () => {
  for (const index of [0, 1, 2, 3]) expect(mutantOf(models, 3, index)).toEqual(mutantOf(models, 3, index));
});
