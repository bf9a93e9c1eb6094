/** The toy of the autoguidance paper: what each method does to a density that is known exactly. */
import { distributionByName, metrics2d, nodeRuntime, openModel, philox, sampleAll, truth2d } from "fairlead";
import type { Tensor } from "fairlead";

const model = await openModel(nodeRuntime(), process.argv[2] ?? "tree");
const [truth] = distributionByName("tree").mixtures!;
const n = 2048;
const reference = truth2d((points) => truth.logDensity(points, 0), truth.sample(philox(1, 0), n), {
  thresholdSamples: truth.sample(philox(2, 0), 8 * n),
});

function report(name: string, x: Tensor): void {
  const { recall, precision, outlierRate } = metrics2d(x, reference);
  const cells = [recall, precision, outlierRate].map((value) => value.toFixed(3).padStart(9));
  console.log([name.padEnd(14), ...cells].join(" "));
}

console.log(`${n} samples      recall precision  outliers`);
report("the truth", truth.sample(philox(3, 0), n));
const seeds = Array.from({ length: n }, (_, i) => i);
for (const guidance of ["none", "cfg:4", "autoguidance:3"]) {
  report(guidance, (await sampleAll(model, { seeds, guidance })).x);
}
await model.dispose();
