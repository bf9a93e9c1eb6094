/** Finds the attention of a network's graph, perturbs it as PAG does, and writes both networks as ONNX files. */
import { mkdir, writeFile } from "node:fs/promises";
import { nodeRuntime, philox } from "fairlead";
import { Builder, attentionLayers, perturb, writeOnnx } from "fairlead/graph";
import {
  constantParameters,
  initialise,
  networkInputs,
  networkLayout,
  traceNetwork,
} from "fairlead/networks";
import type { UnetConfig } from "fairlead/networks";

// prettier-ignore
const config: UnetConfig = {
  kind: "unet", size: 16, channels: 1, patch: 1, features: [16, 32], blocks: 1, attention: [false, true],
  headChannels: 16, groups: 4, embedding: 32, classes: 0, modulate: true,
};

// The network with its (here fresh) parameters inside, as one graph. Fresh output layers are 0: shake all a little.
const layout = networkLayout(config);
const parameters = initialise(layout, philox(0, 0));
const shaken = philox(0, 1);
const builder = new Builder();
const source = constantParameters(
  builder,
  layout,
  parameters.map((value) => value + 0.05 * shaken.normal()),
);
const graph = builder.build(traceNetwork(source, config, networkInputs(builder, config, 1)), {
  name: "unet",
});

const layers = attentionLayers(graph);
console.log(`attention layers: ${layers.map(({ index, name }) => `${index} ${name}`).join(", ")}`);
const perturbed = perturb(graph, { kind: "identity", layers: ["mid"] });

await mkdir("fairlead-examples", { recursive: true });
const noise = new Float32Array(256);
philox(1, 0).fillNormal(noise);
const outputs: Float32Array[] = [];
for (const [name, one] of Object.entries({ plain: graph, perturbed })) {
  const bytes = writeOnnx(one);
  await writeFile(`fairlead-examples/09-${name}.onnx`, bytes);
  console.log(`fairlead-examples/09-${name}.onnx: ${one.nodes.length} nodes, ${bytes.length} bytes`);
  const program = await nodeRuntime().compile(one);
  const feeds = {
    x: { data: noise, shape: [1, 1, 16, 16] },
    noise: { data: Float32Array.of(1), shape: [1] },
  };
  outputs.push((await program.run(feeds)).prediction.data as Float32Array);
  await program.dispose();
}
const difference = Math.max(...outputs[0].map((value, i) => Math.abs(value - outputs[1][i])));
console.log(`largest difference of their predictions: ${difference.toFixed(4)}`);
