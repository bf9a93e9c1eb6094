import { UsageError } from "../base/errors.ts";
import { type Tensor, rowSize, sizeOf, zerosLike } from "../base/tensor.ts";
import type { Branch, Denoiser, Labels, Pullback } from "../diffusion/denoiser.ts";
import type { Preconditioning } from "../diffusion/preconditioning.ts";
import { type AttentionLayer, attentionLayers } from "../graph/attention.ts";
import type { Graph, NamedType } from "../graph/graph.ts";
import { mergeBranches } from "../graph/merge.ts";
import { type Perturbation, drawRandomInputs, perturbationKey } from "../graph/perturb.ts";
import { differentiate } from "../graph/transform.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import { inPieces, rowsOfPiece } from "./inPieces.ts";
import { type NetworkConfig, conditionClasses, sampleShape } from "./network.ts";
import { networkGraph } from "./networkGraph.ts";

/** A trained network as a denoiser. Its sessions are made when first needed and kept until `dispose`. */
export interface NetworkDenoiser extends Denoiser<Labels> {
  /** The self-attention layers that can be perturbed, in the order in which they run. */
  readonly attention: readonly AttentionLayer[];
  /** Classes of the condition; 0 for an unconditional network. */
  readonly classes: number;
  vjp(x: Tensor, sigma: number, branch: Branch<Labels>, cotangent: Tensor): Promise<Pullback>;
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
  /** Rows that run at once at most. Default: 4 for images, 1024 for points. */
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
  const isPoint = shape.length === 1;
  const maxRows = options.maxRows ?? (isPoint ? 1024 : 4);
  const pieces = [isPoint ? Math.min(512, maxRows) : 1, maxRows] as const;
  const programs = new Map<string, Compiled>();

  const plain = (count: number): Graph => networkGraph(network, parameters, count);
  const attention = attentionLayers(plain(1));

  function graphOf(count: number, perturbations: readonly (Perturbation | undefined)[]): Graph {
    const outputs = perturbations.map((perturbation, i) => ({ name: outputName(i), perturbation }));
    return mergeBranches(plain(count), outputs).graph;
  }

  /** One program with an output per perturbation. `alone`: the rows are all there are. */
  function programFor(
    count: number,
    perturbations: readonly (Perturbation | undefined)[],
    alone: boolean,
  ): Compiled {
    const key = `${count} ${alone} ${perturbations.map(perturbationKey).join(" ")}`;
    const found = programs.get(key);
    if (found) return found;
    const graph = graphOf(count, perturbations);
    const made = { program: runtime.compile(graph, { alone: alone && !isPoint }), inputs: graph.inputs };
    programs.set(key, made);
    return made;
  }

  /** A program that also takes a cotangent of the prediction, and pulls it back to x. */
  function pullbackFor(count: number, perturbation: Perturbation | undefined): Compiled {
    const key = `vjp ${count} ${perturbationKey(perturbation)}`;
    const found = programs.get(key);
    if (found) return found;
    const graph = differentiate(graphOf(count, [perturbation]), outputName(0), ["x"], { seed: COTANGENT });
    const made = { program: runtime.compile(graph), inputs: graph.inputs };
    programs.set(key, made);
    return made;
  }

  /** Computes rows start .. end of a group's batch and writes them into `denoised`. */
  async function run(group: Group, x: Tensor, sigma: number, start: number, end: number): Promise<void> {
    const { perturbations, labels, drawn, denoised } = group;
    const [count, size] = [x.shape[0], sizeOf(shape)];
    const [skip, out, scale] = [
      preconditioning.cSkip(sigma),
      preconditioning.cOut(sigma),
      preconditioning.cIn(sigma),
    ];
    const { program } = programFor(end - start, perturbations, end - start === labels.length);

    const scaled = new Float32Array((end - start) * size);
    for (let row = start, to = 0; row < end; row++) {
      const from = (row % count) * size;
      for (let i = from; i < from + size; i++) scaled[to++] = scale * x.data[i];
    }
    const predictions = await (
      await program
    ).run({
      ...drawn,
      x: { data: scaled, shape: [end - start, ...shape] },
      noise: { data: new Float32Array(end - start).fill(sigma), shape: [end - start] },
      labels: { data: classIndices(labels, start, end, classes), shape: [end - start] },
    });

    // D = cSkip x + cOut F, in x's precision.
    perturbations.forEach((_, p) => {
      const prediction = predictions[outputName(p)].data as Float32Array;
      for (let row = start, from = 0; row < end; row++) {
        const into = denoised[Math.floor(row / count)][p].data;
        const at = (row % count) * size;
        for (let i = at; i < at + size; i++) into[i] = skip * x.data[i] + out * prediction[from++];
      }
    });
  }

