import { expect, test } from "vitest";
import { UsageError } from "../base/errors.ts";
import { parseTraining } from "./config.ts";

const least = { batchSize: 32, images: 1000 };

test("a configuration of batch size and images alone is complete, and parsing it again changes nothing", () => {
  const training = parseTraining(least);
  expect(training).toMatchObject({
    seed: 0,
    optimiser: {
      kind: "adam",
      learningRate: 1e-3,
      betas: [0.9, 0.999],
      eps: 1e-8,
      weightDecay: 0,
      clip: null,
    },
    schedule: { kind: "constant", warmUpSteps: 0 },
    ema: [{ name: "ema", kind: "constant", decay: 0.999, warmUp: true }],
    checkpoint: { seconds: 60, steps: null },
  });
  expect(parseTraining(training)).toEqual(training);
});

test.each<[string, object, RegExp]>([
  ["a missing batch size", { images: 5 }, /^training\.batchSize: .*number.*, got nothing$/],
  ["text for a number", { ...least, batchSize: "many" }, /^training\.batchSize: .*number.*, got "many"$/],
  ["a batch size of 0", { ...least, batchSize: 0 }, /^training\.batchSize: .*>=1, got 0$/],
  ["half an image", { ...least, images: 0.5 }, /^training\.images: .*int.*, got 0\.5$/],
  [
    "a negative learning rate",
    { ...least, optimiser: { learningRate: -1 } },
    /optimiser\.learningRate: .*>0, got -1$/,
  ],
  ["a beta of 1", { ...least, optimiser: { betas: [0.9, 1] } }, /optimiser\.betas\.1: .*<1, got 1$/],
  [
    "an unknown optimiser",
    { ...least, optimiser: { kind: "lion" } },
    /optimiser\.kind: .*"adam"\|"adamw", got "lion"$/,
  ],
  [
    "an unknown schedule",
    { ...least, schedule: { kind: "step" } },
    /kind must be one of constant, cosine, inverse-sqrt/,
  ],
  [
    "an unknown average",
    { ...least, ema: [{ name: "a", kind: "x" }] },
    /one of constant, half-life, power, none/,
  ],
  ["no average", { ...least, ema: [] }, /^training\.ema: .*>=1/],
  [
    "two averages of one name",
    {
      ...least,
      ema: [
        { name: "a", kind: "none" },
        { name: "a", kind: "none" },
      ],
    },
    /the name "a" is used twice/,
  ],
  [
    "a name that is a path",
    { ...least, ema: [{ name: "../a", kind: "none" }] },
    /ema\.0\.name: a name is letters/,
  ],
  [
    "a snapshot beyond the end",
    { ...least, snapshots: [10, 2000] },
    /snapshot at 2000 images lies beyond the training's 1000/,
  ],
  [
    "a snapshot list of text",
    { ...least, snapshots: "all" },
    /^training\.snapshots: give a list of image counts/,
  ],
  [
    "a power width beyond what a power can have",
    { ...least, ema: [{ name: "a", kind: "power", sigmaRel: 0.5 }] },
    /sigmaRel: .*<=0\.28, got 0\.5/,
  ],
])("%s is refused in one sentence", (_, value, message) => {
  const parse = () => parseTraining(value);
  expect(parse).toThrow(UsageError);
  expect(parse).toThrow(message);
});

test("unknown keys are refused by name, with the known ones listed", () => {
  expect(() => parseTraining({ ...least, optimizer: {} })).toThrow(
    /^training: unknown key "optimizer"; known are seed, batchSize, images, optimiser, /,
  );
  expect(() => parseTraining({ ...least, optimiser: { lr: 1, momentum: 2 } })).toThrow(
    /^training\.optimiser: unknown key "lr", "momentum"; known are kind, learningRate, betas/,
  );
  expect(() => parseTraining({ ...least, ema: [{ name: "a", kind: "none", decay: 0.9 }] })).toThrow(
    /^training\.ema\.0: unknown key "decay"; known are name, kind$/,
  );
});
