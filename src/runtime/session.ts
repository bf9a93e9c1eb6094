import type { Graph } from "../graph/graph.ts";
import type { Execution } from "./makeProgram.ts";
import type { RuntimeArray, RuntimeTensor } from "./runtime.ts";

/** What is used of a session of onnxruntime-node or onnxruntime-web. */
interface Session<OrtTensor> {
  run(
    feeds: Record<string, OrtTensor>,
    fetches: Record<string, OrtTensor | null>,
    options: { readonly logSeverityLevel: 4 },
  ): Promise<Readonly<Record<string, { readonly data: unknown; readonly dims: readonly number[] }>>>;
  release(): Promise<void>;
}

/** A package's `Tensor`: made over the array that it is given, without a copy. */
type TensorClass<OrtTensor> = new (type: "float32", data: Float32Array, dims: readonly number[]) => OrtTensor;

/**
 * A session of either package as the execution of a graph. Where `writesInPlace` is true, the session writes into
 * pre-allocated outputs.
 */
export function sessionExecution<OrtTensor>(
  session: Session<OrtTensor>,
  Tensor: TensorClass<OrtTensor>,
  { graph, writesInPlace }: { readonly graph: Graph; readonly writesInPlace: boolean },
): Pick<Execution, "execute" | "release"> {
  const wrap = ({ data, shape }: RuntimeTensor, dtype: string): OrtTensor =>
    new Tensor(dtype as "float32", data as Float32Array, shape);
  return {
    async execute(inputs, fetches) {
      const feeds = Object.fromEntries(inputs.map(([{ name, dtype }, value]) => [name, wrap(value, dtype)]));
      const wanted = Object.fromEntries(
        graph.outputs.map(({ name, dtype }) => {
          return [name, writesInPlace && fetches[name] ? wrap(fetches[name], dtype) : null];
        }),
      );
      const results = await session.run(feeds, wanted, { logSeverityLevel: 4 });
      return Object.fromEntries(
        graph.outputs.map(({ name }) => {
          const { data, dims } = results[name];
          return [
            name,
            writesInPlace && fetches[name] ? fetches[name] : { data: data as RuntimeArray, shape: dims },
          ];
        }),
      );
    },
    release: () => session.release(),
  };
}
