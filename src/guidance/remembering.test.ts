import { expect, test } from "vitest";
import { philox } from "../base/philox.ts";
import { type Tensor, concatRows, tensor } from "../base/tensor.ts";
import type { Labels } from "../diffusion/denoiser.ts";
import { recording } from "../testing/recording.ts";
import { toyClassifier, toyDenoiser } from "../testing/toyModel.ts";
import { buildGuidance } from "./build.ts";
import { guide } from "./guide.ts";
import { remembering, rememberingResources } from "./remembering.ts";
import type { GuidanceResources } from "./resources.ts";

const labels: Labels = [0, 2, 5];
const random = philox(3, 0);
const x = tensor(
  Float64Array.from({ length: 6 }, () => random.normal()),
  [3, 2],
);

test("a prediction is computed once for each x, sigma and way of asking", async () => {
  const inner = recording(toyDenoiser(0.5));
  const outer = remembering(inner);
  const [conditional] = await outer.denoise(x, 1, [{ condition: labels }]);
  const [again, none] = await outer.denoise(x, 1, [{ condition: labels }, { condition: null }]);
  expect(again).toBe(conditional);
  expect(none).toEqual((await toyDenoiser(0.5).denoise(x, 1, [{ condition: null }]))[0]);
  expect(inner.calls).toEqual([[{ condition: labels }], [{ condition: null }]]);

  await outer.denoise(x, 2, [{ condition: labels }]);
  await outer.denoise(concatRows([x]), 1, [{ condition: labels }]);
  await outer.denoise(x, 1, [{ condition: [...labels] }]);
  await outer.denoise(x, 1, [{ condition: labels, told: [1, 1, 2] }]);
  expect(inner.calls).toHaveLength(6);
});

test("branches come back in the order in which they are asked for", async () => {
  const outer = remembering(toyDenoiser(0.5));
  const branches = [{ condition: null }, { condition: labels }] as const;
  await outer.denoise(x, 1, [branches[1]]);
  expect(await outer.denoise(x, 1, branches)).toEqual(await toyDenoiser(0.5).denoise(x, 1, branches));
  expect(await outer.denoise(x, 1, [...branches].reverse())).toEqual(
    await toyDenoiser(0.5).denoise(x, 1, [...branches].reverse()),
  );
});

test("guidance by remembering resources is the same, bit for bit, and asks each network and classifier once", async () => {
  const [main, early, unconditional] = [0.5, 0.8, 0.6].map((std) => recording(toyDenoiser(std)));
  let gradients = 0;
  const resources: GuidanceResources = {
    conditional: true,
    unconditional,
    guides: { early },
    classifier: {
      logProbabilityGradient(at: Tensor, sigma: number, of: Labels) {
        gradients++;
        return toyClassifier(0.5).logProbabilityGradient(at, sigma, of);
      },
    },
  };
  const [remembers, outer] = [rememberingResources(resources), remembering(main)];
  for (const spec of ["cfg:2", "cfg:5+autoguidance:3", "cfg:2+classifier:1", "classifier:3,base=condition"]) {
    const want = await guide(toyDenoiser(0.5), labels, buildGuidance(spec, resources)).evaluate(x, 0.9);
    const got = await guide(outer, labels, buildGuidance(spec, remembers)).evaluate(x, 0.9);
    expect(got.data).toEqual(want.data);
  }
  const asked = (one: typeof main): number => one.calls.flat().length;
  expect(asked(main)).toBe(1);
  // Once remembered, once for each plain guidance with it: three with CFG, one with the guide.
  expect([asked(unconditional), asked(early), gradients]).toEqual([1 + 3, 1 + 1, 1 + 2]);
});
