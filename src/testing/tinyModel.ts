import { philox } from "../base/philox.ts";
import { networkLayout } from "../networks/network.ts";
import { initialise } from "../networks/parameters.ts";
import { saveModelFile } from "../training/checkpoint.ts";
import type { JsonObject } from "../training/json.ts";
import { type ModelConfig, parseModel } from "../training/modelConfig.ts";

/** A class-conditional UNet of 8 x 8 grey images that runs in no time. `change` replaces values of its network. */
export function tinyConfig(
  change: Partial<Extract<ModelConfig["network"], { kind: "unet" }>> = {},
): ModelConfig {
  return parseModel({
    network: {
      ...{ kind: "unet", size: 8, channels: 1, features: [8], attention: [true], headChannels: 8, groups: 4 },
      ...{ embedding: 16, classes: 3, ...change },
    },
    objective: { kind: "edm" },
    data: { name: "sample" },
    dropCondition: 0.1,
  });
}

/** Parameters of a network: fresh, with noise on all of them, for a fresh network's output is 0. */
export function tinyParameters(config: ModelConfig, seed = 0): Float32Array {
  const layout = networkLayout(config.network);
  const noise = philox(seed, 1);
  return initialise(layout, philox(seed, 0)).map((value) => value + 0.1 * noise.normal());
}

/** Writes a model file of an untrained tiny network; `config` is what the file says it is. */
export async function saveTinyModel(path: string, seed = 0, config = tinyConfig()): Promise<void> {
  const made = tinyConfig();
  const layout = networkLayout(made.network);
  const parameters = tinyParameters(made, seed);
  await saveModelFile(path, {
    layout,
    parameters,
    config: JSON.parse(JSON.stringify(config)) as JsonObject,
    card: {},
  });
}
