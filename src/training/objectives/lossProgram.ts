import { Builder } from "../../graph/builder.ts";
import { gradients } from "../../graph/gradients.ts";
import { concat, reshape } from "../../graph/ops/reshape.ts";
import type { Value } from "../../graph/value.ts";
import { type Layout, type ParameterSource, flatParameters } from "../../networks/parameters.ts";
import type { Program, Runtime, RuntimeTensor } from "../../runtime/runtime.ts";

/** A compiled loss: its value, further outputs, and its gradient with respect to the flat parameters. */
export interface LossProgram {
  /** Writes the gradient into `gradient`, [layout.size]; returns the loss and the scalar outputs by name. */
  run(
    parameters: Float32Array,
    feeds: Readonly<Record<string, RuntimeTensor>>,
    gradient: Float32Array,
  ): Promise<Record<string, number>>;
  dispose(): Promise<void>;
}

/** Compiles `trace`, which makes a scalar "loss" (and other scalars) from parameters and inputs it declares. */
export async function compileLoss(
  runtime: Runtime,
  layout: Layout,
  trace: (p: ParameterSource) => Readonly<Record<string, Value>> & { readonly loss: Value },
): Promise<LossProgram> {
  const builder = new Builder();
  const { source, values } = flatParameters(builder, layout);
  const scalars = trace(source);
  const pieces = gradients(scalars.loss, values).map((value) => reshape(value, [-1]));
  const graph = builder.build({ ...scalars, gradient: concat(pieces, 0) }, { name: "training step" });
  const program: Program = await runtime.compile(graph);
  const results = Object.fromEntries(
    Object.keys(scalars).map((name) => [name, { data: new Float32Array(1), shape: [] as number[] }]),
  );
  return {
    async run(parameters, feeds, gradient) {
      await program.run(
        { ...feeds, parameters: { data: parameters, shape: [layout.size] } },
        { ...results, gradient: { data: gradient, shape: [layout.size] } },
      );
      return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data[0]]));
    },
    dispose: () => program.dispose(),
  };
}
