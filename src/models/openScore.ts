import { FileError, UsageError } from "../base/errors.ts";
import type { Tensor } from "../base/tensor.ts";
import { decodeImage } from "../data/decodeImage.ts";
import { centreCrop, resize, toGrey, toRgb, toUnitRange } from "../data/transforms.ts";
import { readBytes } from "../files/atomicFile.ts";
import { openOnnxFile } from "../files/onnxFile.ts";
import { scoreName } from "../guidance/push/score.ts";
import { parseGuidance } from "../guidance/spec.ts";
import { type NetworkScore, networkEmbedding, networkScore } from "../networks/networkScore.ts";
import type { ScoreInput } from "../networks/scoreGraph.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { decodeSafetensors, toFloat32 } from "../training/safetensors.ts";

/** What the method `score` says of its model. */
export interface ScoreFiles {
  /** The ONNX file. */
  readonly model: string;
  /** A picture, or an embedding. */
  readonly target?: string;
  readonly output?: string;
  readonly input?: ScoreInput;
}

/**
 * The score of an ONNX file for samples of a shape: its output, or its likeness to the target's embedding.
 * Throws FileError for files that cannot be read, UsageError for a model that cannot score such samples.
 */
export async function openScore(
  runtime: Runtime,
  { model, target, output, input }: ScoreFiles,
  shape: readonly number[],
): Promise<NetworkScore> {
  const graph = await openOnnxFile(model);
  const options = { name: model, shape, output, input };
  if (target === undefined) return networkScore(runtime, graph, options);
  const bytes = await readBytes(target);
  if (/\.json$/i.test(target)) {
    return networkScore(runtime, graph, { ...options, target: fromJson(bytes, target) });
  }
  if (/\.safetensors$/i.test(target)) {
    return networkScore(runtime, graph, { ...options, target: fromSafetensors(bytes, target) });
  }
  const { data } = await networkEmbedding(runtime, graph, fromPicture(bytes, target, shape), options);
  return networkScore(runtime, graph, { ...options, target: data });
}

function fromJson(bytes: Uint8Array, file: string): number[] {
  let json: unknown = null;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new FileError(`${file} is not JSON: ${(error as Error).message}`);
  }
  const flat: unknown = Array.isArray(json) ? (json as unknown[]).flat(Infinity) : null;
  const isList = Array.isArray(flat) && flat.length > 0 && flat.every((one) => Number.isFinite(one));
  if (!isList) throw new FileError(`${file} is no embedding: wanted a list of numbers, such as [0.1, -0.3]`);
  return flat as number[];
}

function fromSafetensors(bytes: Uint8Array, file: string): Float32Array {
  const { entries } = decodeSafetensors(bytes, file);
  const [first] = entries;
  if (entries.size === 1) return toFloat32(first[1], first[0]);
  throw new FileError(
    `${file} is no embedding: wanted one array, and it holds ${[...entries.keys()].join(", ") || "none"}`,
  );
}

/** The middle square of a picture as one sample, [1, channels, height, width] in [-1, 1]. */
function fromPicture(bytes: Uint8Array, file: string, shape: readonly number[]): Tensor {
  const [channels, height, width] = shape;
  if (shape.length !== 3 || (channels !== 1 && channels !== 3)) {
    throw new UsageError(
      `a picture is no target for samples of shape [${shape.join(", ")}]: give their embedding as JSON or safetensors`,
    );
  }
  const square = centreCrop(decodeImage(bytes, file));
  const picture = resize((channels === 1 ? toGrey : toRgb)(square), height, width);
  const data = new Float32Array(picture.data.length);
  toUnitRange(picture.data, data);
  return { data, shape: [1, ...shape] };
}

/** The files that the scores of a guidance are made of, by what they are. */
export function scoreFiles(guidance: string): Record<string, string> {
  const scores = parseGuidance(guidance).filter(
    ({ method }) => method === "score",
  ) as unknown as Partial<ScoreFiles>[];
  return Object.fromEntries(
    scores.flatMap(({ model, target }, i) => {
      const nth = i === 0 ? "" : ` ${i + 1}`;
      // One without a model is refused where the guidance is built.
      const files = [
        [`score${nth}`, model],
        [`target${nth}`, target],
      ];
      return files.filter((file): file is [string, string] => file[1] !== undefined);
    }),
  );
}

/** Scores by `scoreName`, opened when first asked for and kept until `dispose`. */
export interface OpenScores {
  /** Those that a guidance names. */
  of(guidance: string): Promise<Record<string, NetworkScore>>;
  dispose(): Promise<void>;
}

export function openScores(runtime: Runtime, shape: readonly number[]): OpenScores {
  const opened = new Map<string, NetworkScore>();
  return {
    async of(guidance) {
      const wanted: Record<string, NetworkScore> = {};
      for (const spec of parseGuidance(guidance)) {
        if (spec.method !== "score" || spec.model === undefined) continue;
        const name = scoreName(spec);
        const score = opened.get(name) ?? (await openScore(runtime, spec as unknown as ScoreFiles, shape));
        opened.set(name, score);
        wanted[name] = score;
      }
      return wanted;
    },
    async dispose() {
      for (const score of opened.values()) await score.dispose();
      opened.clear();
    },
  };
}
