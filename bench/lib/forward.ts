/** A forward pass of the UNet in bench/unet.json on any runtime, in Node or in a page. */
import { philox } from "../../src/base/philox.ts";
import { sizeOf } from "../../src/base/tensor.ts";
import { Builder } from "../../src/graph/builder.ts";
import { networkInputs, networkLayout, traceNetwork } from "../../src/networks/network.ts";
import { constantParameters, initialise } from "../../src/networks/parameters.ts";
import type { UnetConfig } from "../../src/networks/unet.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { type WebRuntimeOptions, webRuntime } from "../../src/runtime/web.ts";
import config from "../unet.json" with { type: "json" };

export interface Timing {
  readonly name: string;
  readonly medianMs: number;
}

/** The median time of a run, after two that are not counted. */
export async function timeForward(runtime: Runtime, batch: number, rounds: number): Promise<Timing> {
  const network = config as UnetConfig;
  const layout = networkLayout(network);
  const builder = new Builder();
  const parameters = constantParameters(builder, layout, initialise(layout, philox(0, 0)));
  const graph = builder.build(traceNetwork(parameters, network, networkInputs(builder, network, batch)));
  const shape = [batch, network.channels, network.size, network.size];
  const data = new Float32Array(sizeOf(shape));
  philox(0, 1).fillNormal(data);
  const feeds = {
    x: { data, shape },
    noise: { data: new Float32Array(batch).fill(1), shape: [batch] },
    labels: { data: new BigInt64Array(batch), shape: [batch] },
  };
  await using program = await runtime.compile(graph);
  const times: number[] = [];
  for (let round = -2; round < rounds; round++) {
    const start = performance.now();
    await program.run(feeds);
    if (round >= 0) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return { name: runtime.name, medianMs: times[Math.floor(rounds / 2)] };
}

/** The same in a page. */
(globalThis as { timeInPage?: unknown }).timeInPage = async (
  options: WebRuntimeOptions,
  batch: number,
  rounds: number,
) => {
  await using runtime = await webRuntime(options);
  return await timeForward(runtime, batch, rounds);
};
