import { sizeOf, type Tensor, concatRows, rows, sameKind } from "../base/tensor.ts";
import type { Labels } from "../diffusion/denoiser.ts";
import { Builder } from "../graph/builder.ts";
import { gradients } from "../graph/gradients.ts";
import { logSoftmax, mul, reduceSum } from "../graph/ops/index.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import { inPieces } from "./inPieces.ts";
import { type NetworkConfig, networkInputs, networkLayout, sampleShape, traceNetwork } from "./network.ts";
import { constantParameters } from "./parameters.ts";

export interface NetworkClassifierOptions {
  readonly network: NetworkConfig & { readonly classes: number };
  readonly parameters: Float32Array;
  /** cIn of the noised input at a noise level; 1 for a classifier of clean samples. */
  readonly cIn: (sigma: number) => number;
  /** Rows that run at once at most. Default: 64 for images, 4096 for points. */
  readonly maxRows?: number;
}

/** A trained classifier: what it says of samples, and where its log probability grows. */
export interface NetworkClassifier {
  readonly shape: readonly number[];
  readonly classes: number;
  /** Width of the features; 0 when the network has none. */
  readonly width: number;
  /** logits [n, classes], and features [n, width] where the network has a penultimate layer. sigma: the noise in x (any, for clean samples). */
  classify(x: Tensor, sigma?: number): Promise<{ readonly logits: Tensor; readonly features: Tensor | null }>;
  /** Gradient of log p(y|x; sigma) with respect to x; 0 in rows of label -1. Cost: one gradient. */
  logProbabilityGradient(x: Tensor, sigma: number, labels: Labels): Promise<Tensor>;
  dispose(): Promise<void>;
}

/** Adapts a trained classifier. The gradient graph is the classifier's own, differentiated. */
export function networkClassifier(runtime: Runtime, options: NetworkClassifierOptions): NetworkClassifier {
  const { network, parameters, cIn } = options;
  const shape = sampleShape(network);
  const { classes } = network;
  const width = network.kind === "encoder" ? network.width : 0;
  const maxRows = options.maxRows ?? (shape.length === 1 ? 4096 : 64);
  const layout = networkLayout(network);
  const programs = new Map<string, Promise<Program>>();

  function programFor(kind: "classify" | "gradient", count: number): Promise<Program> {
    const key = `${kind} ${count}`;
    const found = programs.get(key);
    if (found) return found;
    const builder = new Builder();
    const inputs = networkInputs(builder, network, count);
    const outputs = traceNetwork(constantParameters(builder, layout, parameters), network, inputs);
    if (kind === "classify") {
      programs.set(key, runtime.compile(builder.build(outputs, { name: "classifier" })));
    } else {
      const chosen = builder.input("chosen", "float32", [count, classes]);
      const total = reduceSum(mul(logSoftmax(outputs.logits), chosen), [0, 1]);
      const [gradient] = gradients(total, [inputs.x]);
      programs.set(key, runtime.compile(builder.build({ gradient }, { name: "classifier gradient" })));
    }
    return programs.get(key)!;
  }

  /** Runs pieces of at most maxRows rows and joins each output. */
  async function joined(
    x: Tensor,
    piece: (part: Tensor, start: number) => Promise<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>> {
    const parts = await inPieces(x.shape[0], maxRows, runtime.lanes, (start, end) =>
      piece(rows(x, start, end), start),
    );
    return Object.fromEntries(
      Object.keys(parts[0]).map((name) => [name, concatRows(parts.map((part) => part[name]))]),
    );
  }

  function feeds(x: Tensor, sigma: number) {
    const count = x.shape[0];
    const scale = cIn(sigma);
    return {
      x: { data: Float32Array.from(x.data, (value) => scale * value), shape: x.shape },
      noise: { data: new Float32Array(count).fill(sigma), shape: [count] },
    };
  }

  return {
    shape,
    classes,
    width,
    async classify(x, sigma = 1) {
      const { logits, features } = await joined(x, async (part) => {
        const program = await programFor("classify", part.shape[0]);
        return (await program.run(feeds(part, sigma))) as Record<string, Tensor>;
      });
      return { logits, features: features ?? null };
    },
    async logProbabilityGradient(x, sigma, labels) {
      const { gradient } = await joined(x, async (part, start) => {
        const count = part.shape[0];
        const program = await programFor("gradient", count);
        const chosen = new Float32Array(count * classes);
        for (let row = 0; row < count; row++) {
          if (labels[start + row] >= 0) chosen[row * classes + labels[start + row]] = 1;
        }
        const out = await program.run({
          ...feeds(part, sigma),
          chosen: { data: chosen, shape: [count, classes] },
        });
        const data = sameKind(x.data, count * sizeOf(shape));
        const scale = cIn(sigma);
        (out.gradient.data as Float32Array).forEach((value, i) => (data[i] = scale * value));
        return { gradient: { data, shape: part.shape } };
      });
      return gradient;
    },
    async dispose() {
      const made = await Promise.all(programs.values());
      programs.clear();
      await Promise.all(made.map((program) => program.dispose()));
    },
  };
}
