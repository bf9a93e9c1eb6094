import type { RunInput } from "./modelConfig.ts";

const fashionUnet: RunInput["network"] = {
  kind: "unet",
  size: 32,
  channels: 1,
  patch: 2,
  features: [64, 80],
  attention: [false, true],
  headChannels: 40,
  embedding: 128,
  classes: 10,
};

const fashionTraining: Omit<RunInput["training"], "ema"> = {
  batchSize: 32,
  images: 304_000,
  optimiser: { kind: "adam", learningRate: 1e-3, betas: [0.9, 0.99], clip: 1 },
  schedule: { kind: "cosine", warmUpSteps: 300, final: 0.02 },
};

const tree = { dims: 2, layers: 4, sigmaData: 0.5 } as const;
const treeTraining: Omit<RunInput["training"], "images"> = {
  batchSize: 4096,
  optimiser: { kind: "adam", learningRate: 0.01, betas: [0.9, 0.99] },
  schedule: { kind: "inverse-sqrt", referenceSteps: 512 },
  ema: [{ name: "ema", kind: "power", sigmaRel: 0.01 }],
  statsEverySteps: 32,
};

interface Preset {
  readonly description: string;
  readonly config: RunInput;
}

/** What `fairlead train PRESET` trains. */
export const presets: Readonly<Record<string, Preset>> = {
  "fashion-mnist": {
    description:
      "class-conditional UNet (1M parameters) on Fashion-MNIST at 32 x 32, EDM's loss, condition dropped at 0.1",
    config: {
      network: fashionUnet,
      objective: { kind: "edm", sigmaData: 0.7, logSigma: { mean: -0.8, std: 1.4 } },
      data: { name: "fashion-mnist" },
      dropCondition: 0.1,
      training: {
        ...fashionTraining,
        ema: [
          { name: "ema", kind: "power", sigmaRel: 0.06 },
          { name: "short", kind: "power", sigmaRel: 0.02 },
        ],
        snapshots: [16_000, 32_000, 64_000, 128_000],
        previewEvery: 50_000,
      },
    },
  },
  "fashion-mnist-ddpm": {
    description: "the same network by Algorithm 1 of DDPM: uniform t, squared error of the noise",
    config: {
      network: fashionUnet,
      objective: { kind: "ddpm", betas: { kind: "linear" } },
      data: { name: "fashion-mnist" },
      dropCondition: 0.1,
      training: {
        ...fashionTraining,
        ema: [{ name: "ema", kind: "power", sigmaRel: 0.06 }],
        previewEvery: 50_000,
      },
    },
  },
  "fashion-mnist-noisy-classifier": {
    description: "noise-aware classifier of Fashion-MNIST, for classifier guidance",
    config: {
      network: {
        kind: "encoder",
        size: 32,
        channels: 1,
        features: [16, 32, 64],
        embedding: 64,
        headChannels: 32,
        width: 128,
        classes: 10,
        noiseAware: true,
      },
      objective: { kind: "noisy-classifier", sigmaData: 0.7, logSigma: { mean: -0.8, std: 1.6 } },
      data: { name: "fashion-mnist" },
      training: {
        batchSize: 64,
        images: 80_000,
        optimiser: { kind: "adamw", learningRate: 1e-3, weightDecay: 0.05, clip: 1 },
        schedule: { kind: "cosine", warmUpSteps: 100 },
        ema: [{ name: "ema", kind: "power", sigmaRel: 0.06 }],
      },
    },
  },
  "fashion-mnist-classifier": {
    description:
      "classifier of clean Fashion-MNIST images; its penultimate layer is the feature extractor of the Fréchet distance",
    config: {
      network: {
        kind: "encoder",
        size: 32,
        channels: 1,
        features: [16, 32, 64],
        headChannels: 0,
        width: 128,
        classes: 10,
        noiseAware: false,
      },
      objective: { kind: "classifier", shift: 1 },
      data: { name: "fashion-mnist" },
      training: {
        batchSize: 64,
        images: 256_000,
        optimiser: { kind: "adamw", learningRate: 2e-3, weightDecay: 0.05, clip: 1 },
        schedule: { kind: "cosine", warmUpSteps: 100 },
        ema: [{ name: "ema", kind: "power", sigmaRel: 0.06 }],
      },
    },
  },
  tree: {
    description: "the 2-D tree's main network (64 wide, 4096 steps) of the autoguidance paper, class A",
    config: {
      network: { kind: "density", hidden: 64, ...tree },
      objective: { kind: "exact-score" },
      data: { name: "tree", classes: [0] },
      training: { ...treeTraining, images: 4096 * 4096, snapshots: { every: 256 * 4096 } },
    },
  },
  "tree-weak": {
    description: "autoguidance's weak network of the tree: 32 wide, 512 steps, class A",
    config: {
      network: { kind: "density", hidden: 32, ...tree },
      objective: { kind: "exact-score" },
      data: { name: "tree", classes: [0] },
      training: { ...treeTraining, images: 512 * 4096 },
    },
  },
  "tree-unconditional": {
    description: "CFG's unconditional network of the tree: 32 wide, 512 steps, both classes",
    config: {
      network: { kind: "density", hidden: 32, ...tree },
      objective: { kind: "exact-score" },
      data: { name: "tree" },
      training: { ...treeTraining, images: 512 * 4096 },
    },
  },
  "tree-classifier": {
    description: "noise-aware classifier of the tree's two classes",
    config: {
      network: { kind: "planar-classifier", dims: 2, layers: 3, hidden: 64, classes: 2 },
      objective: { kind: "noisy-classifier", logSigma: { mean: -2.3, std: 1.5 } },
      data: { name: "tree" },
      training: {
        batchSize: 2048,
        images: 2048 * 2048,
        optimiser: { kind: "adam", learningRate: 5e-3, betas: [0.9, 0.99] },
        schedule: { kind: "cosine", warmUpSteps: 50 },
        ema: [{ name: "ema", kind: "power", sigmaRel: 0.05 }],
        statsEverySteps: 32,
      },
    },
  },
};
