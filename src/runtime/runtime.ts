import type { Graph } from "../graph/graph.ts";

/** Typed arrays that cross the border to a runtime. int64 travels as BigInt64Array, bool as Uint8Array. */
export type RuntimeArray =
  Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | Uint16Array;

/** A value fed to or fetched from a program. */
export interface RuntimeTensor {
  readonly data: RuntimeArray;
  readonly shape: readonly number[];
}

/** A compiled graph. At most as many `run`s at a time as its runtime has lanes are of use. */
export interface Program {
  /**
   * Runs the graph once. `fetches` may hold pre-allocated outputs by name, which are then written in place (no copy).
   * Throws FairleadError naming the input that is missing or of a wrong shape.
   */
  run(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches?: Readonly<Record<string, RuntimeTensor>>,
  ): Promise<Record<string, RuntimeTensor>>;
  dispose(): Promise<void>;
}

/** The one interface behind which ONNX Runtime lives. */
export interface Runtime {
  /** For example "cpu (onnxruntime-node 1.30.0, 2 threads)". */
  readonly name: string;
  /** Programs that can run at the same time. */
  readonly lanes: number;
  compile(graph: Graph): Promise<Program>;
}
