import { type Fault, faultsOf } from "./fault.ts";

/** Noise levels, noises and what predictions stand for. */
export const scheduleFaults: readonly Fault[] = faultsOf(
  "src/diffusion",
  [
    "sigmas.ts",
    "[max ** (1 / rho), min ** (1 / rho)]",
    "[max ** (1 / (rho + 1)), min ** (1 / (rho + 1))]",
    "Karras's rho",
  ],
  ["sigmas.ts", "steps === 1 ? 0 : i / (steps - 1)", "steps === 1 ? 0 : i / steps", "spacing off by one"],
  [
    "sigmas.ts",
    "roundHalfEven(count - (i * count) / steps) - 1",
    "roundHalfEven(count - (i * count) / steps)",
    "trailing timesteps off by one",
  ],
  [
    "sigmas.ts",
    "(steps - 1 - i) * Math.floor(count / steps)",
    "(steps - i) * Math.floor(count / steps)",
    "leading timesteps off by one",
  ],
  [
    "sigmas.ts",
    "((steps - 1 - i) * (count - 1)) / (steps - 1)",
    "((steps - 1 - i) * count) / steps",
    "linspace timesteps off by one",
  ],
  [
    "sigmas.ts",
    "(1 - u) ** rho * Math.log(max / min)",
    "(1 - u ** rho) * Math.log(max / min)",
    "polyexponential turned round",
  ],
  [
    "sigmas.ts",
    "Math.expm1((betaD * t * t) / 2 + betaMin * t)",
    "Math.expm1(betaD * t * t + betaMin * t)",
    "the integral of beta(t)",
  ],
  [
    "sigmas.ts",
    "betaQuantile(1 - u, a, b)",
    "betaQuantile(1 - u, b + 0.1, a)",
    "a Beta distribution's numbers",
  ],
  [
    "betas.ts",
    "start + ((end - start) * i) / (count - 1)",
    "start + ((end - start) * (i + 1)) / count",
    "betas off by one",
  ],
  [
    "betas.ts",
    "between(Math.sqrt(start), Math.sqrt(end), i, count) ** 2",
    "between(start, end, i, count)",
    "scaled-linear betas are linear",
  ],
  [
    "betas.ts",
    "Math.cos((((i / count + offset)",
    "Math.cos(((((i + 1) / count + offset)",
    "cosine betas off by one",
  ],
  ["betas.ts", "product *= 1 - betas[i]", "product *= 1 - betas[Math.max(0, i - 1)]", "abar off by one"],
  [
    "betas.ts",
    "(((one - last) * first) / (first - last)) ** 2",
    "((one - last) / (first - last)) ** 2",
    "zero-SNR betas lose the first abar",
  ],
  ["betas.ts", "Math.sqrt((1 - abar) / abar)", "Math.sqrt(1 - abar)", "sigma without its signal"],
  [
    "noise.ts",
    "seededNoise(seeds, index + 1 + part * 2 ** 32, shape)",
    "seededNoise(seeds, 1 + part * 2 ** 32, shape)",
    "noise reused: the step's index dropped",
  ],
  [
    "noise.ts",
    "seededNoise(seeds, index + 1 + part * 2 ** 32, shape)",
    "seededNoise(seeds, index + 1, shape)",
    "noise reused: a step's second noise is its first",
  ],
  [
    "noise.ts",
    "seededNoise(seeds, index + 1 + part * 2 ** 32, shape)",
    "seededNoise(seeds, index + part * 2 ** 32, shape)",
    "noise reused: the first step has the start's",
  ],
  [
    "noise.ts",
    "seededNoise(seeds, index + 1 + part * 2 ** 32, shape)",
    "seededNoise(seeds.map((_, i) => i), index + 1 + part * 2 ** 32, shape)",
    "seeds by place in the batch",
  ],
  [
    "noise.ts",
    "fillCudaNormal(out, seed, call++)",
    "fillCudaNormal(out, seed, call)",
    "noise reused: CUDA's call number stays",
  ],
  [
    "brownian.ts",
    "Math.sqrt(high - low) / 2",
    "Math.sqrt((high - low) / 2)",
    "the spread of a Brownian bridge",
  ],
  [
    "brownian.ts",
    "pathAt(seed, low, size), pathAt(seed, high, size)",
    "pathAt(row, low, size), pathAt(row, high, size)",
    "Brownian paths by place in the batch",
  ],
  [
    "parameterisation.ts",
    "return [alpha / sigma, -(alpha * alpha + sigma * sigma) / sigma];",
    "return [-alpha / sigma, (alpha * alpha + sigma * sigma) / sigma];",
    "sign of v",
  ],
  [
    "parameterisation.ts",
    "return [1 / sigma, -(alpha + sigma) / sigma];",
    "return [1 / sigma, -alpha / sigma];",
    "velocity is eps",
  ],
  [
    "threshold.ts",
    "Math.max(1, quantile(",
    "Math.min(1, quantile(",
    "dynamic thresholding raises what is small",
  ],
  [
    "parameterisation.ts",
    "{ alpha, sigma: sigma * alpha }",
    "{ alpha, sigma }",
    "sigma of the variance-exploding form",
  ],
);

