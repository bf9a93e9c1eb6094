import { UsageError } from "../base/errors.ts";
import { type Tensor, concatRows, rowSize, rows, sameKind } from "../base/tensor.ts";
import type { Branch, Denoiser, Labels } from "../diffusion/denoiser.ts";
import type { Preconditioning } from "../diffusion/preconditioning.ts";
import { type AttentionLayer, attentionLayers } from "../graph/attention.ts";
import { Builder } from "../graph/builder.ts";
import type { Graph, NamedType } from "../graph/graph.ts";
import { mergeBranches } from "../graph/merge.ts";
import { type Perturbation, drawRandomInputs, perturbationKey, perturbing } from "../graph/perturb.ts";
import { declareInputs, replay } from "../graph/replay.ts";
import type { Value } from "../graph/value.ts";
import type { Program, Runtime, RuntimeTensor } from "../runtime/runtime.ts";
import { inPieces } from "./inPieces.ts";
import {
  type NetworkConfig,
  conditionClasses,
  networkInputs,
  networkLayout,
  sampleShape,
  traceNetwork,
} from "./network.ts";
import { constantParameters } from "./parameters.ts";

/** A trained network as a denoiser. Its sessions are made when first needed and kept until `dispose`. */
export interface NetworkDenoiser extends Denoiser<Labels> {
  /** The self-attention layers that can be perturbed, in the order in which they run. */
  readonly attention: readonly AttentionLayer[];
  /** Classes of the condition; 0 for an unconditional network. */
  readonly classes: number;
  /** How `denoise` would compute some branches for a number of rows, and why. Computes nothing. */
  plan(branches: readonly Branch<Labels>[], rows: number): BranchPlan;
  dispose(): Promise<void>;
}

/** What is computed together. */
export interface BranchPlan {
  /** One sentence for every run of the network and every continuation of it. */
  readonly steps: readonly string[];
  /** Operations of all branches, in evaluations of the plain network for one condition. */
  readonly evaluations: number;
}

export interface NetworkDenoiserOptions {
  readonly network: NetworkConfig;
  /** All parameters, in the order of `networkLayout(network)`. */
  readonly parameters: Float32Array;
  readonly preconditioning: Preconditioning;
  /** Rows that run at once at most. Default: 16 for images, 4096 for points. */
  readonly maxRows?: number;
}

/**
 * Adapts a trained network to the Denoiser contract: D = cSkip x + cOut F(cIn x, sigma).
 *
 * Branches that differ in their condition become one batch; branches that differ in their perturbation become one graph in
 * which everything before the first perturbed layer is computed once. A condition of null, and a label of -1, is the
 * network's null class. Throws UsageError for labels out of range or of another number than x's rows.
 */
export function networkDenoiser(runtime: Runtime, options: NetworkDenoiserOptions): NetworkDenoiser {
  const { network, parameters, preconditioning } = options;
  const shape = sampleShape(network);
  const classes = conditionClasses(network);
  const maxRows = options.maxRows ?? (shape.length === 1 ? 4096 : 16);
  const layout = networkLayout(network);
  const programs = new Map<string, Compiled>();

  /** The plain network for a number of rows. */
  function plain(count: number): Graph {
    const builder = new Builder();
    const inputs = networkInputs(builder, network, count);
    const { prediction } = traceNetwork(constantParameters(builder, layout, parameters), network, inputs);
    return builder.build({ prediction }, { name: network.kind });
  }
  const attention = attentionLayers(plain(1));

  /** One program with an output per perturbation. */
  function programFor(count: number, perturbations: readonly (Perturbation | undefined)[]): Compiled {
    const key = `${count} ${perturbations.map(perturbationKey).join(" ")}`;
    const found = programs.get(key);
    if (found) return found;
    const graph = merged(plain(count), perturbations);
    const made = { program: runtime.compile(graph), inputs: graph.inputs };
    programs.set(key, made);
    return made;
  }

  async function run(group: Group, x: Tensor, sigma: number): Promise<Tensor[]> {
    const { cIn } = preconditioning;
    const count = x.shape[0];
    const { program, inputs } = programFor(count, group.perturbations);
    const scale = cIn(sigma);
    const results = await (
      await program
    ).run({
      ...drawRandomInputs(inputs, sigma),
      x: { data: Float32Array.from(x.data, (value) => scale * value), shape: x.shape },
      noise: { data: new Float32Array(count).fill(sigma), shape: [count] },
      labels: { data: classIndices(group.labels, classes), shape: [count] },
    });
    return group.perturbations.map((_, i) => denoisedFrom(x, results[outputName(i)], preconditioning, sigma));
  }

  return {
    shape,
    classes,
    attention,
    async denoise(x, sigma, branches) {
      checkInput(x, shape);
      const count = x.shape[0];
      const results = new Map<Branch<Labels>, Tensor>();
      for (const { conditions, perturbations } of groupBranches(branches)) {
        // All conditions as one batch, cut into pieces of at most maxRows.
        const labels = conditions.flatMap((condition) => labelsOf(condition, count, classes));
        const batch = conditions.length === 1 ? x : concatRows(conditions.map(() => x));
        const outputs = await inPieces(labels.length, maxRows, runtime.lanes, (start, end) =>
          run({ perturbations, labels: labels.slice(start, end) }, rows(batch, start, end), sigma),
        );
        const pieces = perturbations.map((_, i) => outputs.map((output) => output[i]));
        conditions.forEach((condition, c) => {
          perturbations.forEach((perturbation, p) => {
            const whole = pieces[p].length === 1 ? pieces[p][0] : concatRows(pieces[p]);
            const part = conditions.length === 1 ? whole : rows(whole, c * count, (c + 1) * count);
            for (const branch of branches) {
              if (branch.condition === condition && sameHow(branch.perturbation, perturbation))
                results.set(branch, part);
            }
          });
        });
      }
      return branches.map((branch) => results.get(branch)!);
    },
    plan(branches, count) {
      const groups = groupBranches(branches).map(({ conditions, perturbations }) => {
        const outputs = perturbations.map((perturbation, i) => ({
          name: perturbation ? `perturbed ${i}` : "plain",
          ...(perturbation && { perturbation }),
        }));
        const { steps, evaluations } = mergeBranches(plain(1), outputs).plan();
        const batch = conditions.length * count;
        const pieces = Math.ceil(batch / maxRows);
        const together =
          conditions.length === 1
            ? `1 condition, ${batch} rows`
            : `${conditions.length} conditions as one batch of ${batch} rows, because they ask for the same outputs`;
        return {
          steps: [
            `${together}, in ${pieces} ${pieces === 1 ? "run" : "runs"}; for each condition:`,
            ...steps,
          ],
          evaluations: conditions.length * evaluations,
        };
      });
      return {
        steps: groups.flatMap(({ steps }) => steps),
        evaluations: groups.reduce((sum, group) => sum + group.evaluations, 0),
      };
    },
    async dispose() {
      const made = await Promise.all([...programs.values()].map(({ program }) => program));
      programs.clear();
      await Promise.all(made.map((program) => program.dispose()));
    },
  };
}

