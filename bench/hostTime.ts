/**
 * How much time of a sampling step is not ONNX Runtime's: the sampler, guidance, and the wrapping of tensors?
 *
 *   npx tsx bench/hostTime.ts [rounds]
 *
 * The UNet of bench/unet.json, and the shipped models fashion-mnist (a UNet of a third of its operations) and tree (an MLP), with
 * Heun's method and classifier-free guidance, so two evaluations of two branches a step. Everything outside of session.run counts, on one thread.
 */
import * as ort from "onnxruntime-node";
import { readFileSync } from "node:fs";
import { philox } from "../src/base/philox.ts";
import { edm } from "../src/diffusion/preconditioning.ts";
import { type Model, openModel } from "../src/models/model.ts";
import { sample } from "../src/models/sample.ts";
import { networkLayout } from "../src/networks/network.ts";
import { networkDenoiser } from "../src/networks/networkDenoiser.ts";
import { initialise } from "../src/networks/parameters.ts";
import type { UnetConfig } from "../src/networks/unet.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { quantile } from "./lib/interleave.ts";

/** Milliseconds inside session.run, in all. */
let inside = 0;
const create = ort.InferenceSession.create.bind(ort.InferenceSession) as (
  ...given: unknown[]
) => Promise<ort.InferenceSession>;
Object.assign(ort.InferenceSession, {
  create: async (...given: unknown[]) => {
    const session = await create(...given);
    const run = session.run.bind(session) as (...given: unknown[]) => Promise<never>;
    session.run = async (...fed: unknown[]) => {
      const start = performance.now();
      const results = await run(...fed);
      inside += performance.now() - start;
      return results;
    };
    return session;
  },
});

const rounds = Number(process.argv[2] ?? 9);
const STEPS = 17;
const WARM_UP_MS = 2000;

/** A shipped model, or the one with the UNet of bench/unet.json and random parameters in the place of its network. */
async function open(name: string): Promise<Model> {
  const runtime = nodeRuntime({ threads: 1 });
  if (name !== "unet.json") return openModel(runtime, name);
  const model = await openModel(runtime, "fashion-mnist");
  const network = JSON.parse(readFileSync(new URL("unet.json", import.meta.url), "utf8")) as UnetConfig;
  const parameters = initialise(networkLayout(network), philox(0, 0));
  const denoiser = networkDenoiser(runtime, {
    network,
    parameters,
    preconditioning: edm({ sigmaData: 0.5 }),
  });
  return { ...model, denoiser };
}

for (const name of ["unet.json", "fashion-mnist", "tree"]) {
  const model = await open(name);
  for (const batch of [1, 16]) {
    const seeds = Array.from({ length: batch }, (_, i) => i);
    const outside: number[] = [];
    const whole: number[] = [];
    const warm = performance.now() + WARM_UP_MS;
    while (outside.length < rounds) {
      // From the end of the first step on: what is made once is not a step's.
      const steps = sample(model, { seeds, guidance: "cfg:2", sampler: "heun", steps: STEPS });
      await steps.next();
      const start = performance.now();
      inside = 0;
      while (!(await steps.next()).done);
      const all = performance.now() - start;
      if (start < warm) continue;
      whole.push((1000 * all) / (STEPS - 1));
      outside.push((1000 * (all - inside)) / (STEPS - 1));
    }
    const [host, step] = [quantile(outside, 0.5), quantile(whole, 0.5)];
    console.log(
      `${name}, batch ${batch}: a step takes ${step.toFixed(0)} us, ${host.toFixed(0)} us of it outside of session.run (${((100 * host) / step).toFixed(1)} %)`,
    );
  }
  await model.dispose();
}
