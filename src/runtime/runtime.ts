import type { Graph } from "../graph/graph.ts";
import type { Device } from "./devices.ts";

/**
 * Typed arrays that cross the border to a runtime. int64 travels as BigInt64Array, bool as Uint8Array, and float16 as the
 * bits of its numbers in a Uint16Array.
 */
export type RuntimeArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/** A value fed to or fetched from a program. */
export interface RuntimeTensor {
  readonly data: RuntimeArray;
  readonly shape: readonly number[];
}

/** A compiled graph. At most as many `run`s at a time as its runtime has lanes are of use. */
export interface Program extends AsyncDisposable {
  /**
   * Runs the graph once. `fetches` may hold pre-allocated outputs by name, which are then written in place.
   * Throws UsageError naming the input that is missing or of a wrong shape, FairleadError where the device fails.
   */
  run(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    fetches?: Readonly<Record<string, RuntimeTensor>>,
  ): Promise<Record<string, RuntimeTensor>>;
  /** Gives back the memory of the program. May be called twice; `await using` calls it too. */
  dispose(): Promise<void>;
}

export interface CompileOptions {
  /** Whether it runs one at a time and nothing beside it, so that it may have the threads of all lanes. Default false. */
  readonly alone?: boolean;
}

/** The one interface behind which ONNX Runtime lives. */
export interface Runtime extends AsyncDisposable {
  readonly device: Device;
  /** The device and how it is used, for example "cpu (onnxruntime-node 1.30.0, 2 threads)". */
  readonly name: string;
  /** Programs that can run at the same time. */
  readonly lanes: number;
  /** Throws UsageError for what cannot cross the border, FairleadError where ONNX Runtime or the device refuses the graph. */
  compile(graph: Graph, options?: CompileOptions): Promise<Program>;
  /** Disposes of every program that is still open, and ends threads. May be called twice; `await using` calls it too. */
  dispose(): Promise<void>;
}
