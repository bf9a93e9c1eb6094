import { describe, expect, test } from "vitest";
import { type Tensor, map, rows, tensor } from "../../base/tensor.ts";
import type { Denoiser, Labels } from "../../diffusion/denoiser.ts";
import { buildGuidance } from "../build.ts";
import { compose } from "../guidance.ts";
import { guide } from "../guide.ts";
import type { GuidanceResources } from "../resources.ts";
import { swg, windowed } from "./slidingWindows.ts";

const labels: Labels = [0, 3];
const image = (shape: readonly number[], f: (i: number) => number): Tensor =>
  tensor(
    Float64Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => f(i)),
    shape,
  );
const x = image([2, 2, 4, 4], (i) => Math.sin(i * i));

/** Subtracts the mean of the image that it sees: what it says of a pixel depends on all others. Remembers what it is asked. */
function centring(side: number): Denoiser & { readonly asked: Tensor[] } {
  const asked: Tensor[] = [];
  return {
    shape: [2, side, side],
    asked,
    denoise(at, _sigma, branches) {
      asked.push(at);
      const size = at.data.length / at.shape[0];
      const mean = (row: number): number =>
        Array.from(at.data.slice(row * size, (row + 1) * size)).reduce((a, b) => a + b) / size;
      return Promise.resolve(
        branches.map(({ condition }) =>
          map((value, i) => {
            const row = Math.floor(i / size);
            return value - mean(row) + 0.1 * (condition?.[row] ?? -1);
          }, at),
        ),
      );
    },
  };
}

/** The mean over windows, pixel by pixel, written out. */
function byHand(side: number, starts: readonly number[], labelOf: (row: number) => number): number[] {
  return Array.from(x.data, (value, i) => {
    const [row, h, w] = [Math.floor(i / 32), Math.floor(i / 4) % 4, i % 4];
    const said: number[] = [];
    for (const top of starts) {
      for (const left of starts) {
        if (h < top || h >= top + side || w < left || w >= left + side) continue;
        let sum = 0;
        for (let c = 0; c < 2; c++)
          for (let a = top; a < top + side; a++)
            for (let b = left; b < left + side; b++) sum += x.data[((row * 2 + c) * 4 + a) * 4 + b];
        said.push(value - sum / (2 * side * side) + 0.1 * labelOf(row));
      }
    }
    return said.reduce((a, b) => a + b) / said.length;
  });
}

describe("the weak prediction", () => {
  test.each([
    [3, 2, [0, 1]],
    [2, 2, [0, 2]],
    [2, 3, [0, 1, 2]],
    [3, 3, [0, 1, 1]],
  ] as const)("of %d pixels, %d a side, is the mean over the windows at %j", async (side, count, starts) => {
    const network = centring(side);
    const denoiser = windowed({ network, count });
    const [got, other] = await denoiser.denoise(x, 1, [{ condition: labels }, { condition: null }]);
    expect(got).toBeAllClose(
      byHand(side, starts, (row) => labels[row]),
      { abs: 1e-14 },
    );
    expect(other).toBeAllClose(
      byHand(side, starts, () => -1),
      { abs: 1e-14 },
    );
    // Both branches of a window are asked for together.
    expect(network.asked).toHaveLength(count ** 2);
    for (const { shape } of network.asked) expect(shape).toEqual([2, 2, side, side]);
  });

  test("is the network's own where it looks at one pixel alone", async () => {
    const local: Denoiser = {
      shape: [2, 3, 3],
      denoise: (at, sigma) => Promise.resolve([map((value) => Math.tanh(value) / sigma, at)]),
    };
    const [got] = await windowed({ network: local }).denoise(x, 2, [{ condition: null }]);
    expect(got).toBeAllClose(
      x.data.map((value) => Math.tanh(value) / 2),
      { abs: 1e-15 },
    );
  });

  test("of rows of their own is each row's", async () => {
    const denoiser = windowed({ network: centring(3) });
    const [together] = await denoiser.denoise(x, 1, [{ condition: labels }]);
    for (const i of [0, 1]) {
      const [alone] = await denoiser.denoise(rows(x, i, i + 1), 1, [{ condition: [labels[i]] }]);
      expect(alone.data).toEqual(rows(together, i, i + 1).data);
    }
  });
});

