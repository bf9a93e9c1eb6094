/**
 * Every way to combine against the slowest way to write its formula, on random images in every space: float64 lists and loops, nothing
 * shared with the source.
 */
import { describe, expect, test } from "vitest";
import { philox } from "../../base/philox.ts";
import type { Tensor } from "../../base/tensor.ts";
import { tensor } from "../../base/tensor.ts";
import { combineSteps, pairOf } from "../../testing/pairs.ts";
import type { Combine, Pair } from "../guidance.ts";
import type { Space } from "../spaces.ts";
import { adaptive } from "./adaptive.ts";
import { apg } from "./apg.ts";
import { apgMix } from "./apgMix.ts";
import { cfgPlusPlus } from "./cfgPlusPlus.ts";
import { cfgZeroStar } from "./cfgZeroStar.ts";
import { frequency } from "./frequency.ts";
import { mambo } from "./mambo.ts";
import { mimic } from "./mimic.ts";
import { powerLaw } from "./powerLaw.ts";
import { tangential } from "./tangential.ts";

const SHAPE = [3, 2, 4, 4];
const SIZE = 32;

function random(stream: number): Tensor {
  const data = new Float64Array(96);
  philox(11, stream).fillNormal(data);
  return tensor(data, SHAPE);
}

const [x, strong, weak] = [0, 1, 2].map(random);
const WEIGHTS = [0.4, 2, 7.5];
const pair = (given: Partial<Pair> = {}): Pair =>
  pairOf({ x, strong, weak, sigma: 1.3, seeds: [0, 1, 2], weight: WEIGHTS, ...given });

/** [a, b, c]: prediction = a*x + b*D, D = (prediction - a*x)/b, of x = D + sigma*noise. */
const SPACES: Readonly<Record<Space, (sigma: number) => readonly [a: number, b: number]>> = {
  x0: () => [0, 1],
  eps: (sigma) => [1 / sigma, -1 / sigma],
  // v = alpha*eps - s*D, alpha = 1/sqrt(1 + sigma^2), s = sigma*alpha.
  v: (sigma) => {
    const alpha = 1 / Math.sqrt(1 + sigma * sigma);
    return [alpha / sigma, -alpha / sigma - sigma * alpha];
  },
  // eps - D on the straight path; x in units of the data is the same there.
  velocity: (sigma) => [1 / sigma, -1 / sigma - 1],
};
const names = Object.keys(SPACES) as Space[];

type Row = (c: number[], u: number[], w: number) => number[];

