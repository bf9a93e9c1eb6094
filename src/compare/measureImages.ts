import { type Tensor, concatRows } from "../base/tensor.ts";
import type { ImageDataset } from "../data/dataset.ts";
import type { Labels } from "../diffusion/denoiser.ts";
import {
  type FeatureStatistics,
  classAccuracy,
  featureStatistics,
  frechetDistance,
  precisionRecall,
} from "../metrics/index.ts";
import type { NetworkClassifier } from "../networks/networkClassifier.ts";

/** Fewer samples than this say nothing of a distance between distributions, so none is shown. */
export const MANY_SAMPLES = 1000;
/** Real images whose features precision and recall are measured against. */
const REFERENCE_POINTS = 5000;

/** Features of real images. */
export interface ImageReference {
  readonly statistics: FeatureStatistics;
  /** [n, width] */
  readonly features: Tensor;
  /** In words: "the 60,000 images of fashion-mnist". */
  readonly description: string;
}

/** Statistics of the features of a whole data set. Cost: one evaluation of the extractor an image. */
export async function imageReference(
  data: ImageDataset,
  extractor: NetworkClassifier,
  name: string,
  onProgress?: (done: number, total: number) => void,
): Promise<ImageReference> {
  const size = data.shape.reduce((a, b) => a * b, 1);
  const parts: Tensor[] = [];
  const step = 512;
  for (let start = 0; start < data.count; start += step) {
    const indices = Array.from({ length: Math.min(step, data.count - start) }, (_, i) => start + i);
    const pixels = new Float32Array(indices.length * size);
    data.batch(indices, pixels);
    const { features } = await extractor.classify({ data: pixels, shape: [indices.length, ...data.shape] });
    parts.push(features!);
    onProgress?.(start + indices.length, data.count);
  }
  const features = concatRows(parts);
  return {
    statistics: featureStatistics(features, { extractor: name }),
    features: {
      data: features.data.slice(0, REFERENCE_POINTS * extractor.width),
      shape: [REFERENCE_POINTS, extractor.width],
    },
    description: `${data.count} images of ${data.name} (precision and recall: the first ${REFERENCE_POINTS})`,
  };
}

/** Class accuracy (where there are labels), and with many samples their distances from the real images. */
export async function measureImages(
  x: Tensor,
  labels: Labels | null,
  extractor: NetworkClassifier,
  name: string,
  reference: ImageReference | null,
): Promise<Record<string, number>> {
  const { logits, features } = await extractor.classify(x);
  const metrics: Record<string, number> = {};
  if (labels) metrics.accuracy = classAccuracy(logits, labels, { extractor: name }).value;
  if (reference && features) {
    metrics.frechetDistance = frechetDistance(features, reference.statistics, { extractor: name }).value;
    const { precision, recall } = precisionRecall(features, reference.features, { extractor: name, k: 3 });
    metrics.precision = precision;
    metrics.recall = recall;
  }
  return metrics;
}
