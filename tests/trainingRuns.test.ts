import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { sizeOf } from "../src/base/tensor.ts";
import { readOnnx } from "../src/graph/onnx/readOnnx.ts";
import { differentiate, exposeInitializers } from "../src/graph/transform.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { Program, RuntimeTensor } from "../src/runtime/runtime.ts";
import { adamStep, clipFactor, gradientNorm } from "../src/training/adam.ts";
import { emaDecay, emaStep } from "../src/training/ema.ts";
import { type SafetensorsEntry, decodeSafetensors, toTypedArray } from "../src/training/safetensors.ts";

interface Run {
  readonly name: string;
  readonly optimizer: "Adam" | "AdamW";
  readonly lr: number | readonly number[];
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weight_decay: number;
  readonly ema: number;
  readonly ema_warmup?: boolean;
  readonly clip?: number;
  readonly steps: number;
  readonly loss64: readonly number[];
  /** How far PyTorch's own float32 run is from its float64 run, per step. */
  readonly largestF32VersusF64: { readonly grad: readonly number[]; readonly param: readonly number[] };
  /** The same at the end, for parameters whose gradient was never tiny. */
  readonly largestParamDifferenceElsewhere: number;
}

interface Case {
  readonly lossInputs: readonly string[];
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly runs: readonly Run[];
}

/** In the repository, or, for what is too large for it, in the shared folder beside it. */
const folders = ["fixtures/training/", "../../shared/fixtures/training/"].map(
  (path) => new URL(path, import.meta.url),
);
const locate = (file: string): URL | undefined =>
  folders.map((folder) => new URL(file, folder)).find((url) => existsSync(url));
const entriesOf = (file: string): ReadonlyMap<string, SafetensorsEntry> =>
  decodeSafetensors(readFileSync(locate(file)!), file).entries;

/** A few times the distance of PyTorch's own two runs. */
const FAIR = 4;

describe.each(["mlp", "unet"])("the %s's loss, read from ONNX and differentiated", (network) => {
  const given = JSON.parse(readFileSync(locate(`${network}/case.json`)!, "utf8")) as Case;
  const names = given.parameters.map(({ name }) => name);

  for (const run of given.runs) {
    const file = `${network}/${run.name}.safetensors`;
    const missing = !locate(file);
    const why = missing ? " (its file is too large for the repository)" : "";
    test.skipIf(missing)(`follows PyTorch's ten steps of ${run.name}${why}`, async () => {
      const loss = readOnnx(readFileSync(locate(`${network}/loss.onnx`)!), { file: "loss.onnx" });
      const program = await nodeRuntime({ threads: 1 }).compile(
        differentiate(exposeInitializers(loss, names), "loss", names),
      );
      await follow(program, given, run, network, entriesOf(file));
      await program.dispose();
    });
  }
});

async function follow(
  program: Program,
  { parameters: list, lossInputs }: Case,
  run: Run,
  network: string,
  stored: ReadonlyMap<string, SafetensorsEntry>,
): Promise<void> {
  const batches = entriesOf(`${network}/batches.safetensors`);
  const initial = entriesOf(`${network}/initial.safetensors`);
  const states = list.map(({ name, shape }) => {
    const parameter = toTypedArray(initial.get(name)!) as Float32Array;
    return {
      name,
      shape,
      parameter,
      ema: parameter.slice(),
      m: new Float32Array(sizeOf(shape)),
      v: new Float32Array(sizeOf(shape)),
      /** Where a gradient was so small that Adam turns its rounding into a step. */
      tiny: new Set<number>(),
    };
  });
  const { betas, eps, weight_decay: weightDecay } = run;
  const largestGradientError = Math.max(...run.largestF32VersusF64.grad);
  const settings = { betas, eps, weightDecay, decoupled: run.optimizer === "AdamW" };

  for (let step = 0; step < run.steps; step++) {
    const feeds: Record<string, RuntimeTensor> = {};
    for (const name of lossInputs) feeds[name] = tensorOf(batches.get(`${step}/${name}`)!);
    for (const { name, shape, parameter } of states) feeds[name] = { data: parameter, shape };
    const results = await program.run(feeds);
    expect(results.loss.data).toBeAllClose([run.loss64[step]], { rel: 1e-6 });

    const gradients = states.map(({ name }) => results[`gradient/${name}`].data as Float32Array);
    const clip = clipFactor(
      gradientNorm(Float32Array.from(gradients.flatMap((g) => Array.from(g)))),
      run.clip ?? null,
    );
    const learningRate = typeof run.lr === "number" ? run.lr : run.lr[step];
    const decay = emaDecay({ kind: "constant", decay: run.ema, warmUp: run.ema_warmup ?? false }, step, 1);
    states.forEach((state, i) => {
      const gradient = numbers(stored, `${step}/grad/${state.name}`);
      expect(gradients[i]).toBeAllClose(gradient, { abs: FAIR * largestGradientError });
      gradient.forEach((g, k) => Math.abs(g) < 1e-7 && state.tiny.add(k));

      adamStep(state.parameter, gradients[i], state, settings, learningRate, step + 1, clip);
      emaStep(state.ema, state.parameter, decay);
      expectNear(state.parameter, numbers(stored, `${step}/param/${state.name}`), state.tiny, run, step);
      expectNear(state.ema, numbers(stored, `${step}/ema/${state.name}`), state.tiny, run, step);
    });
  }
  for (const { name, m, v } of states) {
    expect(m).toBeAllClose(numbers(stored, `final/m/${name}`), { abs: FAIR * largestGradientError });
    expect(v).toBeAllClose(numbers(stored, `final/v/${name}`), {
      abs: FAIR * largestGradientError ** 2,
      rel: 1e-4,
    });
  }
}

function expectNear(
  got: Float32Array,
  want: Float32Array,
  tiny: ReadonlySet<number>,
  { largestF32VersusF64, largestParamDifferenceElsewhere }: Run,
  step: number,
): void {
  const elsewhere = (x: Float32Array): number[] => Array.from(x).filter((_, k) => !tiny.has(k));
  expect(elsewhere(got)).toBeAllClose(elsewhere(want), { abs: FAIR * largestParamDifferenceElsewhere });
  expect(got).toBeAllClose(want, { abs: FAIR * largestF32VersusF64.param[step] });
}

function numbers(entries: ReadonlyMap<string, SafetensorsEntry>, name: string): Float32Array {
  return toTypedArray(entries.get(name)!) as Float32Array;
}

function tensorOf(entry: SafetensorsEntry): RuntimeTensor {
  return { data: toTypedArray(entry), shape: entry.shape };
}
