/** Every correction against its formula written slowly, on random images in every space; and what does not matter to it. */
import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { concatRows, rows, tensor } from "../../base/tensor.ts";
import type { Adjust } from "../guidance.ts";
import { type Space, convertAt } from "../spaces.ts";
import { channelNorm } from "./channelNorm.ts";
import { energy } from "./energy.ts";
import { epsilonScaling } from "./epsilonScaling.ts";
import { momentum } from "./momentum.ts";
import { rescale } from "./rescale.ts";
import { threshold } from "./threshold.ts";

const SHAPE = [2, 3, 2, 4];
const SIZE = 24;
const POSITIONS = 8;
const SIGMA = 0.8;

function random(stream: number, factor = 1): Tensor {
  const data = new Float64Array(48);
  philox(21, stream).fillNormal(data);
  return tensor(
    data.map((value) => factor * value),
    SHAPE,
  );
}
const [x, strong, denoised] = [random(0), random(1), random(2, 3)];

/** What a correction makes of a prediction at the first step. */
function corrected(
  adjust: Adjust,
  given: Partial<Record<"x" | "strong" | "denoised", Tensor>> = {},
  sigma = SIGMA,
): Tensor {
  const moment = { x, strong, denoised, sigma, step: 0, seeds: [0, 1], ...given };
  return adjust.adjust(moment, adjust.init?.(2, 0)).denoised;
}

type Row = (guided: number[], reference: number[]) => number[];

/** A formula of rows in a space. */
function byRows(space: Space, formula: Row, sigma = SIGMA): Tensor {
  const { to, from } = convertAt(space, x, sigma);
  const [guided, reference] = [to(denoised), to(strong)];
  const out = [0, 1].flatMap((row) =>
    formula(
      ...([guided, reference].map(({ data }) => Array.from(data).slice(row * SIZE, (row + 1) * SIZE)) as [
        number[],
        number[],
      ]),
    ),
  );
  return from(tensor(Float64Array.from(out), SHAPE));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const norm = (values: readonly number[]): number => Math.sqrt(sum(values.map((value) => value * value)));
const spread = (values: readonly number[]): number => {
  const mean = sum(values) / values.length;
  return Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / (values.length - 1));
};

const references: readonly { name: string; make: (space: Space) => Adjust; formula: Row }[] = [
  {
    name: "rescale",
    make: (space) => rescale({ amount: 0.6, space }),
    formula: (d, c) => d.map((value) => 0.6 * value * (spread(c) / spread(d)) + 0.4 * value),
  },
  {
    name: "energy",
    make: (space) => energy({ amount: 0.9, space }),
    formula: (d, c) => d.map((value) => 0.9 * value * (norm(c) / norm(d)) + 0.1 * value),
  },
  {
    name: "CFG-norm",
    make: (space) => channelNorm({ amount: 0.7, space }),
    formula: (d, c) =>
      d.map((value, i) => {
        const channels = [0, 1, 2].map((channel) => channel * POSITIONS + (i % POSITIONS));
        const [ours, wanted] = [d, c].map((of) => norm(channels.map((at) => of[at])));
        return 0.7 * value * Math.min(1, wanted / ours) + 0.3 * value;
      }),
  },
];

describe.each(references)("$name", ({ make, formula }) => {
  test.each(["x0", "eps", "v", "velocity"] as const)("in %s", (space) => {
    for (const sigma of [0.05, SIGMA, 12])
      expect(corrected(make(space), {}, sigma), String(sigma)).toBeAllClose(byRows(space, formula, sigma), {
        abs: 1e-10,
        rel: 1e-10,
      });
  });

  test("leaves a prediction that is the strong one alone", () => {
    expect(corrected(make("eps"), { denoised: strong })).toBeAllClose(strong, { abs: 1e-13 });
  });

  test("does not see one row from another", () => {
    const together = corrected(make("v"));
    const alone = [0, 1].map((row) => {
      const part = (of: Tensor): Tensor => rows(of, row, row + 1);
      const moment = { x: part(x), strong: part(strong), denoised: part(denoised) };
      return make("v").adjust({ ...moment, sigma: SIGMA, step: 0, seeds: [row] }, undefined).denoised;
    });
    expect(concatRows(alone).data).toEqual(together.data);
  });

  test("has no unit: all predictions k times as large come out k times as large", () => {
    const times = (of: Tensor): Tensor =>
      tensor(
        of.data.map((value) => 50 * value),
        SHAPE,
      );
    const large = corrected(make("eps"), { x: times(x), strong: times(strong), denoised: times(denoised) });
    expect(large).toBeAllClose(times(corrected(make("eps"))), { rel: 1e-10, abs: 1e-10 });
  });

  test("keeps float32, and comes to the same there", () => {
    const single = (of: Tensor): Tensor => tensor(Float32Array.from(of.data), of.shape);
    const got = corrected(make("x0"), { x: single(x), strong: single(strong), denoised: single(denoised) });
    expect(got.data).toBeInstanceOf(Float32Array);
    expect(got).toBeAllClose(corrected(make("x0")), { abs: 2e-6, rel: 1e-6 });
  });
});

describe("a prediction without a size", () => {
  const zeros = tensor(new Float64Array(48), SHAPE);
  test.each([
    rescale({ amount: 1, space: "x0" }),
    energy({ amount: 1, space: "x0" }),
    channelNorm({ amount: 1, space: "x0" }),
    channelNorm({ amount: 1, space: "x0", form: "qwen-image" }),
  ])("is left alone", (adjust) => {
    expect(Array.from(corrected(adjust, { denoised: zeros }).data)).toEqual(Array.from(zeros.data));
  });
});

