/** Composes guidance methods in one expression, each where it pays, and counts what they cost. */
import { formatGuidance, nodeRuntime, openModel, parseGuidance, sampleAll } from "fairlead";

const model = await openModel(nodeRuntime(), process.argv[2] ?? "fashion-mnist");
const specs = [
  "none",
  "cfg:2",
  // Only at middle noise: LOW < sigma <= HIGH. Elsewhere it costs nothing.
  "cfg:2,interval=0.2..3",
  "cfg:2+pag:scale=1",
  "cfg:2,interval=0.2..3+pag:scale=1,layers=mid,interval=0.2..3",
  // A weight of 1 is off: nothing weak is evaluated.
  "cfg:1",
];

for (const guidance of specs) {
  const start = performance.now();
  const { evaluations } = await sampleAll(model, {
    seeds: [0, 1, 2, 3],
    guidance,
    sampler: "dpmpp-2m",
    steps: 8,
  });
  const seconds = (performance.now() - start) / 1000;
  console.log(
    `${formatGuidance(parseGuidance(guidance)).padEnd(52)} ${evaluations.networks} evaluations, ${seconds.toFixed(2)} s`,
  );
}
await model.dispose();
