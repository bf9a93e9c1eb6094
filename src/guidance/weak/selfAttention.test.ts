import { describe, expect, test } from "vitest";
import { type Tensor, map, rows, tensor } from "../../base/tensor.ts";
import type { Branch, Denoiser, Labels } from "../../diffusion/denoiser.ts";
import { guidanceModel, labels, samples } from "../../testing/guidanceModel.ts";
import { toyDenoiser } from "../../testing/toyModel.ts";
import { buildGuidance } from "../build.ts";
import { compose } from "../guidance.ts";
import { guide } from "../guide.ts";
import type { GuidanceResources } from "../resources.ts";
import { blurImages, sag } from "./selfAttention.ts";

const resources: GuidanceResources = { conditional: true, attention: ["mid.0"] };
const normal = (shape: readonly number[], f: (i: number) => number): Tensor =>
  tensor(
    Float64Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => f(i)),
    shape,
  );

// x and D(x), and the attention received by a grid of 2 x 3 tokens.
const shape = [1, 2, 6, 7];
const x = normal(shape, (i) => 2 * Math.sin(1.3 * i));
const denoised = normal(shape, (i) => Math.cos(0.7 * i + 0.2 * (i % 5)));
const received = normal([1, 2, 3], (i) => [1.4, 0.6, 1.0000001, 0.99, 1.1, 0.9][i]);

interface Asked {
  readonly x: Tensor;
  readonly branches: readonly Branch<Labels>[];
}

/** Predicts `denoised` of x, and 0.3 y of any other y; tells `maps`, and remembers what it is asked. */
function network(maps: readonly Tensor[] = [received]): Denoiser & { readonly asked: Asked[] } {
  const asked: Asked[] = [];
  return {
    shape: shape.slice(1),
    asked,
    denoise(at, _sigma, branches) {
      asked.push({ x: at, branches });
      const answer = at === x ? denoised : map((value) => 0.3 * value, at);
      return Promise.resolve(branches.map(() => answer));
    },
    attended: () => Promise.resolve(maps),
  };
}

describe("the sample that the weak prediction is of", () => {
  const degraded = async (term: Parameters<typeof sag<Labels>>[0], from = network()): Promise<Tensor> => {
    await guide(from, null, compose([sag<Labels>(term)])).evaluate(x, 1.7);
    return from.asked[1].x;
  };

  // From PyTorch 2.13 in float64: conv2d with the 5 x 5 kernel of sigma 1.5 over F.pad(mode="reflect"), the mask by F.interpolate, and
  // mask * blur + (1 - mask) * D + (x - D); every fifth value.
  test("has PyTorch's numbers: blurred where attention is above its mean, with the noise as it was", async () => {
    const y = await degraded({ weight: 2, layers: "all", blur: { sigma: 1.5, kernel: 5 } });
    expect(Array.from(y.data).filter((_, i) => i % 5 === 0)).toBeAllClose(
      [
        -0.532768512789, 1.000099906588, 0.840334073653, 1.678652115581, 1.405742110651, 1.613755414189,
        1.927590772568, 1.997181744824, 1.973255184081, 1.856931445531, 2.342247938193, 0.967584896868,
        1.027956911975, 0.634828817615, 0.211975023502, -0.220804447784, -1.344264961388,
      ],
      { abs: 1e-11 },
    );
    const unchanged = Array.from(y.data.slice(0, 42), (value, i) => Number(value === x.data[i]));
    const [upper, lower] = [
      [0, 0, 0, 1, 1, 0, 0],
      [1, 1, 1, 0, 0, 1, 1],
    ];
    expect(unchanged).toEqual([upper, upper, upper, lower, lower, lower].flat());
  });

  test("is x itself where the threshold is above all attention, and blurred everywhere where it is 0", async () => {
    expect((await degraded({ weight: 2, layers: "all", blur: { threshold: 2 } })).data).toEqual(x.data);
    const everywhere = await degraded({ weight: 2, layers: "all", blur: { threshold: 0 } });
    const blurred = blurImages(denoised, 9, 1);
    const want = x.data.map((value, i) => value + blurred[i] - denoised.data[i]);
    expect(everywhere).toBeAllClose(want, { abs: 1e-14 });
  });

  test("follows the mean of several layers, whatever their grids", async () => {
    const even = normal([1, 1, 1], () => 1);
    const other = normal([1, 1, 1], () => 0.5);
    const one = await degraded({ weight: 2, layers: "all" });
    // 1 moves no token over the threshold; 0.5 takes all under it.
    expect((await degraded({ weight: 2, layers: "all" }, network([received, even]))).data).toEqual(one.data);
    expect((await degraded({ weight: 2, layers: "all" }, network([received, other]))).data).toEqual(x.data);
  });
});

