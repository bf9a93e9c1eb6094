import { Builder } from "../graph/builder.ts";
import type { Graph } from "../graph/graph.ts";
import { type NetworkConfig, networkInputs, networkLayout, traceNetwork } from "./network.ts";
import { constantParameters } from "./parameters.ts";

/**
 * A trained network as a graph for a number of rows. Inputs: x, noise (its standard deviation in each row), labels (int64, the
 * last class being the dropped condition); output: what the network predicts, raw.
 */
export function networkGraph(network: NetworkConfig, parameters: Float32Array, rows: number): Graph {
  const builder = new Builder();
  const inputs = networkInputs(builder, network, rows);
  const source = constantParameters(builder, networkLayout(network), parameters);
  return builder.build({ ...traceNetwork(source, network, inputs) }, { name: network.kind });
}
