import { UsageError } from "../../base/errors.ts";
import type { Progress } from "../../data/download.ts";
import { openDataset } from "../../data/openDataset.ts";
import { sampleShape } from "../../networks/network.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { RunConfig } from "../modelConfig.ts";
import type { Objective } from "../objective.ts";
import { classifierObjective } from "./classifier.ts";
import { diffusionObjective } from "./diffusion.ts";
import { exactScoreObjective } from "./exactScore.ts";

/** Where an objective finds its data; none of it decides what is trained. */
export interface DataOptions {
  /** A folder with the IDX files of a published data set; nothing else is then tried. */
  readonly path?: string;
  readonly onDownload?: (progress: Progress) => void;
  /** Aborting ends a download. */
  readonly signal?: AbortSignal;
}

/** The objective that a configuration describes, its data opened and its graph compiled. Dispose of it. */
export async function makeObjective(
  runtime: Runtime,
  config: RunConfig,
  { path, onDownload, signal }: DataOptions = {},
): Promise<Objective> {
  const { network, objective } = config;
  if (objective.kind === "exact-score") return exactScoreObjective(runtime, config);
  if (network.kind === "planar-classifier") return classifierObjective(runtime, config, null);

  const shape = sampleShape(network);
  const pictures =
    network.kind === "density" ? {} : { size: network.size, channels: network.channels as 1 | 3 };
  const data = await openDataset(config.data.name, { path, onProgress: onDownload, signal, ...pictures });
  if (data.shape.some((dim, i) => dim !== shape[i])) {
    throw new UsageError(
      `the network takes images of [${shape.join(", ")}], ${data.name} has [${data.shape.join(", ")}]: ` +
        `set network.size and network.channels`,
    );
  }
  if (network.kind === "unet") return diffusionObjective(runtime, config, data);
  if (network.kind === "encoder") return classifierObjective(runtime, config, data);
  throw new UsageError(`a ${network.kind} network cannot be trained with the objective "${objective.kind}"`);
}
