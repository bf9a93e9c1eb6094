import { UsageError } from "../base/errors.ts";
import { type Tensor, rowSize, sizeOf, zerosLike } from "../base/tensor.ts";
import type { Branch, Denoiser, Labels, Pullback } from "../diffusion/denoiser.ts";
import type { Preconditioning } from "../diffusion/preconditioning.ts";
import { type AttentionLayer, attentionLayers } from "../graph/attention.ts";
import type { Graph, NamedType } from "../graph/graph.ts";
import { type GraphBranch, mergeBranches } from "../graph/merge.ts";
import {
  type LayerSelection,
  type Perturbation,
  drawRandomInputs,
  perturbationKey,
} from "../graph/perturb.ts";
import { withEmbeddingNoise } from "../graph/perturb/embedding.ts";
import { differentiate } from "../graph/transform.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import { type AttendedMap, attendedGraph, joinPieces } from "./attended.ts";
import { groupBranches } from "./branchGroups.ts";
import { inPieces, rowsOfPiece } from "./inPieces.ts";
import { type NetworkConfig, conditionClasses, sampleShape } from "./network.ts";
import { networkGraph } from "./networkGraph.ts";
import { type UnetConfig, sideMultiple } from "./unet.ts";
import { type EmbeddingWidths, type RowInputs, embeddingWidths, rowInputs } from "./rowInputs.ts";