describe("dynamic thresholding", () => {
  test("divides what it clipped, row by row, by the quantile of the absolute values, at least 1", () => {
    for (const percentile of [0, 0.5, 0.9, 0.995, 1]) {
      const want = byRows("x0", (d) => {
        const sorted = d.map(Math.abs).sort((a, b) => a - b);
        const at = percentile * (SIZE - 1);
        const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
        const s = Math.max(1, low + (at - Math.floor(at)) * (high - low));
        return d.map((value) => Math.min(Math.max(value, -s), s) / s);
      });
      expect(corrected(threshold({ percentile })), String(percentile)).toBeAllClose(want, { abs: 1e-14 });
    }
  });

  test("leaves everything within [-1, 1], and a sign where it was", () => {
    for (const percentile of [0.2, 0.9, 1]) {
      const { data } = corrected(threshold({ percentile }));
      data.forEach((value, i) => {
        expect(Math.abs(value)).toBeLessThanOrEqual(1);
        expect(Math.sign(value)).toBe(Math.sign(denoised.data[i]));
      });
    }
  });

  test("twice is once", () => {
    const once = corrected(threshold({ percentile: 0.8 }));
    expect(corrected(threshold({ percentile: 0.8 }), { denoised: once })).toBeAllClose(once, { abs: 1e-15 });
  });
});

describe("epsilon scaling", () => {
  test("of a and of b is that of a*b", () => {
    const one = corrected(epsilonScaling({ factor: 1.1 }));
    const both = corrected(epsilonScaling({ factor: 0.7 }), { denoised: one });
    expect(both).toBeAllClose(corrected(epsilonScaling({ factor: 1.1 * 0.7 })), { abs: 1e-13 });
  });

  test("leaves x alone where all of it is signal", () => {
    expect(corrected(epsilonScaling({ factor: 1.3 }), { denoised: x })).toBeAllClose(x, { abs: 1e-15 });
  });
});

describe("momentum guidance", () => {
  const predictions = [random(5), random(6), random(7), random(8)];

  /** The formula with the average written out: m_0 = D_0, m_k = sum over j of its weights. */
  function averageBefore(step: number, decay: number, i: number): number {
    let average = predictions[0].data[i];
    for (let k = 0; k < step; k++) average = (1 - decay) * predictions[k].data[i] + decay * average;
    return average;
  }

  test.each([
    { amount: 0.5, decay: 0.6 },
    { amount: -0.3, decay: 0 },
    { amount: 1, decay: 1 },
  ])("amount $amount, decay $decay", ({ amount, decay }) => {
    const adjust = momentum({ amount, decay, space: "x0" });
    let state = adjust.init!(2, 0);
    predictions.forEach((prediction, step) => {
      const moment = { x, strong, denoised: prediction, sigma: SIGMA, step, seeds: [0, 1] };
      const result = adjust.adjust(moment, state);
      state = result.state;
      const want = prediction.data.map(
        (value, i) => value + amount * (value - averageBefore(step, decay, i)),
      );
      expect(result.denoised, String(step)).toBeAllClose(want, { abs: 1e-13 });
    });
  });

  test.each(["velocity", "eps", "v"] as const)(
    "in %s is that of predictions of it, along a path",
    (space) => {
      const [amount, decay] = [0.5, 0.6];
      const adjust = momentum({ amount, decay, ...(space !== "velocity" && { space }) });
      let state = adjust.init!(2, 0);
      let average: ArrayLike<number> | null = null;
      for (const [step, sigma] of [30, 4, 0.9, 0.05].entries()) {
        const [at, prediction] = [random(40 + step, sigma), predictions[step]];
        const moment = { x: at, strong, denoised: prediction, sigma, step, seeds: [0, 1] };
        const result = adjust.adjust(moment, state);
        state = result.state;
        // u by its definition: alpha = 1/sqrt(1 + sigma^2), x = alpha*(x0 + sigma*noise).
        const alpha = 1 / Math.sqrt(1 + sigma * sigma);
        const noise = (i: number, x0: ArrayLike<number>): number => (at.data[i] - x0[i]) / sigma;
        const spaceOf = (x0: ArrayLike<number>): number[] =>
          Array.from(x0, (d, i) => {
            if (space === "velocity") return noise(i, x0) - d;
            return space === "eps" ? noise(i, x0) : alpha * noise(i, x0) - alpha * sigma * d;
          });
        const u = spaceOf(prediction.data);
        const m: ArrayLike<number> = average ?? u;
        const want = u.map((value, i) => value + amount * (value - m[i]));
        expect(spaceOf(result.denoised.data), String(step)).toBeAllClose(want, { abs: 1e-11, rel: 1e-11 });
        average = u.map((value, i) => (1 - decay) * value + decay * m[i]);
      }
    },
  );

  test("of predictions that grow evenly runs ahead of them by less than a step of it", () => {
    const adjust = momentum({ amount: 0.5, decay: 0.6, space: "x0" });
    let state = adjust.init!(1, 0);
    let ahead = 0;
    for (let step = 0; step < 60; step++) {
      const grown = tensor(Float64Array.of(step), [1, 1]);
      const result = adjust.adjust(
        { x: grown, strong: grown, denoised: grown, sigma: 1, step, seeds: [0] },
        state,
      );
      state = result.state;
      ahead = result.denoised.data[0] - step;
    }
    // The average lags by 1/(1 - decay) steps: 0.5 * 2.5.
    expect(ahead).toBeAllClose(1.25, { abs: 1e-9 });
  });
});
