import { type Fault, faultsOf } from "./fault.ts";

/** What networks are told, and noise on what they make of it. */
export const conditionFaults: readonly Fault[] = [
  ...faultsOf(
    "src/guidance",
    [
      "weak/negative.ts",
      "return { ...branch, condition, conditionNoise: undefined };",
      "return { ...branch, condition };",
      "another condition keeps the noise of the one that it replaces",
    ],
    [
      "weak/negative.ts",
      "underCondition(strong, condition(x.shape[0]))",
      "underCondition(strong, condition(1))",
      "a negative condition for the first row alone",
    ],
    [
      "change/conditionAnnealing.ts",
      "low: Math.max(interval.low, sigmaOf(tau1))",
      "low: interval.low",
      "CADS changes what it is to leave alone",
    ],
    ["change/conditionAnnealing.ts", "rescale: mix", "rescale: 1", "CADS's mix ignored"],
    [
      "conditions.ts",
      "how, row), row * size);",
      "how, 0), row * size);",
      "rows of a tensor condition share their noise",
    ],
    [
      "conditions.ts",
      "return { ...branch, condition: { data",
      "return { ...branch, conditionNoise: how, condition: { data",
      "noise on a tensor condition twice",
    ],
    ["draws.ts", "purposes.indexOf(purpose) * 2 ** 40", "0", "methods draw the same numbers"],
  ),
  ...faultsOf(
    "src/diffusion",
    ["denoiser.ts", "sameTold(a.told, b.told) &&", "", "levels told are not told apart"],
    [
      "denoiser.ts",
      "sameNoise(a.levelNoise, b.levelNoise)",
      "true",
      "noises on the level's embedding are not told apart",
    ],
    [
      "embeddingNoise.ts",
      "philox(seeds[row], stream).fillNormal",
      "philox(row, stream).fillNormal",
      "noise on embeddings by place in the batch",
    ],
    [
      "oracles/classes.ts",
      "x, row, branch.told?.[row] ?? sigma, out",
      "x, row, sigma, out",
      "an oracle does not hear what it is told",
    ],
  ),
  ...faultsOf(
    "src/networks",
    ["rowInputs.ts", "if (dropped(at)) continue;", "", "noise on the null condition"],
    [
      "rowInputs.ts",
      "levelsOf(told, sigma, count)",
      "levelsOf(undefined, sigma, count)",
      "the level told is not told",
    ],
    ["rowInputs.ts", "rescale[at] = how.rescale;", "", "embeddings are not rescaled"],
    [
      "rowInputs.ts",
      "noise.slice(start * width, end * width)",
      "noise.slice(0, (end - start) * width)",
      "pieces of a batch get the first piece's noise",
    ],
  ),
  ...faultsOf(
    "src/graph/perturb",
    [
      "embedding.ts",
      "open.size === 1 && !foreign.has(only)",
      "open.size === 1",
      "an embedding that other inputs reach",
    ],
    [
      "embedding.ts",
      "open.size === 1 && !foreign.has(only)",
      "!foreign.has(only)",
      "an embedding that not all passes through",
    ],
    ["embedding.ts", "add(variance, 1e-24)", "variance", "an embedding without spread divided by 0"],
  ),
];
