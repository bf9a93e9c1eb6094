import { expect, test } from "vitest";
import { philox } from "../base/philox.ts";
import { Builder } from "../graph/builder.ts";
import { nodeRuntime } from "../runtime/node.ts";
import { type DensityConfig, densityScore, forceNormalise, logDensity } from "./density.ts";
import { constantParameters, initialise, layoutOf } from "./parameters.ts";

const config: DensityConfig = { kind: "density", dims: 2, layers: 2, hidden: 16, sigmaData: 0.5 };
const inputs = (builder: Builder) => ({
  x: builder.input("x", "float32", [3, 2]),
  sigma: builder.input("sigma", "float32", [3]),
});
const layout = layoutOf((p) => logDensity(p, config, inputs(p.builder)));
const parameters = initialise(layout, philox(1, 0));
parameters[layout.entries.find(({ name }) => name === "gain")!.offset] = 0.7;

async function evaluate(x: number[], sigma: number[]): Promise<{ density: number[]; score: number[] }> {
  const builder = new Builder();
  const p = constantParameters(builder, layout, parameters);
  const given = inputs(builder);
  const program = await nodeRuntime({ threads: 1 }).compile(
    builder.build({ density: logDensity(p, config, given), score: densityScore(p, config, given) }),
  );
  const out = await program.run({
    x: { data: Float32Array.from(x), shape: [3, 2] },
    sigma: { data: Float32Array.from(sigma), shape: [3] },
  });
  await program.dispose();
  return { density: Array.from(out.density.data, Number), score: Array.from(out.score.data, Number) };
}

test("the score is the gradient of the log density, by central differences", async () => {
  const x = [0.3, -0.2, 0.8, 0.1, -0.4, 0.5];
  const sigma = [0.3, 1, 2];
  const { score } = await evaluate(x, sigma);
  const h = 1e-2;
  for (let i = 0; i < x.length; i++) {
    const at = (d: number): Promise<{ density: number[] }> => evaluate(moved(x, i, d), sigma);
    const row = Math.floor(i / 2);
    const slope = ((await at(h)).density[row] - (await at(-h)).density[row]) / (2 * h);
    expect(score[i]).toBeAllClose(slope, { abs: 5e-3, rel: 5e-3 });
  }
});

test("with gain 0 the density is the smoothed data's Gaussian: score -x / (sigmaData^2 + sigma^2)", async () => {
  const kept = parameters.slice();
  parameters[layout.entries.find(({ name }) => name === "gain")!.offset] = 0;
  const { score } = await evaluate([0.3, -0.2, 0.8, 0.1, -0.4, 0.5], [0.3, 1, 2]);
  parameters.set(kept);
  const want = [0.3, -0.2, 0.8, 0.1, -0.4, 0.5].map(
    (v, i) => -v / (0.25 + [0.3, 1, 2][Math.floor(i / 2)] ** 2),
  );
  expect(score).toBeAllClose(want, { abs: 1e-6 });
});

test("forced normalisation brings every column to norm sqrt(fanIn), and changes no prediction", async () => {
  const before = await evaluate([0.3, -0.2, 0.8, 0.1, -0.4, 0.5], [0.3, 1, 2]);
  for (let i = 0; i < parameters.length - 1; i++) parameters[i] *= 3;
  forceNormalise(parameters, layout.entries);
  const { shape, offset } = layout.entries[0];
  let sum = 0;
  for (let row = 0; row < shape[0]; row++) sum += parameters[offset + row * shape[1]] ** 2;
  expect(Math.sqrt(sum)).toBeAllClose(Math.sqrt(shape[0]), { rel: 1e-3 });
  const after = await evaluate([0.3, -0.2, 0.8, 0.1, -0.4, 0.5], [0.3, 1, 2]);
  expect(after.density).toBeAllClose(before.density, { abs: 1e-3 });
});

function moved(x: readonly number[], i: number, d: number): number[] {
  const out = [...x];
  out[i] += d;
  return out;
}