/** A formula of rows, in a space: what it makes of the pair. */
function byRows(space: Space, { x, strong, weak, weight, sigma }: Pair, formula: Row): number[] {
  const [a, b] = SPACES[space](sigma);
  const out: number[] = [];
  for (let row = 0; row < 3; row++) {
    const part = (of: Tensor): number[] => Array.from(of.data).slice(row * SIZE, (row + 1) * SIZE);
    const at = part(x);
    const to = (of: Tensor): number[] => part(of).map((value, i) => a * at[i] + b * value);
    const w = typeof weight === "number" ? weight : weight[row];
    out.push(...formula(to(strong), to(weak), w).map((value, i) => (value - a * at[i]) / b));
  }
  return out;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const inner = (a: readonly number[], b: readonly number[]): number => sum(a.map((value, i) => value * b[i]));
const size = (a: readonly number[]): number => Math.sqrt(inner(a, a));
const lin = (p: number, a: readonly number[], q: number, b: readonly number[]): number[] =>
  a.map((value, i) => p * value + q * b[i]);

interface Reference {
  readonly name: string;
  readonly make: (space: Space) => Combine;
  readonly formula: Row;
}

const references: readonly Reference[] = [
  {
    name: "APG without its parallel part, with a cap",
    make: (space) => apg({ eta: 0, cap: 2, momentum: 0, space }),
    formula(c, u, w) {
      let g = lin(1, c, -1, u);
      if (size(g) > 2) g = g.map((value) => (2 * value) / size(g));
      const along = c.map((value) => (inner(g, c) / inner(c, c)) * value);
      return lin(1, c, w - 1, lin(1, g, -1, along));
    },
  },
  {
    name: "APG with half of its parallel part",
    make: (space) => apg({ eta: 0.5, cap: Infinity, momentum: 0, space }),
    formula(c, u, w) {
      const g = lin(1, c, -1, u);
      const along = c.map((value) => (inner(g, c) / inner(c, c)) * value);
      return lin(1, c, w - 1, lin(1, g, -0.5, along));
    },
  },
  {
    name: "APG-mix after its start",
    make: (space) => apgMix({ eta: 0, cap: 1, momentum: 0, space, start: -1, early: 9 }),
    formula(c, u, w) {
      const g = lin(1, c, -1, u).map((value, _, all) => value / size(all));
      const along = c.map((value) => (inner(g, c) / inner(c, c)) * value);
      return lin(1, c, w - 1, lin(1, g, -1, along));
    },
  },
  {
    name: "CFG-Zero*",
    make: (space) => cfgZeroStar({ zeroSteps: 0, space }),
    formula(c, u, w) {
      const scaled = u.map((value) => (inner(c, u) / (inner(u, u) + 1e-8)) * value);
      return lin(w, c, 1 - w, scaled);
    },
  },
  {
    name: "TCFG",
    make: (space) => tangential({ space }),
    // The top singular vector by power iteration on u -> C'C u, C the two rows.
    formula(c, u, w) {
      let v = c.map((value, i) => value + 0.1 * u[i]);
      for (let k = 0; k < 4000; k++) {
        v = lin(inner(c, v), c, inner(u, v), u);
        const length = size(v);
        v = v.map((value) => value / length);
      }
      return lin(
        w,
        c,
        1 - w,
        v.map((value) => inner(u, v) * value),
      );
    },
  },
  {
    name: "MAMBO-G",
    make: (space) => mambo({ alpha: 0.7, space }),
    formula(c, u, w) {
      const ratio = size(lin(1, c, -1, u)) / size(u);
      return lin(1, u, 1 + (w - 1) * Math.exp(-0.7 * ratio), lin(1, c, -1, u));
    },
  },
  {
    name: "power law",
    make: (space) => powerLaw({ alpha: 0.9, space }),
    formula(c, u, w) {
      const g = lin(1, c, -1, u);
      return lin(1, c, (w - 1) * size(g) ** 0.9, g);
    },
  },
  {
    name: "mimic by the largest distance",
    make: (space) => mimic({ mimic: 1.5, spread: "max", percentile: 1, amount: 0.8, space }),
    formula: (c, u, w) =>
      [0, 16].flatMap((from) => {
        const [large, small] = [w, 1.5].map((one) => lin(one, c, 1 - one, u).slice(from, from + 16));
        const [meanL, meanS] = [sum(large) / 16, sum(small) / 16];
        const reach = Math.max(...small.map((value) => Math.abs(value - meanS)));
        const limit = Math.max(reach, ...large.map((value) => Math.abs(value - meanL)));
        return large.map((value) => 0.8 * (meanL + ((value - meanL) * reach) / limit) + 0.2 * value);
      }),
  },
  {
    name: "mimic by standard deviations",
    make: (space) => mimic({ mimic: 1.5, spread: "std", percentile: 1, amount: 1, space }),
    formula: (c, u, w) =>
      [0, 16].flatMap((from) => {
        const [large, small] = [w, 1.5].map((one) => lin(one, c, 1 - one, u).slice(from, from + 16));
        const spread = (values: number[]): number =>
          Math.sqrt(sum(values.map((value) => (value - sum(values) / 16) ** 2)) / 15);
        return large.map(
          (value) => sum(large) / 16 + ((value - sum(large) / 16) * spread(small)) / spread(large),
        );
      }),
  },
  {
    name: "adaptive, not done",
    make: (space) => adaptive({ threshold: 0.999, space }),
    formula: (c, u, w) => lin(w, c, 1 - w, u),
  },
  {
    name: "FDG of one level",
    make: (space) => frequency({ factors: [0.6], space }),
    formula: (c, u, w) => lin(1 + 0.6 * (w - 1), c, -0.6 * (w - 1), u),
  },
  {
    name: "FDG of one level without its parallel part",
    make: (space) => frequency({ factors: [0.6], parallel: [0], space }),
    formula(c, u, w) {
      const g = lin(1, c, -1, u);
      return lin(1, c, 0.6 * (w - 1), lin(1, g, -inner(g, c) / inner(c, c), c));
    },
  },
];

describe.each(references)("$name", ({ make, formula }) => {
  test.each(names)("in %s", (space) => {
    const [got] = combineSteps(make(space), [pair()]);
    expect(got).toBeAllClose(byRows(space, pair(), formula), { abs: 1e-9, rel: 1e-9 });
  });

  test("at other noise levels", () => {
    for (const sigma of [0.02, 0.4, 25]) {
      const [got] = combineSteps(make("velocity"), [pair({ sigma })]);
      expect(got, String(sigma)).toBeAllClose(byRows("velocity", pair({ sigma }), formula), {
        abs: 1e-8,
        rel: 1e-8,
      });
    }
  });

  test("in float32 what it is in float64, rounded", () => {
    const single = (of: Tensor): Tensor => tensor(Float32Array.from(of.data), of.shape);
    const [got] = combineSteps(make("x0"), [
      pair({ x: single(x), strong: single(strong), weak: single(weak) }),
    ]);
    expect(got.data).toBeInstanceOf(Float32Array);
    expect(got).toBeAllClose(combineSteps(make("x0"), [pair()])[0], { abs: 2e-5, rel: 2e-6 });
  });

  test("does not write to its predictions", () => {
    const before = [strong, weak, x].map(({ data }) => data.slice());
    combineSteps(make("v"), [pair()]);
    expect([strong, weak, x].map(({ data }) => data)).toEqual(before);
  });
});

// A method over whole samples does not know where a value stands: turned round, the values are turned round.
describe("the order of a sample's values does not matter to", () => {
  const turned = (of: Tensor): Tensor => {
    const data = of.data.slice();
    for (let row = 0; row < 3; row++) data.subarray(row * SIZE, (row + 1) * SIZE).reverse();
    return tensor(data, SHAPE);
  };
  test.each(references.filter(({ name }) => !/FDG|mimic/.test(name)))("$name", ({ make }) => {
    const [got] = combineSteps(make("eps"), [pair()]);
    const [other] = combineSteps(make("eps"), [
      pair({ x: turned(x), strong: turned(strong), weak: turned(weak) }),
    ]);
    expect(turned(other)).toBeAllClose(got, { abs: 1e-12 });
  });
});

// Without a cap and a power, a method has no unit: predictions k times as large give a prediction k times as large.
describe("the unit of predictions does not matter to", () => {
  test.each<[string, Combine]>([
    ["APG without a cap", apg({ eta: 0.2, cap: Infinity, momentum: 0 })],
    ["TCFG", tangential({ space: "x0" })],
    ["MAMBO-G", mambo({ alpha: 2, space: "x0" })],
    ["mimic", mimic({ mimic: 2, spread: "max", percentile: 0.9, amount: 1, space: "x0" })],
    ["FDG", frequency({ factors: [2, 1], parallel: [0.4] })],
    ["CFG++", cfgPlusPlus()],
  ])("%s", (_, combine) => {
    const times = (of: Tensor): Tensor =>
      tensor(
        of.data.map((value) => 1000 * value),
        SHAPE,
      );
    const [got] = combineSteps(combine, [pair()]);
    const [large] = combineSteps(combine, [pair({ x: times(x), strong: times(strong), weak: times(weak) })]);
    expect(large).toBeAllClose(times(got), { rel: 1e-9, abs: 1e-9 });
  });
});

describe("memories", () => {
  test("APG's running difference is the sum of momentum^k of the differences before", () => {
    const weaks = [weak, random(5), random(6), random(7)];
    const momentum = -0.6;
    const steps = weaks.map((one, step) => pair({ weak: one, step, weight: 2 }));
    const got = combineSteps(apg({ eta: 1, cap: Infinity, momentum }), steps);
    got.forEach(({ data }, step) => {
      const want = strong.data.map((value, i) => {
        let running = 0;
        for (let k = 0; k <= step; k++)
          running += momentum ** (step - k) * (strong.data[i] - weaks[k].data[i]);
        return value + running;
      });
      expect(data, String(step)).toBeAllClose(want, { abs: 1e-13 });
    });
  });

  test("APG's cap is not remembered", () => {
    const steps = [pair({ weight: 2 }), pair({ weight: 2, step: 1 })];
    const [, capped] = combineSteps(apg({ eta: 1, cap: 1, momentum: 0.5 }), steps);
    const [, free] = combineSteps(apg({ eta: 1, cap: Infinity, momentum: 0.5 }), steps);
    for (let row = 0; row < 3; row++) {
      const [a, b] = [capped, free].map(({ data }) =>
        Array.from(
          data.subarray(row * SIZE, (row + 1) * SIZE),
          (value, i) => value - strong.data[row * SIZE + i],
        ),
      );
      // The same direction, of norm 1.
      expect(size(a)).toBeAllClose(1, { rel: 1e-12 });
      expect(inner(a, b) / size(b)).toBeAllClose(1, { rel: 1e-12 });
    }
  });

  test("adaptive guidance ends row by row, and stays so", () => {
    // The first row's predictions agree from the second step on, the others never.
    const agreed = tensor(
      weak.data.map((value, i) => (i < SIZE ? 1.1 * strong.data[i] : value)),
      SHAPE,
    );
    const steps = [weak, agreed, weak, weak].map((one, step) => pair({ weak: one, step, weight: 3 }));
    const combine = adaptive({ threshold: 0.95, space: "x0" });
    const got = combineSteps(combine, steps);
    const cfg = (step: number, i: number): number =>
      steps[step].weak.data[i] + 3 * (strong.data[i] - steps[step].weak.data[i]);
    got.forEach(({ data }, step) => {
      data.forEach((value, i) => {
        const isDone = i < SIZE && step > 1;
        expect(value).toBeAllClose(isDone ? strong.data[i] : cfg(step, i), { abs: 1e-13 });
      });
    });
  });
});