test("the noises found in both samples are compared: D + s*(D - (D(y) + x - y))", async () => {
  const from = network();
  const guided = guide(from, null, compose([sag<Labels>({ weight: 3.5, layers: "all" })]));
  const got = await guided.evaluate(x, 1.7);
  const y = from.asked[1].x;
  // eps = (x - D)/sigma and eps' = (y - D(y))/sigma: eps' + (1 + s)(eps - eps') is the paper's; D = x - sigma*eps.
  const want = x.data.map((value, i) => {
    const [eps, weak] = [(value - denoised.data[i]) / 1.7, (0.7 * y.data[i]) / 1.7];
    return value - 1.7 * (weak + (1 + 2.5) * (eps - weak));
  });
  expect(got).toBeAllClose(want, { abs: 1e-13 });
  expect(guided.evaluations).toEqual({ networks: 2, gradients: 0 });
});

describe("beside CFG", () => {
  const model = guidanceModel();
  const run = async (spec: string, unconditional?: Denoiser) => {
    const offered = { ...model.resources, ...(unconditional && { unconditional }) };
    const guided = guide(model.main, labels, buildGuidance(spec, offered));
    return { denoised: await guided.evaluate(samples, 0.9), evaluations: guided.evaluations };
  };
  /** D' + s*(D' - (D(y) + x - y)) - D' of a network and a condition, s = 2. */
  const effect = async (from: Denoiser, condition: Labels | null): Promise<number[]> => {
    const alone = compose([sag<Labels>({ weight: 3, layers: ["mid"] })]);
    const [guided, [plain]] = await Promise.all([
      guide(from, condition, alone).evaluate(samples, 0.9),
      from.denoise(samples, 0.9, [{ condition }]),
    ]);
    return Array.from(guided.data, (value, i) => value - plain.data[i]);
  };

  test("the paper's form adds the effect on the unconditional prediction, the strong form that on the conditional", async () => {
    const cfg = (await run("cfg:3")).denoised;
    for (const [spec, condition] of [
      ["cfg:3+sag:2", null],
      ["cfg:3+sag:2,form=strong", labels],
    ] as const) {
      const own = await effect(model.main, condition);
      const { denoised: got, evaluations } = await run(spec);
      expect(got, spec).toBeAllClose(
        cfg.data.map((value, i) => value + own[i]),
        { abs: 1e-13 },
      );
      expect(evaluations).toEqual({ networks: 3, gradients: 0 });
    }
  });

  test("CFG's own network makes both of its predictions where there is one", async () => {
    const cfg = (await run("cfg:3", model.unconditional)).denoised;
    const own = await effect(model.unconditional, null);
    expect((await run("cfg:3+sag:2", model.unconditional)).denoised).toBeAllClose(
      cfg.data.map((value, i) => value + own[i]),
      { abs: 1e-13 },
    );
  });
});

test("a sample alone is the sample of a batch", async () => {
  const { main, resources: offered } = guidanceModel();
  const run = (at: Tensor, of: Labels) => guide(main, of, buildGuidance("sag:2", offered)).evaluate(at, 0.9);
  const together = await run(samples, labels);
  for (const i of [0, 1, 2])
    expect((await run(rows(samples, i, i + 1), [labels[i]])).data).toEqual(rows(together, i, i + 1).data);
});

describe("the blur", () => {
  // From PyTorch as above: every ninth value.
  test("has PyTorch's numbers", () => {
    const got = Array.from(blurImages(denoised, 5, 1.5)).filter((_, i) => i % 9 === 0);
    expect(got).toBeAllClose(
      [
        0.467231487211, 0.268602233572, 0.098524460299, 0.117507684183, -0.190794022939, 0.251683239377,
        0.29476283024, 0.00642743178, 0.196822761054, -0.107561652271,
      ],
      { abs: 1e-11 },
    );
  });

  test("keeps constants, and is off with one tap or towards sigma 0", () => {
    expect(
      blurImages(
        normal(shape, () => 0.3),
        9,
        1,
      ),
    ).toBeAllClose(
      normal(shape, () => 0.3),
      { abs: 1e-15 },
    );
    expect(blurImages(denoised, 1, 1)).toBeAllClose(denoised, { abs: 0 });
    expect(blurImages(denoised, 9, 1e-3)).toBeAllClose(denoised, { abs: 0 });
  });
});

test.each([
  ["sag:1,sigma=0", /sigma of sag must be a finite number above 0/],
  ["sag:1,kernel=8", /kernel of sag must be an odd number/],
  ["sag:1,layers=deep", /no attention layer deep/],
])("%s is refused", (spec, message) => {
  expect(() => buildGuidance(spec, resources)).toThrow(message);
});

test("what is no image, and a network that does not tell its attention, are refused in a sentence", async () => {
  const guidance = () => buildGuidance("sag:1", resources);
  const point = tensor([0, 1], [1, 2]);
  await expect(guide(toyDenoiser(0.5), [0], guidance()).evaluate(point, 1)).rejects.toThrow(
    /sag blurs images.*got \[1, 2\]: use autoguidance/,
  );
  const silent = { ...network(), attended: undefined };
  await expect(guide(silent, [0], guidance()).evaluate(x, 1)).rejects.toThrow(
    /sag needs a network that tells its attention.*use pag or seg/,
  );
});
