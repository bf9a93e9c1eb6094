import { describe, expect, test } from "vitest";
import type { Tensor } from "../base/tensor.ts";
import { tensor } from "../base/tensor.ts";
import type { Labels } from "../diffusion/denoiser.ts";
import { guidanceModel, labels, samples } from "../testing/guidanceModel.ts";
import { momentum } from "./adjust/momentum.ts";
import { apg } from "./combine/apg.ts";
import { compose } from "./guidance.ts";
import { guide } from "./guide.ts";
import { memoryOf } from "./memory.ts";
import { cfg } from "./weak/condition.ts";
import { autoguidance } from "./weak/weakerNetwork.ts";

const nothing: Tensor = tensor(new Float64Array(1), [1, 1]);

/** A part that remembers how many steps added to it, from a number on. */
const counter = (first = 0) => ({ init: () => first });

/** What the part sees, and one more from now on. */
function look(memory: ReturnType<typeof memoryOf>, part: object): number {
  let seen = NaN;
  memory.run(part, (state) => {
    seen = state as number;
    return { denoised: nothing, state: (state as number) + 1 };
  });
  return seen;
}

describe("the step's number", () => {
  test("is the one given", () => {
    const memory = memoryOf([]);
    expect([0, 0, 1, 4, 2].map((step) => memory.enter(1, step))).toEqual([0, 0, 1, 4, 2]);
  });

  test("is one more each time where none is given", () => {
    const memory = memoryOf([]);
    expect([undefined, undefined, 7, undefined].map((step) => memory.enter(1, step))).toEqual([0, 1, 7, 8]);
  });
});

describe("what a part sees", () => {
  test("is what it was at first, in every evaluation of the first step", () => {
    const part = counter(5);
    const memory = memoryOf([part]);
    const seen = [0, 0, 0].map((step) => (memory.enter(1, step), look(memory, part)));
    expect(seen).toEqual([5, 5, 5]);
  });

  test("goes on once a step, however often the step evaluates and whatever steps are left out", () => {
    const part = counter();
    const memory = memoryOf([part]);
    const seen = [0, 1, 1, 1, 2, 5, 5, 6].map((step) => (memory.enter(1, step), look(memory, part)));
    expect(seen).toEqual([0, 1, 1, 1, 2, 3, 3, 4]);
  });

  test("does not change in a step in which it does not run", () => {
    const part = counter();
    const memory = memoryOf([part]);
    memory.enter(1, 0);
    expect(look(memory, part)).toBe(0);
    for (const step of [1, 2, 3]) memory.enter(1, step);
    expect(look(memory, part)).toBe(1);
  });

  test("is not added to by a step's later evaluations, also where the first one did not run it", () => {
    const part = counter();
    const memory = memoryOf([part]);
    memory.enter(1, 0);
    memory.enter(1, 0);
    expect(look(memory, part)).toBe(0);
    memory.enter(1, 1);
    expect(look(memory, part)).toBe(0);
  });

  test("is its own, whatever others do", () => {
    const [one, other] = [counter(), counter(10)];
    const memory = memoryOf([one, undefined, other]);
    memory.enter(1, 0);
    expect([look(memory, one), look(memory, other)]).toEqual([0, 10]);
    memory.enter(1, 1);
    expect(look(memory, other)).toBe(11);
    memory.enter(1, 2);
    expect([look(memory, one), look(memory, other)]).toEqual([1, 12]);
  });

  test("begins anew where the steps go back", () => {
    const part = counter();
    const memory = memoryOf([part]);
    const seen = [0, 1, 2, 0, 1].map((step) => (memory.enter(1, step), look(memory, part)));
    expect(seen).toEqual([0, 1, 2, 0, 1]);
  });

  test("can be looked at without a change", () => {
    const part = counter(3);
    const memory = memoryOf([part]);
    memory.enter(1, 0);
    expect(memory.peek(part, (state) => state)).toBe(3);
    look(memory, part);
    expect(memory.peek(part, (state) => state)).toBe(3);
    memory.enter(1, 1);
    expect(memory.peek(part, (state) => state)).toBe(4);
  });
});

test("a memory is made for so many rows, and told the step at which the run begins", () => {
  const made: number[][] = [];
  const part = { init: (rows: number, step: number) => made.push([rows, step]) };
  const memory = memoryOf([part]);
  for (const [rows, step] of [
    [3, 0],
    [3, 1],
    [2, 0],
    [4, undefined],
  ] as const)
    memory.enter(rows, step);
  memoryOf([part]).enter(5, 7);
  expect(made).toEqual([
    [3, 0],
    [2, 0],
    [5, 7],
  ]);
});

test("a part without a memory sees none", () => {
  const part = {};
  const memory = memoryOf([part]);
  memory.enter(1, 0);
  expect(memory.peek(part, (state) => state)).toBeUndefined();
});

test("a part that stands twice in a guidance has two memories", async () => {
  const run = async (twice: <P>(make: () => P) => readonly [P, P]): Promise<number[]> => {
    const { main, networks } = guidanceModel();
    const [one, other] = twice(() => apg({ eta: 0.3, cap: Infinity, momentum: -0.5 }));
    const corrections = twice(() => momentum({ amount: 0.5, decay: 0.6 }));
    const terms = [
      { ...cfg<Labels>({ weight: 3 }), combine: one },
      { ...autoguidance({ weight: 2, guide: networks[1] }), combine: other },
    ];
    const { evaluate } = guide(main, labels, compose<Labels>([...terms, ...corrections]));
    const values: number[] = [];
    for (const [step, sigma] of [3, 1, 0.4].entries())
      values.push(...Array.from((await evaluate(samples, sigma, step)).data));
    return values;
  };
  const shared = await run((make) => {
    const part = make();
    return [part, part];
  });
  expect(shared).toEqual(await run((make) => [make(), make()]));
});