/** A trained network as a denoiser. Its sessions are made when first needed and kept until `dispose`. */
export interface NetworkDenoiser extends Denoiser<Labels> {
  /** The self-attention layers that can be perturbed, in the order in which they run. */
  readonly attention: readonly AttentionLayer[];
  /** Classes of the condition; 0 for an unconditional network. */
  readonly classes: number;
  /** Widths of the embeddings that noise can be put on. */
  readonly embeddings: EmbeddingWidths;
  vjp(x: Tensor, sigma: number, branch: Branch<Labels>, cotangent: Tensor): Promise<Pullback>;
  attended(
    x: Tensor,
    sigma: number,
    branch: Branch<Labels>,
    layers: LayerSelection,
  ): Promise<readonly Tensor[]>;
  /**
   * The same network for images of another side, in pixels; null for a network of points. Throws UsageError for a side that is no
   * multiple. Its sessions end with this one's.
   */
  readonly resized: { readonly multiple: number; to(side: number): NetworkDenoiser } | null;
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
 * Branches that differ in their condition, in the noise level that the network is told or in noise on its embeddings become one
 * batch; branches that differ in their perturbation become one graph in which everything before the first perturbed layer is
 * computed once. A condition of null, and a label of -1, is the network's null class. Throws UsageError as `rowInputs` does.
 */
export function networkDenoiser(runtime: Runtime, options: NetworkDenoiserOptions): NetworkDenoiser {
  const { network, parameters, preconditioning } = options;
  const shape = sampleShape(network);
  const classes = conditionClasses(network);
  const isPoint = shape.length === 1;
  const maxRows = options.maxRows ?? (isPoint ? 1024 : 4);
  const pieces = [isPoint ? Math.min(512, maxRows) : 1, maxRows] as const;
  const programs = new Map<string, Compiled>();
  const attendedPrograms = new Map<string, CompiledAttended>();

  const plain = (count: number): Graph => networkGraph(network, parameters, count);
  const single = plain(1);
  const attention = attentionLayers(single);
  const embeddings = embeddingWidths(single);

  /** The network for some rows, with noise on the embeddings of some inputs. */
  function graphFor(count: number, noisy: readonly string[]): Graph {
    return noisy.length > 0 ? withEmbeddingNoise(plain(count), noisy) : plain(count);
  }

  function graphOf(count: number, { perturbations, noisy }: Kind): Graph {
    return mergeBranches(graphFor(count, noisy), outputsOf(perturbations, outputName)).graph;
  }

  /** One program with an output per perturbation. `alone`: the rows are all there are. */
  function programFor(count: number, kind: Kind, alone: boolean): Compiled {
    const key = `${count} ${alone} ${keyOf(kind)}`;
    const found = programs.get(key);
    if (found) return found;
    const graph = graphOf(count, kind);
    const made = { program: runtime.compile(graph, { alone: alone && !isPoint }), inputs: graph.inputs };
    programs.set(key, made);
    return made;
  }

  /** A program that also takes a cotangent of the prediction, and pulls it back to x. */
  function pullbackFor(count: number, kind: Kind): Compiled {
    const key = `vjp ${count} ${keyOf(kind)}`;
    const found = programs.get(key);
    if (found) return found;
    const graph = differentiate(graphOf(count, kind), outputName(0), ["x"], { seed: COTANGENT });
    const made = { program: runtime.compile(graph), inputs: graph.inputs };
    programs.set(key, made);
    return made;
  }

  /** A program that gives what the tokens of chosen layers receive. */
  function attendedFor(count: number, layers: LayerSelection, noisy: readonly string[]): CompiledAttended {
    const key = `${count} ${JSON.stringify(layers)} ${noisy.join()}`;
    const found = attendedPrograms.get(key);
    if (found) return found;
    const { graph, maps } = attendedGraph(graphFor(count, noisy), layers);
    const made = { program: runtime.compile(graph), inputs: graph.inputs, maps };
    attendedPrograms.set(key, made);
    return made;
  }

  /** Computes rows start .. end of a group's batch and writes them into `denoised`. */
  async function run(group: Group, x: Tensor, sigma: number, start: number, end: number): Promise<void> {
    const { perturbations, inputs, drawn, denoised } = group;
    const [count, size] = [x.shape[0], sizeOf(shape)];
    const [skip, out, scale] = [
      preconditioning.cSkip(sigma),
      preconditioning.cOut(sigma),
      preconditioning.cIn(sigma),
    ];
    const { program } = programFor(end - start, kindOf(group), end - start === inputs.rows);

    const scaled = new Float32Array((end - start) * size);
    for (let row = start, to = 0; row < end; row++) {
      const from = (row % count) * size;
      for (let i = from; i < from + size; i++) scaled[to++] = scale * x.data[i];
    }
    const predictions = await (
      await program
    ).run({
      ...drawn,
      ...inputs.feeds(start, end),
      x: { data: scaled, shape: [end - start, ...shape] },
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

  const sizes = new Map<number, NetworkDenoiser>();
  function resizedTo(side: number): NetworkDenoiser {
    const known = sizes.get(side);
    if (known) return known;
    const multiple = sideMultiple(network as UnetConfig);
    if (!Number.isInteger(side / multiple) || side <= 0) {
      throw new UsageError(`this network takes images whose side is a multiple of ${multiple}, got ${side}`);
    }
    const made = networkDenoiser(runtime, {
      ...options,
      network: { ...(network as UnetConfig), size: side },
    });
    sizes.set(side, made);
    return made;
  }

  return {
    shape,
    classes,
    attention,
    embeddings,
    resized: network.kind === "unet" ? { multiple: sideMultiple(network), to: resizedTo } : null,
    async denoise(x, sigma, branches) {
      checkInput(x, shape);
      const count = x.shape[0];
      const results: Tensor[] = [];
      for (const { inputs: distinct, perturbations, branchesOf } of groupBranches(branches)) {
        // All inputs as one batch, cut into pieces: row r is sample r % count under inputs r / count.
        const inputs = rowInputs(distinct, { count, sigma, classes, widths: embeddings });
        const denoised = distinct.map(() => perturbations.map(() => zerosLike(x)));
        const size = rowsOfPiece(inputs.rows, ...pieces);
        const kind = { perturbations, noisy: inputs.noisy };
        const program = programFor(Math.min(size, inputs.rows), kind, size >= inputs.rows);
        const group = { perturbations, inputs, drawn: drawRandomInputs(program.inputs, sigma), denoised };
        await inPieces(inputs.rows, size, runtime.lanes, (start, end) => run(group, x, sigma, start, end));
        for (const { index, input, perturbation } of branchesOf)
          results[index] = denoised[input][perturbation];
      }
      return results;
    },
    async vjp(x, sigma, branch, cotangent) {
      for (const given of [x, cotangent]) checkInput(given, shape);
      const [count, size] = [x.shape[0], sizeOf(shape)];
      const given = rowInputs([branch], { count, sigma, classes, widths: embeddings });
      const kind = { perturbations: [branch.perturbation], noisy: given.noisy };
      const [skip, out, scale] = [
        preconditioning.cSkip(sigma),
        preconditioning.cOut(sigma),
        preconditioning.cIn(sigma),
      ];
      const [denoised, gradient] = [zerosLike(x), zerosLike(x)];

      await inPieces(count, rowsOfPiece(count, ...pieces), runtime.lanes, async (start, end) => {
        const [from, to, rows] = [start * size, end * size, end - start];
        const { program, inputs } = pullbackFor(rows, kind);
        const results = await (
          await program
        ).run({
          ...drawRandomInputs(inputs, sigma),
          ...given.feeds(start, end),
          x: {
            data: Float32Array.from(x.data.subarray(from, to), (value) => scale * value),
            shape: [rows, ...shape],
          },
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
    async attended(x, sigma, branch, layers) {
      checkInput(x, shape);
      const [count, size] = [x.shape[0], sizeOf(shape)];
      const given = rowInputs([branch], { count, sigma, classes, widths: embeddings });
      const scale = preconditioning.cIn(sigma);
      const perPiece = rowsOfPiece(count, ...pieces);
      const results = await inPieces(count, perPiece, runtime.lanes, async (start, end) => {
        const [rows, scaled] = [end - start, x.data.subarray(start * size, end * size)];
        const { program } = attendedFor(rows, layers, given.noisy);
        return (await program).run({
          ...given.feeds(start, end),
          x: { data: Float32Array.from(scaled, (value) => scale * value), shape: [rows, ...shape] },
        });
      });
      const { maps } = attendedFor(Math.min(perPiece, count), layers, given.noisy);
      return joinPieces(maps, results);
    },
    plan(branches, count) {
      const groups = groupBranches(branches).map(({ inputs, perturbations }) => {
        const named = (i: number): string => (perturbations[i] ? `perturbed ${i}` : "plain");
        // Made for the sake of what it needs of the graph: no numbers are used.
        const { noisy } = rowInputs(inputs, { count, sigma: 1, classes, widths: embeddings });
        const merged = mergeBranches(graphFor(1, noisy), outputsOf(perturbations, named));
        const { steps, evaluations } = merged.plan();
        const batch = inputs.length * count;
        const runs = Math.ceil(batch / rowsOfPiece(batch, ...pieces));
        const together =
          inputs.length === 1
            ? `1 condition, ${batch} rows`
            : `${inputs.length} conditions as one batch of ${batch} rows, because they ask for the same outputs`;
        const changes = inputs.flatMap(changesOf);
        return {
          steps: [
            `${together}, in ${runs} ${runs === 1 ? "run" : "runs"}${changes.length > 0 ? ` (${changes.join("; ")})` : ""}; ` +
              "for each condition:",
            ...steps,
          ],
          evaluations: inputs.length * evaluations,
        };
      });
      return {
        steps: groups.flatMap(({ steps }) => steps),
        evaluations: groups.reduce((sum, group) => sum + group.evaluations, 0),
      };
    },
    async dispose() {
      for (const one of sizes.values()) await one.dispose();
      sizes.clear();
      const all = [...programs.values(), ...attendedPrograms.values()];
      const made = await Promise.all(all.map(({ program }) => program));
      programs.clear();
      attendedPrograms.clear();
      await Promise.all(made.map((program) => program.dispose()));
    },
  };
}

interface Compiled {
  readonly program: Promise<Program>;
  readonly inputs: readonly NamedType[];
}

interface CompiledAttended extends Compiled {
  readonly maps: readonly AttendedMap[];
}

/** What a program is made for. */
interface Kind {
  /** One output each. */
  readonly perturbations: readonly (Perturbation | undefined)[];
  /** Inputs whose embeddings get noise. */
  readonly noisy: readonly string[];
}

interface Group {
  readonly perturbations: readonly (Perturbation | undefined)[];
  readonly inputs: RowInputs;
  /** What the perturbations draw, the same for every row. */
  readonly drawn: ReturnType<typeof drawRandomInputs>;
  /** The predictions by inputs and perturbation, each of x's shape. */
  readonly denoised: readonly (readonly Tensor[])[];
}

const kindOf = ({ perturbations, inputs }: Group): Kind => ({ perturbations, noisy: inputs.noisy });

const keyOf = ({ perturbations, noisy }: Kind): string =>
  `${noisy.join()} ${perturbations.map(perturbationKey).join(" ")}`;

/** How a branch's inputs differ from the usual ones, in words. */
function changesOf({ told, conditionNoise, levelNoise }: Branch<Labels>): string[] {
  return [
    ...(told ? ["told another noise level"] : []),
    ...(conditionNoise ? ["noise on the condition's embedding"] : []),
    ...(levelNoise ? ["noise on the noise level's embedding"] : []),
  ];
}

/** The pullback's input for the gradient with respect to the prediction. */
const COTANGENT = "cotangent";

const outputName = (i: number): string => `prediction/${i}`;

function outputsOf(
  perturbations: readonly (Perturbation | undefined)[],
  name: (i: number) => string,
): GraphBranch[] {
  return perturbations.map((perturbation, i) => ({ name: name(i), perturbation }));
}

function checkInput(x: Tensor, shape: readonly number[]): void {
  const size = shape.reduce((a, b) => a * b, 1);
  if (x.shape.length !== shape.length + 1 || rowSize(x) !== size) {
    throw new UsageError(
      `this network denoises samples of shape [${shape.join(", ")}], got x of [${x.shape.join(", ")}]`,
    );
  }
}
