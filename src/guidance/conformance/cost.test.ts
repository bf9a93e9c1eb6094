/** What a method costs, and where: as its entry in the catalogue says. */
import { expect } from "vitest";
import { guidanceModel, samples } from "../../testing/guidanceModel.ts";
import type { At } from "../../testing/guidanceModel.ts";
import { everyMethod, run, runWithout } from "./suite.cases.ts";
import { methods } from "../methods.ts";

everyMethod(null, "an evaluation costs what the catalogue says, and no more is asked for", async (one) => {
  const { method } = one;
  const model = guidanceModel();
  const { evaluations } = await run(one, undefined, "", { model });
  const without = (await runWithout(one)).evaluations;
  // A way to combine costs what its weak method does; what it adds itself comes on top.
  const weak = method.role === "combine" ? methods.cfg.adds : { networks: 0, gradients: 0 };
  expect({
    networks: (evaluations.networks - without.networks) / 2,
    gradients: (evaluations.gradients - without.gradients) / 2,
  }).toEqual({
    networks: method.adds.networks + weak.networks,
    gradients: method.adds.gradients + weak.gradients,
  });
  expect(model.asked()).toBe(evaluations.networks);
});

everyMethod("interval", "outside (low, high] it is off and free; inside it is on", async (one) => {
  const { step } = one.row;
  for (const [sigma, isOn] of [
    [0.2, false],
    [0.5, false],
    [0.5 + 1e-9, true],
    [2, true],
    [2 + 1e-9, false],
    [80, false],
  ] as const) {
    const ats: At[] = [{ x: samples, sigma, step }];
    const got = await run(one, undefined, ",interval=0.5..2", {}, ats);
    const want = isOn ? await run(one, undefined, "", {}, ats) : await runWithout(one, {}, ats);
    expect(got.values, String(sigma)).toEqual(want.values);
    expect(got.evaluations, String(sigma)).toEqual(want.evaluations);
  }
});

everyMethod(
  "interval",
  "(0, Infinity] is everywhere, and an interval between two noise levels is nowhere",
  async (one) => {
    expect((await run(one, undefined, ",interval=0..inf")).values).toEqual((await run(one)).values);
    const nowhere = await run(one, undefined, ",interval=1..2.9");
    const without = await runWithout(one);
    expect(nowhere.values).toEqual(without.values);
    expect(nowhere.evaluations).toEqual(without.evaluations);
  },
);
