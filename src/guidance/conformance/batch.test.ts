/** A sample's prediction is its own: not that of its batch, of its place in it, or of others' weights. */
import { expect } from "vitest";
import { rows, tensor } from "../../base/tensor.ts";
import { type At, labels, seeds } from "../../testing/guidanceModel.ts";
import { weightAt } from "../weight.ts";
import { weightOf } from "../schedules.ts";
import { weightValues } from "../values.ts";
import { type Case, everyMethod, run, twoSteps } from "./suite.cases.ts";

/** The row's two steps for the samples of these numbers alone, with their labels and seeds. */
function runOf(one: Case, samples: readonly number[], strength?: number | string) {
  const ats = twoSteps(one.row).map(({ x, ...at }): At => {
    const picked = samples.flatMap((i) => Array.from(rows(x, i, i + 1).data));
    return { ...at, x: tensor(Float64Array.from(picked), [samples.length, ...x.shape.slice(1)]) };
  });
  const asking = { condition: samples.map((i) => labels[i]), seeds: samples.map((i) => seeds[i]) };
  return run(one, strength, "", asking, ats);
}

/** The values of the sample at a place of the batch, at both steps. */
function valuesAt({ predictions }: Awaited<ReturnType<typeof run>>, place: number): number[] {
  return predictions.flatMap((prediction) => Array.from(rows(prediction, place, place + 1).data));
}

everyMethod(
  "batch",
  "a sample alone is the sample of a batch, bit for bit, wherever it stands in it",
  async (one) => {
    const together = await runOf(one, [0, 1, 2]);
    const turned = await runOf(one, [2, 0, 1]);
    for (const [i, place] of [1, 2, 0].entries()) {
      const want = valuesAt(together, i);
      expect(valuesAt(turned, place)).toEqual(want);
      expect(valuesAt(await runOf(one, [i]), 0)).toEqual(want);
    }
  },
);

everyMethod(
  "weights",
  "samples with strengths of their own are what each strength makes of them alone",
  async (one) => {
    const off = one.off ?? 1;
    const { on = 3 } = one.row;
    const strengths = [off, on, (off + on) / 2];
    const together = await runOf(one, [0, 1, 2], `rows(${strengths.join("|")})`);
    for (const [i, strength] of strengths.entries()) {
      expect(valuesAt(together, i), String(strength)).toEqual(valuesAt(await runOf(one, [i], strength), 0));
    }
  },
);

everyMethod("weights", "a schedule is, at each noise level, the strength that it has there", async (one) => {
  const { on = 3 } = one.row;
  const off = one.off ?? 1;
  for (const schedule of [`linear(${on})`, `cosine(${on})`, `beta(${on}|2|3)`, `steps(${off}|${on})`]) {
    for (const at of twoSteps(one.row)) {
      const spec = weightValues.read(schedule)!;
      const weight = weightAt(weightOf(spec, off), at.sigma, at.step!, 3) as number;
      const scheduled = await run(one, schedule, "", {}, [at]);
      const constant = await run(one, weight - 1 + off, "", {}, [at]);
      expect(scheduled.values, schedule).toBeAllClose(constant.values, { abs: 1e-13, rel: 1e-13 });
      expect(scheduled.evaluations).toEqual(constant.evaluations);
    }
  }
});
