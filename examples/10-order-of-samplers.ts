/** How fast each sampler converges, on a Gaussian whose exact path is known: error halves or quarters with each doubling. */
import { gaussian, karras, last, samplers } from "fairlead";

const data = gaussian({ mean: [0.3], std: 0.5 });
const start = { data: Float64Array.of(80, -40, 120), shape: [3, 1] };
const want = data.path(start, 80, 0);

console.log("error by number of steps; the order is log2 of the last ratio");
console.log("sampler    16        32        64        128       order  evaluations at 128");
for (const sampler of Object.values(samplers).filter(({ stochastic }) => !stochastic)) {
  const errors: number[] = [];
  for (const steps of [16, 32, 64, 128]) {
    const x = await last(sampler.run(data.denoise, start, karras({ steps })));
    errors.push(Math.max(...x.data.map((value, i) => Math.abs(value - want.data[i]))));
  }
  const order = Math.log2(errors[2] / errors[3]);
  const cells = errors.map((error) => error.toExponential(1).padEnd(9));
  console.log(
    [sampler.name.padEnd(10), ...cells, order.toFixed(2).padEnd(6), sampler.evaluations(128)].join(" "),
  );
}