/** Where the numbers come from. */
export const randomFaults: readonly Fault[] = faultsOf(
  "src/base",
  ["philox.ts", "k0 = (k0 + 0x9e3779b9) | 0;", "", "Philox's key does not change"],
  ["mt19937.ts", "y ^= y >>> 18;", "", "MT19937 without its last tempering"],
  ["torchGenerator.ts", "spare = r * Math.sin(2 * Math.PI * a);", "", "torch's second normal is lost"],
  [
    "torchGenerator.ts",
    "if (count % 16 !== 0)",
    "if (count % 8 !== 0)",
    "torch's last block is not drawn anew",
  ],
  ["randomState.ts", "spare = f * x1;", "spare = f * x2;", "numpy's second normal is the first"],
  [
    "cudaNoise.ts",
    "philoxBlock(words, call, 0, i, 0, low, high)",
    "philoxBlock(words, i, 0, call, 0, low, high)",
    "CUDA's element and call swapped",
  ],
);

/** What a scheduler's config becomes. */
export const schedulerFaults: readonly Fault[] = [
  ...faultsOf(
    "src/diffusion",
    [
      "flowSigmas.ts",
      "(shift * t) / (1 + (shift - 1) * t)",
      "t / (1 + (shift - 1) * t)",
      "a flow's shift towards the data",
    ],
    [
      "flowSigmas.ts",
      "(1 - terminal) / (1 - times[times.length - 1])",
      "terminal / times[times.length - 1]",
      "times stretched from 0 in place of 1",
    ],
    [
      "flowSigmas.ts",
      'kind === "linear" ? mu : Math.exp(mu)',
      "Math.exp(mu)",
      "a linear shift taken for an exponential one",
    ],
    [
      "flowSigmas.ts",
      "(tokens - baseTokens)) / (maxTokens - baseTokens)",
      "tokens) / (maxTokens - baseTokens)",
      "the shift of a number of tokens",
    ],
    [
      "likelihood/likelihood.ts",
      "value + prior[row]",
      "value - prior[row]",
      "sign of the prior in a likelihood",
    ],
    [
      "likelihood/likelihood.ts",
      "-value / (d * Math.LN2) - Math.log2(binWidth)",
      "-value / Math.LN2 - Math.log2(binWidth)",
      "bits of all dimensions together",
    ],
  ),
  ...faultsOf(
    "src/diffusion/schedulers",
    [
      "spacing.ts",
      "(steps - 1 - i) * gap + offset",
      "(steps - i) * gap + offset",
      "leading timesteps off by one",
    ],
    [
      "spacing.ts",
      "Math.floor(last / (steps + 1))",
      "Math.floor(last / steps)",
      "the gap of the classes that leave out the lowest",
    ],
    [
      "spacing.ts",
      "roundHalfEven(from + i * step) - 1",
      "roundHalfEven(from + i * step)",
      "trailing timesteps off by one",
    ],
    ["spacing.ts", "(last - first) / (n - 1)", "(last - first) / n", "linspace off by one"],
    [
      "curves.ts",
      "if (config.use_karras_sigmas) return",
      "if (config.use_exponential_sigmas) return",
      "another curve than the config's",
    ],
    ["curves.ts", "karras({ ...range, rho })", "karras({ ...range })", "the config's rho ignored"],
    [
      "curves.ts",
      "table[i] + (t - i) * (table[i + 1] - table[i])",
      "table[i] + (t - i) * (table[i] - table[i + 1])",
      "interpolation the wrong way",
    ],
    [
      "betaTable.ts",
      'case "squaredcos_cap_v2":\n      return { kind: "cosine", count, zeroSnr };',
      'case "squaredcos_cap_v2":\n      return { kind: "laplace", count, zeroSnr };',
      "another schedule than the config's",
    ],
    ["betaTable.ts", "2 ** -24", "2 ** -20", "the last abar of zero terminal SNR"],
    [
      "flowPlans.ts",
      "[1, Math.fround(shiftTime(1 / count, shift))]",
      "[1, Math.fround(1 / count)]",
      "the smallest time not shifted first",
    ],
    [
      "flowPlans.ts",
      "isDynamic ? dynamicShift(config.time_shift_type, mu!) : shift",
      "shift",
      "dynamic shift ignored",
    ],
    ["edmPlans.ts", "Math.sqrt(max * max + 1)", "max", "the start's deviation of EDM's classes"],
    [
      "edmPlans.ts",
      "Math.sin((Math.PI * (1 - i / steps)) / 2) ** 2",
      "Math.sin((Math.PI * (1 - i / steps)) / 2)",
      "iPNDM's shares",
    ],
    [
      "sigmaPlans.ts",
      'epsilon: "eps", v_prediction: "v"',
      'epsilon: "v", v_prediction: "eps"',
      "what Euler keeps under churn",
    ],
  ),
];
