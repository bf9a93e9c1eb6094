import { describe, expect, test } from "vitest";
import { UsageError } from "../../base/errors.ts";
import { type Tensor, tensor } from "../../base/tensor.ts";
import { last } from "../last.ts";
import { karras } from "../sigmas.ts";
import { dpmAdaptive } from "./dpmAdaptive.ts";
import { samplers } from "./index.ts";

const sigmas = karras({ steps: 2, min: 0.1, max: 10 });
const x = tensor(Float64Array.of(3, -8), [1, 2]);

/** Ends a run that would go on for ever. */
function bounded(value: number): (x: Tensor) => Promise<Tensor> {
  let calls = 0;
  return (at) =>
    ++calls > 20_000
      ? Promise.reject(new Error("goes on"))
      : Promise.resolve(
          tensor(
            at.data.map((element) => value * Math.tanh(element)),
            at.shape,
          ),
        );
}

describe("dpm-adaptive ends", () => {
  test.each([0, 1e-300])("where no step is as exact as tolerances of %s", async (tolerance) => {
    const run = last(dpmAdaptive(bounded(1), x, sigmas, { rtol: tolerance, atol: tolerance }));
    await expect(run).rejects.toThrow(UsageError);
    await expect(run).rejects.toThrow("dpm-adaptive finds no step for rtol");
  });

  test.each([NaN, Infinity])("where predictions are %s", async (value) => {
    const run = last(dpmAdaptive(bounded(value), x, sigmas));
    await expect(run).rejects.toThrow("dpm-adaptive got what is no number at sigma");
  });

  test("well, where nothing is wrong", async () => {
    const end = await last(dpmAdaptive(bounded(1), x, sigmas));
    expect(end.data.every(Number.isFinite)).toBe(true);
  });
});

test.each([1, 2.5, 4])("order %s is refused: it is 2 or 3", async (order) => {
  const run = (async () => last(samplers["dpm-adaptive"].run(bounded(1), x, sigmas, { order })))();
  await expect(run).rejects.toThrow("order of sampler dpm-adaptive is a whole number from 2 to 3");
});
