/**
 * Any ONNX model that scores images can guide: its graph is differentiated, and the gradient goes through the denoiser to x.
 * Here the model says how symmetric an image is, score(x) = -sum of (x - mirrored x)^2, and is traced on the spot. One from a file
 * is given on a command line as --guidance score:20,model=FILE (with target=PICTURE for likeness by its embedding).
 */
import {
  buildGuidance,
  compose,
  guide,
  heun,
  karras,
  last,
  networkScore,
  nodeRuntime,
  openModel,
  scoreGuidance,
  seededNoise,
} from "fairlead";
import { flip, neg, reduceSum, square, sub, trace } from "fairlead/graph";

const runtime = nodeRuntime();
const model = await openModel(runtime, process.argv[2] ?? "fashion-mnist");
const { shape } = model.denoiser;

const symmetry = trace({ x: { shape: [1, ...shape] } }, ({ x }) => ({
  score: neg(reduceSum(square(sub(x, flip(x, [3]))), [1, 2, 3])),
}));
const score = networkScore(runtime, symmetry, { shape });

const seeds = Array.from({ length: 6 }, (_, seed) => seed);
const labels = seeds.map(() => model.classes.indexOf("Sneaker")); // which are not symmetric
const noise = seededNoise(seeds, 0, [seeds.length, ...shape]);
const start = { data: noise.data.map((value) => 80 * value), shape: noise.shape };

for (const scale of [0, 0.01, 0.03]) {
  const { terms } = buildGuidance("cfg:1.5", model.resources);
  const guided = guide(model.denoiser, labels, compose([...terms, scoreGuidance({ scale, score })]));
  const samples = await last(heun(guided.evaluate, start, karras({ steps: 8 })));
  const values = Array.from((await score.values(samples)).data);
  const mean = values.reduce((sum, value) => sum + value) / values.length;
  const { networks, gradients } = guided.evaluations;
  console.log(
    `scale ${scale}: mean score ${mean.toFixed(1)}, ${networks} evaluations and ${gradients} gradients`,
  );
}
await score.dispose();
await model.dispose();
