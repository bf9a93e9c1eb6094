/**
 * What do the branches of guidance cost, in evaluations of the plain network? CFG asks for two conditions, which become one
 * batch; PAG for the network as it is and with perturbed attention in the middle, which become one graph.
 *
 *   npx tsx bench/branches.ts [rounds]
 *
 * The UNet of bench/unet.json at batch 1 and 16, through the denoiser as samplers call it; "lanes" is what `fairlead` does on
 * two cores, "threads" ONNX Runtime with two threads. PAG's outputs are compared with those of two separate runs.
 */
import { readFileSync } from "node:fs";
import { philox } from "../src/base/philox.ts";
import { type Tensor, sizeOf } from "../src/base/tensor.ts";
import type { Branch, Labels } from "../src/diffusion/denoiser.ts";
import { edm } from "../src/diffusion/preconditioning.ts";
import { networkLayout, sampleShape } from "../src/networks/network.ts";
import { type NetworkDenoiser, networkDenoiser } from "../src/networks/networkDenoiser.ts";
import type { UnetConfig } from "../src/networks/unet.ts";
import { lanesRuntime } from "../src/runtime/lanes.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { interleave, ours, table } from "./lib/interleave.ts";

const SIGMA = 1.5;
const network = JSON.parse(readFileSync(new URL("unet.json", import.meta.url), "utf8")) as UnetConfig;
const rounds = Number(process.argv[2] ?? 7);

// Weights everywhere, so that attention and residual branches count.
const parameters = new Float32Array(networkLayout(network).size);
philox(0, 0).fillNormal(parameters);
for (const { shape, offset, size } of networkLayout(network).entries) {
  const fanIn = shape.length > 1 ? sizeOf(shape.slice(1)) : 100;
  for (let i = offset; i < offset + size; i++) parameters[i] *= 1 / Math.sqrt(fanIn);
}

const lanes = lanesRuntime({ lanes: 2 });
const open = (runtime: Parameters<typeof networkDenoiser>[0]): NetworkDenoiser =>
  networkDenoiser(runtime, { network, parameters, preconditioning: edm({ sigmaData: 0.5 }) });
const denoisers = { lanes: open(lanes), threads: open(nodeRuntime({ threads: 2 })) };

/** What each method asks for, for a batch of labels. */
function branchesOf(labels: Labels): Record<string, Branch<Labels>[]> {
  const strong = { condition: labels };
  return {
    plain: [strong],
    CFG: [strong, { condition: null }],
    PAG: [strong, { condition: labels, perturbation: { kind: "identity", layers: ["mid"] } }],
  };
}

/** The largest difference between two predictions, relative to the largest value. */
function difference(a: Tensor, b: Tensor): number {
  let [most, largest] = [0, 0];
  for (let i = 0; i < a.data.length; i++) {
    most = Math.max(most, Math.abs(a.data[i] - b.data[i]));
    largest = Math.max(largest, Math.abs(b.data[i]));
  }
  return most / largest;
}

for (const batch of [1, 16]) {
  const x = {
    data: new Float32Array(batch * sizeOf(sampleShape(network))),
    shape: [batch, ...sampleShape(network)],
  };
  philox(0, 1).fillNormal(x.data);
  const labels = Array.from({ length: batch }, (_, i) => i % network.classes);
  const branches = branchesOf(labels);

  const contestants = Object.entries(denoisers).flatMap(([where, denoiser]) =>
    Object.entries(branches).map(([method, asked]) =>
      ours(`${method}, ${where}`, () => denoiser.denoise(x, SIGMA, asked)),
    ),
  );
  const results = await interleave(contestants, { rounds, times: batch === 1 ? 10 : 3 });
  for (const where of Object.keys(denoisers)) {
    const mine = results.filter(({ name }) => name.endsWith(where));
    console.log(table(`\nbatch ${batch}, in plain evaluations`, [...mine.slice(1), mine[0]]));
  }

  const together = await denoisers.lanes.denoise(x, SIGMA, branches.PAG);
  for (const [i, branch] of branches.PAG.entries()) {
    const [alone] = await denoisers.lanes.denoise(x, SIGMA, [branch]);
    console.log(
      `PAG's output ${i} merged and alone differ by ${difference(together[i], alone).toExponential(1)}`,
    );
  }
}
for (const denoiser of Object.values(denoisers)) await denoiser.dispose();
await lanes.dispose();
process.exit(0);