interface Compiled {
  readonly program: Promise<Program>;
  readonly inputs: readonly NamedType[];
}

interface Group {
  readonly perturbations: readonly (Perturbation | undefined)[];
  /** -1: the null condition. */
  readonly labels: Labels;
}

const outputName = (i: number): string => `prediction/${i}`;

/** The network once plain or perturbed for each output, with what they have in common computed once. */
function merged(graph: Graph, perturbations: readonly (Perturbation | undefined)[]): Graph {
  const builder = new Builder(graph.opset);
  const inputs = declareInputs(graph, builder);
  const outputs: Record<string, Value> = {};
  perturbations.forEach((how, i) => {
    const { prediction } = replay(graph, builder, inputs, how && perturbing(graph, builder, how));
    outputs[outputName(i)] = prediction;
  });
  return builder.build(outputs, { name: graph.name });
}

const sameHow = (a: Perturbation | undefined, b: Perturbation | undefined): boolean =>
  perturbationKey(a) === perturbationKey(b);

/** Conditions that want the same perturbations share a batch. */
function groupBranches(branches: readonly Branch<Labels>[]): {
  conditions: (Labels | null)[];
  perturbations: (Perturbation | undefined)[];
}[] {
  const byCondition = new Map<Labels | null, (Perturbation | undefined)[]>();
  for (const { condition, perturbation } of branches) {
    const known = byCondition.get(condition) ?? [];
    if (!known.some((how) => sameHow(how, perturbation))) known.push(perturbation);
    byCondition.set(condition, known);
  }
  const groups = new Map<string, ReturnType<typeof groupBranches>[number]>();
  for (const [condition, perturbations] of byCondition) {
    const key = perturbations.map(perturbationKey).join(" ");
    const group = groups.get(key) ?? { conditions: [], perturbations };
    group.conditions.push(condition);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function labelsOf(condition: Labels | null, count: number, classes: number): Labels {
  if (condition === null) return new Array<number>(count).fill(-1);
  if (condition.length !== count)
    throw new UsageError(`${count} samples take ${count} labels, got ${condition.length}`);
  const wrong = condition.find(
    (label) => !Number.isInteger(label) || label < -1 || (classes > 0 && label >= classes),
  );
  if (wrong !== undefined) {
    throw new UsageError(
      `this network has classes 0 to ${classes - 1} (and -1 for the null condition), got ${wrong}`,
    );
  }
  return condition;
}

function classIndices(labels: Labels, classes: number): BigInt64Array {
  return BigInt64Array.from(labels, (label) => BigInt(label < 0 ? classes : label));
}

/** D = cSkip x + cOut F, in x's precision. */
function denoisedFrom(x: Tensor, prediction: RuntimeTensor, by: Preconditioning, sigma: number): Tensor {
  const f = prediction.data as Float32Array;
  const [skip, out] = [by.cSkip(sigma), by.cOut(sigma)];
  const data = sameKind(x.data, x.data.length);
  for (let i = 0; i < data.length; i++) data[i] = skip * x.data[i] + out * f[i];
  return { data, shape: x.shape };
}

function checkInput(x: Tensor, shape: readonly number[]): void {
  const size = shape.reduce((a, b) => a * b, 1);
  if (x.shape.length !== shape.length + 1 || rowSize(x) !== size) {
    throw new UsageError(
      `this network denoises samples of shape [${shape.join(", ")}], got x of [${x.shape.join(", ")}]`,
    );
  }
}
