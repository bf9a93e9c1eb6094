import type { Graph, NamedType } from "../graph/graph.ts";
import { checkFeeds } from "./checkTensor.ts";
import { runError } from "./deviceErrors.ts";
import type { Program, RuntimeArray, RuntimeTensor } from "./runtime.ts";

type Tensors = Readonly<Record<string, RuntimeTensor>>;

/** How one compiled graph runs on one engine. */
export interface Execution {
  readonly graph: Graph;
  /** For errors: "cpu", "webgpu", ... */
  readonly device: string;
  /** All outputs by name, for inputs that were checked. It may write into `fetches` and return those. */
  execute(inputs: readonly (readonly [NamedType, RuntimeTensor])[], fetches: Tensors): Promise<Tensors>;
  release(): Promise<void>;
}

/** An execution as a program: inputs checked, errors in plain words, released once and not before its runs have ended. */
export function makeProgram(execution: Execution, onDispose: (program: Program) => void): Program {
  const { graph, device, execute, release } = execution;
  const running = new Set<Promise<unknown>>();
  let disposing: Promise<void> | null = null;

  const dispose = (): Promise<void> => {
    disposing ??= Promise.allSettled(running)
      .then(release)
      .finally(() => onDispose(program));
    return disposing;
  };
  const program: Program = {
    async run(feeds, fetches = {}) {
      const inputs = checkFeeds(graph, feeds, fetches);
      if (disposing) throw runError(new Error("the program was disposed of"), graph, device);
      const run = execute(inputs, fetches);
      running.add(run);
      try {
        const results = await run;
        return Object.fromEntries(
          graph.outputs.map(({ name }) => [name, delivered(results[name], fetches[name])]),
        );
      } catch (error) {
        throw runError(error, graph, device);
      } finally {
        running.delete(run);
      }
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
  return program;
}

/** The result, in the array that was allocated for it if there is one. */
function delivered({ data, shape }: RuntimeTensor, target: RuntimeTensor | undefined): RuntimeTensor {
  const array = asRuntimeArray(data);
  if (!target) return { data: array, shape };
  if (target.data !== array) (target.data as Float32Array).set(array as Float32Array);
  return target;
}

/** Newer engines give float16 in a Float16Array: its bits. */
function asRuntimeArray(array: RuntimeArray): RuntimeArray {
  return array.constructor.name === "Float16Array"
    ? new Uint16Array(array.buffer, array.byteOffset, array.length)
    : array;
}