  return {
    shape,
    classes,
    attention,
    async denoise(x, sigma, branches) {
      checkInput(x, shape);
      const count = x.shape[0];
      const results: Tensor[] = [];
      for (const { conditions, perturbations, branchesOf } of groupBranches(branches)) {
        // All conditions as one batch, cut into pieces: row r is sample r % count under condition r / count.
        const labels = conditions.flatMap((condition) => labelsOf(condition, count, classes));
        const denoised = conditions.map(() => perturbations.map(() => zerosLike(x)));
        const size = rowsOfPiece(labels.length, ...pieces);
        const { inputs } = programFor(Math.min(size, labels.length), perturbations, size >= labels.length);
        const group = { perturbations, labels, drawn: drawRandomInputs(inputs, sigma), denoised };
        await inPieces(labels.length, size, runtime.lanes, (start, end) => run(group, x, sigma, start, end));
        for (const { index, condition, perturbation } of branchesOf)
          results[index] = denoised[condition][perturbation];
      }
      return results;
    },
    async vjp(x, sigma, { condition, perturbation }, cotangent) {
      for (const given of [x, cotangent]) checkInput(given, shape);
      const [count, size] = [x.shape[0], sizeOf(shape)];
      const labels = labelsOf(condition, count, classes);
      const [skip, out, scale] = [
        preconditioning.cSkip(sigma),
        preconditioning.cOut(sigma),
        preconditioning.cIn(sigma),
      ];
      const [denoised, gradient] = [zerosLike(x), zerosLike(x)];

      await inPieces(count, rowsOfPiece(count, ...pieces), runtime.lanes, async (start, end) => {
        const [from, to, rows] = [start * size, end * size, end - start];
        const { program, inputs } = pullbackFor(rows, perturbation);
        const results = await (
          await program
        ).run({
          ...drawRandomInputs(inputs, sigma),
          x: {
            data: Float32Array.from(x.data.subarray(from, to), (value) => scale * value),
            shape: [rows, ...shape],
          },
          noise: { data: new Float32Array(rows).fill(sigma), shape: [rows] },
          labels: { data: classIndices(labels, start, end, classes), shape: [rows] },
          [COTANGENT]: {
            data: Float32Array.from(cotangent.data.subarray(from, to)),
            shape: [rows, ...shape],
          },
        });
        const F = results[outputName(0)].data as Float32Array;
        const slope = results["gradient/x"].data as Float32Array;

        // D = cSkip x + cOut F(cIn x), so J' = cSkip + cOut cIn F'.
        for (let i = from; i < to; i++) {
          denoised.data[i] = skip * x.data[i] + out * F[i - from];
          gradient.data[i] = skip * cotangent.data[i] + out * scale * slope[i - from];
        }
      });
      return { denoised, gradient };
    },
    plan(branches, count) {
      const groups = groupBranches(branches).map(({ conditions, perturbations }) => {
        const outputs = perturbations.map((perturbation, i) => ({
          name: perturbation ? `perturbed ${i}` : "plain",
          perturbation,
        }));
        const { steps, evaluations } = mergeBranches(plain(1), outputs).plan();
        const batch = conditions.length * count;
        const runs = Math.ceil(batch / rowsOfPiece(batch, ...pieces));
        const together =
          conditions.length === 1
            ? `1 condition, ${batch} rows`
            : `${conditions.length} conditions as one batch of ${batch} rows, because they ask for the same outputs`;
        return {
          steps: [`${together}, in ${runs} ${runs === 1 ? "run" : "runs"}; for each condition:`, ...steps],
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
  /** One for each row of the batch; -1: the null condition. */
  readonly labels: Labels;
  /** What the perturbations draw, the same for every row. */
  readonly drawn: ReturnType<typeof drawRandomInputs>;
  /** The predictions by condition and perturbation, each of x's shape. */
  readonly denoised: readonly (readonly Tensor[])[];
}

/** The pullback's input for the gradient with respect to the prediction. */
const COTANGENT = "cotangent";

const outputName = (i: number): string => `prediction/${i}`;

interface BranchGroup {
  readonly conditions: (Labels | null)[];
  readonly perturbations: readonly (Perturbation | undefined)[];
  /** The branches that it answers: their place among all, and which of the conditions and perturbations they are. */
  readonly branchesOf: {
    readonly index: number;
    readonly condition: number;
    readonly perturbation: number;
  }[];
}

/** Conditions that want the same perturbations share a batch. */
function groupBranches(branches: readonly Branch<Labels>[]): BranchGroup[] {
  const keys = branches.map(({ perturbation }) => perturbationKey(perturbation));
  const byCondition = new Map<Labels | null, string[]>();
  branches.forEach(({ condition }, i) => {
    const known = byCondition.get(condition) ?? [];
    if (!known.includes(keys[i])) known.push(keys[i]);
    byCondition.set(condition, known);
  });
  const groups = new Map<string, BranchGroup>();
  for (const [condition, wanted] of byCondition) {
    const found = groups.get(wanted.join(" "));
    const group = found ?? {
      conditions: [],
      perturbations: wanted.map((key) => branches[keys.indexOf(key)].perturbation),
      branchesOf: [],
    };
    groups.set(wanted.join(" "), group);
    const place = group.conditions.push(condition) - 1;
    branches.forEach((branch, index) => {
      if (branch.condition === condition)
        group.branchesOf.push({ index, condition: place, perturbation: wanted.indexOf(keys[index]) });
    });
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

function classIndices(labels: Labels, start: number, end: number, classes: number): BigInt64Array {
  const indices = new BigInt64Array(end - start);
  for (let i = start; i < end; i++) indices[i - start] = BigInt(labels[i] < 0 ? classes : labels[i]);
  return indices;
}

function checkInput(x: Tensor, shape: readonly number[]): void {
  const size = shape.reduce((a, b) => a * b, 1);
  if (x.shape.length !== shape.length + 1 || rowSize(x) !== size) {
    throw new UsageError(
      `this network denoises samples of shape [${shape.join(", ")}], got x of [${x.shape.join(", ")}]`,
    );
  }
}
