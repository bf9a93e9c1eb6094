import { Builder } from "../../graph/builder.ts";
import { gradients } from "../../graph/gradients.ts";
import { concat, reshape } from "../../graph/ops/reshape.ts";
import type { Graph } from "../../graph/graph.ts";
import type { Value } from "../../graph/value.ts";
import { type Layout, type ParameterSource, flatParameters } from "../../networks/parameters.ts";
import type { Program, Runtime, RuntimeTensor } from "../../runtime/runtime.ts";

/** A compiled loss: its value, further outputs, and its gradient with respect to the flat parameters. */
export interface LossProgram {
  /** What one piece of the batch runs. */
  readonly graph: Graph;
  /** Writes the gradient into `gradient`, [layout.size]; returns the loss and the scalar outputs by name. */
  run(
    parameters: Float32Array,
    feeds: Readonly<Record<string, RuntimeTensor>>,
    gradient: Float32Array,
  ): Promise<Record<string, number>>;
  dispose(): Promise<void>;
}

/** Pieces that a batch is cut into, whatever the number of lanes: so that weights do not depend on the machine. */
const PIECES = 2;

/**
 * Compiles `trace`, which makes a scalar "loss" (and other scalars), each a mean over rows, from parameters and inputs
 * that it declares with `rows` rows. A batch runs in pieces, in lanes where the runtime has them; loss and gradient are
 * the means over the pieces.
 */
export async function compileLoss(
  runtime: Runtime,
  layout: Layout,
  batch: number,
  trace: (p: ParameterSource, rows: number) => Readonly<Record<string, Value>> & { readonly loss: Value },
): Promise<LossProgram> {
  const pieces = batch % PIECES === 0 ? PIECES : 1;
  const rows = batch / pieces;
  const builder = new Builder();
  const { source, values } = flatParameters(builder, layout);
  const scalars = trace(source, rows);
  const parts = gradients(scalars.loss, values).map((value) => reshape(value, [-1]));
  const graph = builder.build({ ...scalars, gradient: concat(parts, 0) }, { name: "training step" });
  const program: Program = await runtime.compile(graph);
  const names = Object.keys(scalars);

  return {
    graph,
    async run(parameters, feeds, gradient) {
      const flat = { data: parameters, shape: [layout.size] };
      const results: Record<string, RuntimeTensor>[] = [];
      const runPiece = async (i: number): Promise<void> => {
        results[i] = await program.run({ ...pieceOf(feeds, i, rows), parameters: flat });
      };
      const all = Array.from({ length: pieces }, (_, i) => i);
      if (runtime.lanes > 1) await Promise.all(all.map(runPiece));
      else for (const i of all) await runPiece(i);

      const slopes = results.map((result) => result.gradient.data as Float32Array);
      for (let i = 0; i < gradient.length; i++) {
        let sum = 0;
        for (const slope of slopes) sum += slope[i];
        gradient[i] = sum / pieces;
      }
      const mean = (name: string): number =>
        results.reduce((sum, result) => sum + Number(result[name].data[0]), 0) / pieces;
      return Object.fromEntries(names.map((name) => [name, mean(name)]));
    },
    dispose: () => program.dispose(),
  };
}

/** Rows i * rows .. (i + 1) * rows of every feed. */
function pieceOf(
  feeds: Readonly<Record<string, RuntimeTensor>>,
  i: number,
  rows: number,
): Record<string, RuntimeTensor> {
  return Object.fromEntries(
    Object.entries(feeds).map(([name, { data, shape }]) => {
      const size = data.length / shape[0];
      return [
        name,
        { data: data.subarray(i * rows * size, (i + 1) * rows * size), shape: [rows, ...shape.slice(1)] },
      ];
    }),
  );
}