describe("guided by windows", () => {
  const full = centring(4);
  const guided = (where: "all" | "overlaps", weight = 3) =>
    guide(full, labels, compose([swg<Labels>({ weight, where, network: centring(3) })]));

  test("the whole image moves away from what the windows say", async () => {
    const [strong] = await full.denoise(x, 1, [{ condition: labels }]);
    const weak = byHand(3, [0, 1], (row) => labels[row]);
    const run = guided("all");
    expect(await run.evaluate(x, 1)).toBeAllClose(
      strong.data.map((value, i) => weak[i] + 3 * (value - weak[i])),
      { abs: 1e-14 },
    );
    expect(run.evaluations).toEqual({ networks: 2, gradients: 0 });
  });

  test("with where=overlaps pixels of a single window stay as they are (M-SWG)", async () => {
    const [all, overlaps] = [await guided("all").evaluate(x, 1), await guided("overlaps").evaluate(x, 1)];
    const [strong] = await full.denoise(x, 1, [{ condition: labels }]);
    overlaps.data.forEach((value, i) => {
      // Windows at 0..2 and 1..3: only the corners are in one window.
      const corner = [0, 3].includes(Math.floor(i / 4) % 4) && [0, 3].includes(i % 4);
      expect(value).toBe((corner ? strong : all).data[i]);
    });
  });

  test("weight 1 is the strong prediction bit for bit, at its cost", async () => {
    const [strong] = await full.denoise(x, 1, [{ condition: labels }]);
    for (const where of ["all", "overlaps"] as const) {
      const off = guided(where, 1);
      expect((await off.evaluate(x, 1)).data).toEqual(strong.data);
      expect(off.evaluations).toEqual({ networks: 1, gradients: 0 });
    }
  });
});

describe("from a text", () => {
  const asked: number[] = [];
  const resources: GuidanceResources = {
    conditional: true,
    resized: {
      side: 32,
      multiple: 4,
      to(side) {
        asked.push(side);
        return centring(side);
      },
    },
  };

  test("the scale is the weight minus 1, and windows are rounded to what the network takes, smaller than the image", () => {
    expect(buildGuidance("swg:1.5", resources).terms[0].weight).toBe(2.5);
    for (const spec of ["swg:1", "swg:1,window=0.5", "swg:1,window=0.99", "swg:1,window=0.01,windows=100"])
      buildGuidance(spec, resources);
    expect(asked.slice(1)).toEqual([20, 16, 28, 4]);
  });

  test.each([
    ["swg:1,windows=1", /swg: windows=1 of window=0.625 leave gaps/],
    ["swg:1,window=0.3", /windows=2 of window=0.3 leave gaps/],
    ["swg:1,window=1", /window of swg must be a number above 0 and below 1/],
    ["swg:1,where=corners", /where of swg must be one of all, overlaps/],
  ])("%s is refused", (spec, message) => {
    expect(() => buildGuidance(spec, resources)).toThrow(message);
  });

  test("a network of one size is refused, with what to use", () => {
    expect(() => buildGuidance("swg:1", { conditional: true })).toThrow(
      /swg needs a network that takes smaller images, and this one's size is fixed: use seg, pag or autoguidance/,
    );
    const small = { side: 4, multiple: 4, to: centring };
    expect(() => buildGuidance("swg:1", { conditional: true, resized: small })).toThrow(
      /takes no image smaller than 4 pixels/,
    );
  });

  test("points, and windows that leave gaps, are refused where they are met", async () => {
    const denoiser = windowed({ network: centring(1) });
    await expect(denoiser.denoise(x, 1, [])).rejects.toThrow(
      /2 windows of 1 pixels are to cover a side of 4/,
    );
    await expect(denoiser.denoise(tensor([1, 2], [1, 2]), 1, [])).rejects.toThrow(/swg cuts images/);
    await expect(windowed({ network: centring(4) }).denoise(x, 1, [])).rejects.toThrow(
      /smaller than the image/,
    );
  });
});
