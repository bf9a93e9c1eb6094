/** Samples a trained model with classifier-free guidance and writes one picture: `npx tsx examples/01-sample-with-cfg.ts` */
import { mkdir } from "node:fs/promises";
import { grid, nodeRuntime, openModel, sampleAll, writePng } from "fairlead";

const model = await openModel(nodeRuntime(), process.argv[2] ?? "fashion-mnist");

// One sample a seed; without a label, the classes in turn.
const seeds = Array.from({ length: 10 }, (_, seed) => seed);
const { x, labels, evaluations } = await sampleAll(model, { seeds, guidance: "cfg:2", steps: 6 });
await model.dispose();

await mkdir("fairlead-examples", { recursive: true });
await writePng("fairlead-examples/01.png", grid(x, { columns: 5, scale: 3 }));
console.log(`${labels?.map((label) => model.classes[label]).join(", ")}`);
console.log(`${evaluations.networks} network evaluations a sample; see fairlead-examples/01.png`);
