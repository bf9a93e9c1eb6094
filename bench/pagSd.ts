/**
 * What do guidance's branches cost as one graph, on the UNet of Stable Diffusion's shape at a quarter of its width?
 *
 *   FAIRLEAD_PYTHON=/path/to/python npx tsx bench/pagSd.ts [size = 64] [rounds = 3]
 *
 * One latent of size x size, two threads each, all in alternation. Perturbed is the self-attention of the middle block (identity,
 * PAG). In torch, in eager mode, the same three passes: as one batch of [uncond, cond, perturbed] with that attention replaced
 * for the last row, as diffusers does it, and one after the other.
 */
import {
  type GraphBranch,
  attentionLayers,
  bindShapes,
  mergeBranches,
  optimise,
  perturb,
} from "../src/graph/index.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { RuntimeTensor } from "../src/runtime/runtime.ts";
import { type Measured, interleave, ours, table } from "./lib/interleave.ts";
import { ROWS, checked, difference, latents, sdUnet, texts, timestep } from "./lib/sdUnet.ts";
import { openTorchPeer } from "./lib/torchPeer.ts";

const [size, rounds] = [64, 3].map((fallback, i) => Number(process.argv[2 + i] ?? fallback));
const runtime = nodeRuntime({ threads: 2 });
const middle = attentionLayers(bindShapes(sdUnet(size), { [ROWS]: 1 })).find(
  ({ position, kind }) => position === "mid" && kind === "self",
)!;
const perturbation = { kind: "identity", layers: [middle.index] } as const;
const on = (text: string): Pick<GraphBranch, "inputs"> => ({ inputs: { encoder_hidden_states: text } });
const uncond = { name: "uncond", ...on("null text") };
const cond = { name: "cond", ...on("text") };
const perturbed = { name: "perturbed", ...on("text"), perturbation };

/** The largest difference of the merged graph from torch, on what it was exported with. */
async function differenceFromTorch(): Promise<number> {
  const { size: side, sample, text, plain, guided } = checked();
  const row = (data: Float32Array, i: number, shape: readonly number[]): RuntimeTensor => {
    const length = data.length / 3;
    return { data: data.subarray(i * length, (i + 1) * length), shape: [1, ...shape] };
  };
  const { graph } = mergeBranches(sdUnet(side), [uncond, cond, perturbed], { batch: { dim: ROWS, size: 1 } });
  const program = await runtime.compile(optimise(graph));
  const got = await program.run({
    sample: row(sample, 0, [4, side, side]),
    timestep,
    "null text": row(text, 0, [77, 768]),
    text: row(text, 2, [77, 768]),
  });
  await program.dispose();
  const want = { uncond: row(plain, 0, []), cond: row(plain, 2, []), perturbed: row(guided, 2, []) };
  return Math.max(...Object.entries(want).map(([name, { data }]) => difference(got[name].data, data)));
}
console.log(`the merged graph differs from torch by ${(await differenceFromTorch()).toExponential(1)}`);

// --- Ours: one graph for each set of branches, and each branch for itself.

const network = sdUnet(size);
const feeds = { sample: latents(1, size), timestep, "null text": texts(1, 3), text: texts(1, 4) };
const single = bindShapes(network, { [ROWS]: 1 });
const alone = {
  plain: await runtime.compile(optimise(single)),
  perturbed: await runtime.compile(optimise(perturb(single, perturbation))),
};
const separate = async (branch: GraphBranch): Promise<RuntimeTensor["data"]> => {
  const text = feeds[branch.inputs!.encoder_hidden_states as "text"];
  const program = branch.perturbation ? alone.perturbed : alone.plain;
  return (await program.run({ ...feeds, encoder_hidden_states: text })).out_sample.data;
};

const wanted = new Map<GraphBranch, RuntimeTensor["data"]>();
for (const branch of [uncond, cond, perturbed]) wanted.set(branch, await separate(branch));

async function together(branches: readonly GraphBranch[]): Promise<() => Promise<unknown>> {
  const merged = mergeBranches(network, branches, { batch: { dim: ROWS, size: 1 } });
  const program = await runtime.compile(optimise(merged.graph));
  const { steps, evaluations } = merged.plan();
  console.log([`\n${branches.map(({ name }) => name).join(" + ")}`, ...steps].join("\n  "));
  const got = await program.run(feeds);
  const apart = branches.map((branch) => difference(got[branch.name].data, wanted.get(branch)!));
  console.log(
    `  ${evaluations.toFixed(2)} evaluations by operations; differs by ${Math.max(...apart).toExponential(1)}`,
  );
  return () => program.run(feeds);
}

const peer = await openTorchPeer({ threads: 2 });
if (peer) await peer.open("sd", { size });
const torch = (action: string) =>
  peer ? [{ name: `torch: ${action}`, run: (n: number) => peer.run(`sd.${action}`, n) }] : [];
const results = await interleave(
  [
    ours("cfg, merged", await together([uncond, cond])),
    ours("pag, merged", await together([cond, perturbed])),
    ours("cfg + pag, merged", await together([uncond, cond, perturbed])),
    ours("cfg + pag, separate", async () => {
      for (const branch of [uncond, cond, perturbed]) await separate(branch);
    }),
    ...torch("plain"),
    ...torch("guided"),
    ...torch("passes"),
    ours("plain", () => separate(cond)),
  ],
  { rounds, times: size < 64 ? 3 : 1, warmups: 1 },
);
console.log(
  table(`\n${size} x ${size}${peer ? `, ${peer.name}` : ""}; the last column in plain evaluations`, results),
);
const median = (name: string): number => results.find((result: Measured) => result.name === name)!.median;
if (peer) {
  const best = Math.min(median("torch: guided"), median("torch: passes"));
  console.log(
    `\ncfg + pag, merged: ${(median("cfg + pag, merged") / best).toFixed(2)} x the faster of torch's two`,
  );
}
await peer?.close();
process.exit(0);
