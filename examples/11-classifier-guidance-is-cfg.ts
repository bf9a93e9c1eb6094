/** With exact predictions, classifier guidance of an unconditional model at scale w is CFG of weight w: Bayes' rule. */
import {
  cfg,
  classifierGuidance,
  compose,
  distributionByName,
  guide,
  heun,
  karras,
  last,
  mixtureClassifier,
  mixtureDenoiser,
  philox,
} from "fairlead";

const { mixtures, priors } = distributionByName("grid");
const denoiser = mixtureDenoiser(mixtures!, priors);
const bayes = mixtureClassifier(mixtures!, priors);
const classifier = {
  logProbabilityGradient: async (...[x, sigma, labels]: Parameters<typeof bayes.gradient>) =>
    bayes.gradient(x, sigma, labels),
};

const n = 64;
const labels = Array.from({ length: n }, (_, i) => i % 2);
const noise = new Float64Array(2 * n);
philox(0, 0).fillNormal(noise);
const start = { data: noise.map((value) => 5 * value), shape: [n, 2] };

for (const w of [1, 2, 4]) {
  const byCfg = guide(denoiser, labels, compose([cfg({ weight: w })]));
  const byClassifier = guide(denoiser, labels, compose([classifierGuidance({ scale: w, classifier })]));
  const sigmas = karras({ steps: 24, max: 5, min: 0.01 });
  const [a, b] = [
    await last(heun(byCfg.evaluate, start, sigmas)),
    await last(heun(byClassifier.evaluate, start, sigmas)),
  ];
  const difference = Math.max(...a.data.map((value, i) => Math.abs(value - b.data[i])));
  console.log(`w = ${w}: samples differ by at most ${difference.toExponential(1)}`);
}
