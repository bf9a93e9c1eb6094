import { expect, test } from "vitest";
import { UsageError } from "../../base/errors.ts";
import { tensor } from "../../base/tensor.ts";
import { entry } from "./catalogue.ts";
import type { SamplerOption } from "./catalogue.ts";

const OPTIONS: Record<string, SamplerOption> = {
  order: { default: 2, min: 1, max: 3, whole: true, description: "" },
  eta: { default: 1, min: 0, description: "" },
  solver: { default: "midpoint", choices: ["midpoint", "heun"], description: "" },
  euler: { default: false, description: "" },
  skip: { default: [], description: "" },
};

/** The options that reach a sampler. */
function reach(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  let got: Readonly<Record<string, unknown>> = {};
  const sampler = entry(
    (_denoise, x, _sigmas, options = {}) => {
      got = options as Readonly<Record<string, unknown>>;
      // eslint-disable-next-line require-yield -- a sampler without steps is what is tested
      return (async function* () {
        return await Promise.resolve(x);
      })();
    },
    {
      name: "probe",
      description: "",
      source: "none",
      order: 1,
      stochastic: false,
      renoises: false,
      evaluations: () => 0,
      options: OPTIONS,
    },
  );
  const x = tensor([0], [1, 1]);
  void sampler.run(() => Promise.resolve(x), x, [1, 0], given);
  return got;
}

test.each([
  [{ order: 3 }, { order: 3 }],
  [{ eta: 0.5 }, { eta: 0.5 }],
  [{ solver: "heun" }, { solver: "heun" }],
  [{ euler: true }, { euler: true }],
  [{ euler: "true" }, { euler: true }],
  [{ euler: "false" }, { euler: false }],
  [{ skip: [0, 2] }, { skip: [0, 2] }],
  [{ skip: "0,2" }, { skip: [0, 2] }],
  [{ skip: "" }, { skip: [] }],
  [{ skip: 3 }, { skip: [3] }], // a command line reads one number as a number
] as const)("%j reaches the sampler as %j", (given, want) => {
  expect(reach(given)).toEqual(want);
});

test.each([
  [{ order: 4 }, "order of sampler probe is a whole number from 1 to 3, got 4"],
  [{ order: 1.5 }, "order of sampler probe is a whole number from 1 to 3, got 1.5"],
  [{ eta: -1 }, "eta of sampler probe is a number of at least 0, got -1"],
  [{ eta: "1" }, 'eta of sampler probe is a number of at least 0, got "1"'],
  [{ solver: "ralston" }, 'solver of sampler probe is one of midpoint, heun, got "ralston"'],
  [{ euler: 1 }, "euler of sampler probe is true or false, got 1"],
  [{ skip: [0.5] }, "skip of sampler probe is a list of whole numbers from 0 on, such as 0,1, got [0.5]"],
  [{ skip: "0,a" }, 'skip of sampler probe is a list of whole numbers from 0 on, such as 0,1, got "0,a"'],
  [{ skips: [1] }, 'sampler probe has no option "skips"; it has: noise, order, eta, solver, euler, skip'],
] as const)("%j is refused", (given, message) => {
  expect(() => reach(given)).toThrow(UsageError);
  expect(() => reach(given)).toThrow(message);
});
