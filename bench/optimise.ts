/**
 * What does each rewrite of `optimise` gain on the UNet of Stable Diffusion's shape at a quarter of its width?
 *
 *   FAIRLEAD_PYTHON=/path/to/python npx tsx bench/optimise.ts [size = 64] [rows = 1] [rounds = 5] [function | written]
 *
 * ONNX Runtime with two threads and all its own optimisations, on one latent of size x size (or some rows), all in alternation.
 * The network comes in two exports: attention as torch exports its own function for it, and written out, as older ones are; one
 * of them can be chosen.
 */
import { type Graph, type Rewrite, bindShapes, optimise, rewrites } from "../src/graph/index.ts";
import { attentionBySize } from "../src/graph/optimise/attention.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { type Contestant, interleave, ours, table } from "./lib/interleave.ts";
import { ROWS, difference, latents, sdUnet, texts, timestep } from "./lib/sdUnet.ts";

const [size, rows, rounds] = [64, 1, 5].map((fallback, i) => Number(process.argv[2 + i] ?? fallback));
const only = process.argv[5];
const runtime = nodeRuntime({ threads: 2 });
const feeds = { sample: latents(rows, size), timestep, encoder_hidden_states: texts(rows) };

/** The same network in several forms, the last as it was exported. */
async function measure(title: string, forms: Readonly<Record<string, Graph>>): Promise<void> {
  const contestants: Contestant[] = [];
  const results = new Map<string, Float32Array>();
  for (const [name, graph] of Object.entries(forms)) {
    const program = await runtime.compile(graph);
    results.set(name, (await program.run(feeds)).out_sample.data as Float32Array);
    contestants.push(ours(name, () => program.run(feeds)));
  }
  console.log(
    table(`\n${title}, ${size} x ${size}, ${rows} rows`, await interleave(contestants, { rounds, times: 1 })),
  );
  const exported = results.get("as exported")!;
  for (const [name, result] of results)
    if (result !== exported)
      console.log(`  ${name} differs by ${difference(result, exported).toExponential(1)}`);
}

const rewrite = (name: string): Rewrite[] => rewrites.filter((each) => each.name === name);
const exportOf = (file: string): Graph => bindShapes(sdUnet(size, file), { [ROWS]: rows });

if (only !== "written") {
  const own = exportOf("unet.onnx");
  await measure("attention as torch's function", {
    "all rewrites": optimise(own),
    "attention: Attention only": optimise(own, [attentionBySize(Infinity)]),
    "attention: MultiHeadAttention only": optimise(own, [attentionBySize(0)]),
    "attention: by size": optimise(own, rewrite("attention")),
    nothing: optimise(own, rewrite("nothing")),
    "shapes bound, constants folded": optimise(own, []),
    "as exported": sdUnet(size),
  });
}
if (only !== "function") {
  const written = exportOf("unet_written_out.onnx");
  await measure("attention written out", {
    "all rewrites": optimise(written),
    "nothing (masks of zeros)": optimise(written, rewrite("nothing")),
    "shapes bound, constants folded": optimise(written, []),
    "as exported": sdUnet(size, "unet_written_out.onnx"),
  });
}
process.exit(0);
