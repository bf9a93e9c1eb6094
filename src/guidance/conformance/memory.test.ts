/** A memory goes on once a step of the sampler, whatever the sampler; what has none is the same in every order. */
import { expect } from "vitest";
import { seededNoise } from "../../base/philox.ts";
import { scale } from "../../base/tensor.ts";
import type { Evaluate, Prediction } from "../../diffusion/denoiser.ts";
import { last } from "../../diffusion/last.ts";
import { samplers } from "../../diffusion/samplers/index.ts";
import { karras } from "../../diffusion/sigmas.ts";
import { type At, guidedModel, samples, seeds } from "../../testing/guidanceModel.ts";
import { type Case, distance, everyMethod, run, specOf, twoSteps } from "./suite.cases.ts";

const sigmas = karras({ steps: 5, min: 0.1, max: 10 });

interface Call extends At {
  readonly step: number;
  readonly denoised: Prediction;
}

/** Every evaluation of a run of a sampler. */
async function callsOf(evaluate: Evaluate, sampler: keyof typeof samplers): Promise<Call[]> {
  const calls: Call[] = [];
  const listening: Evaluate = async (x, sigma, step) => {
    const denoised = await evaluate(x, sigma, step);
    calls.push({ x, sigma, step: step!, denoised });
    return denoised;
  };
  const noise = (index: number, shape: readonly number[]) => seededNoise(seeds, index + 1, shape, "float64");
  await last(samplers[sampler].run(listening, scale(10, samples), sigmas, { noise }));
  return calls;
}

const several = (Object.keys(samplers) as (keyof typeof samplers)[]).filter(
  (name) => samplers[name].evaluations(5) !== 5 || name === "dpm-fast",
);

const guided = ({ row }: Case, more = ""): Evaluate =>
  guidedModel(specOf(row, undefined, more), { separate: row.separate }).evaluate;

/** Every evaluation is what it is after the first ones of the steps before alone. */
async function expectStepsAlone(one: Case, sampler: keyof typeof samplers, more: string): Promise<void> {
  const calls = await callsOf(guided(one, more), sampler);
  const firsts = calls.filter(({ step }, i) => step !== calls[i - 1]?.step);
  expect(firsts.length, sampler).toBeLessThan(calls.length);
  for (const call of calls.filter(({ step }) => step < 5)) {
    const fresh = guided(one, more);
    for (const { x, sigma, step } of firsts) if (step < call.step) await fresh(x, sigma, step);
    const { data } = await fresh(call.x, call.sigma, call.step);
    expect(data, sampler).toEqual(call.denoised.data);
  }
}

// An interval that begins and ends within steps: some are entered by their second evaluation only. What has no memory needs one sampler
// to show it.
for (const more of ["", ",interval=0.3..4"]) {
  everyMethod(
    more === "" ? null : "interval",
    `under samplers of several evaluations a step${more} each evaluation sees the memory of the steps before`,
    async (one) => {
      for (const sampler of one.row.remembers ? several : (["heun"] as const))
        await expectStepsAlone(one, sampler, more);
    },
  );
}

everyMethod(null, "a new run begins anew", async (one) => {
  const evaluate = guided(one);
  const once = await callsOf(evaluate, "heun");
  const again = await callsOf(evaluate, "heun");
  expect(again.map(({ denoised }) => denoised.data)).toEqual(once.map(({ denoised }) => denoised.data));
});

everyMethod(null, "the steps before count where it says that it remembers, and only there", async (one) => {
  const [, second] = twoSteps(one.row);
  const alone = (await run(one, undefined, "", {}, [second])).values;
  const after = Array.from((await run(one)).predictions[1].data);
  if (one.row.remembers) expect(distance(after, alone)).toBeGreaterThan(1e-3);
  else expect(after).toEqual(alone);
});
