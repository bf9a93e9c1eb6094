import { UsageError } from "../../base/errors.ts";
import { isFloat } from "../dataTypes.ts";
import type { Graph } from "../graph.ts";
import { inlineFunctions } from "../inlineFunctions.ts";
import { add, div, mul, sqrt, square, sub } from "../ops/elementwise.ts";
import { reduceMean } from "../ops/reduce.ts";
import { builderFor, declareInputs, replay } from "../replay.ts";
import { readsOf } from "../subgraphs.ts";
import type { Value } from "../value.ts";

/** Where a graph makes an embedding of one of its inputs. */
export interface Embedding {
  /** The input that it is made of. */
  readonly input: string;
  /** Its name as a value of the graph; it is [rows, width]. */
  readonly value: string;
  readonly width: number;
}

/** The names of the inputs that say what noise is put on the embedding of an input. */
export interface EmbeddingInputs {
  /** [rows, 1]: the embedding's factor; 1 without noise. */
  readonly keep: string;
  /** [rows, width]: what is added; 0 without noise. */
  readonly noise: string;
  /** [rows, 1]: how far mean and standard deviation are brought back; 0: not at all. */
  readonly rescale: string;
}

export const embeddingInputs = (input: string): EmbeddingInputs => ({
  keep: `${input}/keep`,
  noise: `${input}/noise`,
  rescale: `${input}/rescale`,
});

/**
 * The embedding of an input: the last floating-point value of shape [rows, width], width > 1, that is made of this input alone
 * and through which all passes that the input has an effect on; what a layer gives rather than what an activation makes of that.
 * Undefined where there is none. Dimensions are bound.
 *
 * It is a class's row in a table, or what a noise level becomes before anything else meets it.
 */
export function embeddingOf(graph: Graph, input: string): Embedding | undefined {
  const necks = bottlenecks(graph, input);
  if (necks.size === 0) return undefined;
  const found: (Embedding & { readonly layer: boolean })[] = [];
  const builder = builderFor(graph);
  replay(graph, builder, declareInputs(graph, builder), (node, operands, { compute }) => {
    const results = compute(operands);
    node.outputs.forEach((value, i) => {
      const { shape, dtype } = results[i];
      if (necks.has(value) && isFloat(dtype) && shape.length === 2 && shape[1] > 1)
        found.push({ input, value, width: shape[1], layer: layers.has(node.op) });
    });
    return results;
  });
  const last = found.filter(({ layer }) => layer).at(-1) ?? found.at(-1);
  return last && { input, value: last.value, width: last.width };
}

/** What a linear layer, and a table, end with. */
const layers: ReadonlySet<string> = new Set(["Gemm", "MatMul", "Add", "Gather"]);

/** Values made of `input` alone through which all passes that it has an effect on. */
function bottlenecks(graph: Graph, input: string): ReadonlySet<string> {
  // Sizes are bound, and depend on no value.
  const nodes = inlineFunctions(graph).nodes.filter(({ op, domain }) => domain !== "" || op !== "Shape");
  const lastRead = new Map<string, number>(graph.outputs.map(({ name }) => [name, nodes.length]));
  nodes.forEach((node, k) => {
    for (const name of readsOf(node)) lastRead.set(name, Math.max(k, lastRead.get(name) ?? 0));
  });
  const foreign = new Set(graph.inputs.map(({ name }) => name).filter((name) => name !== input));
  const affected = new Set([input]);
  // What the input has an effect on and is still to be read.
  const open = new Set([input]);
  const found = new Set<string>();
  nodes.forEach((node, k) => {
    const reads = readsOf(node);
    const outputs = node.outputs.filter((name) => lastRead.has(name));
    if (reads.some((name) => foreign.has(name))) for (const name of outputs) foreign.add(name);
    if (!reads.some((name) => affected.has(name))) return;
    for (const name of outputs) {
      affected.add(name);
      open.add(name);
    }
    for (const name of open) if (lastRead.get(name)! <= k) open.delete(name);
    const [only] = open;
    if (open.size === 1 && !foreign.has(only)) found.add(only);
  });
  return found;
}

/**
 * The graph with noise on the embeddings of some inputs, in each row as its further inputs say (see `embeddingInputs`):
 *
 *   e' = keep*e + noise;   e" = rescale*(mean(e) + std(e)*(e' - mean(e'))/std(e')) + (1 - rescale)*e'
 *
 * Rows of keep 1, noise 0, rescale 0 are as without. Throws UsageError for an input that has no embedding.
 */
export function withEmbeddingNoise(graph: Graph, inputs: readonly string[]): Graph {
  const builder = builderFor(graph);
  const declared = declareInputs(graph, builder);
  const changes = new Map<string, EmbeddingInputs>();
  for (const input of inputs) {
    const embedding = embeddingOf(graph, input);
    if (!embedding)
      throw new UsageError(`the graph "${graph.name}" makes no embedding of its input "${input}"`);
    changes.set(embedding.value, embeddingInputs(input));
  }
  const outputs = replay(graph, builder, declared, (node, operands, { compute }) => {
    if (!node.outputs.some((name) => changes.has(name))) return null;
    return compute(operands).map((value, i) => {
      const names = changes.get(node.outputs[i]);
      return names ? noisy(value, names) : value;
    });
  });
  return { ...builder.build(outputs, { name: graph.name, keepInputs: true }), metadata: graph.metadata };
}

function noisy(e: Value, names: EmbeddingInputs): Value {
  const { builder, dtype, shape } = e;
  const [rows] = shape;
  const keep = builder.input(names.keep, dtype, [rows, 1]);
  const noise = builder.input(names.noise, dtype, shape);
  const rescale = builder.input(names.rescale, dtype, [rows, 1]);
  const changed = add(mul(e, keep), noise);
  const [was, is] = [momentsOf(e), momentsOf(changed)];
  const back = add(mul(div(sub(changed, is.mean), is.std), was.std), was.mean);
  return add(mul(back, rescale), mul(changed, sub(1, rescale)));
}

/** Mean and standard deviation of every row, [rows, 1]; the latter kept above 0. */
function momentsOf(x: Value): { mean: Value; std: Value } {
  const mean = reduceMean(x, [1], { keep: true });
  const variance = reduceMean(square(sub(x, mean)), [1], { keep: true });
  return { mean, std: sqrt(add(variance, 1e-24)) };
}
