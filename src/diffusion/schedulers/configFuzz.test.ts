import { expect, test } from "vitest";
import { FairleadError } from "../../base/errors.ts";
import { type Stream, philox } from "../../base/philox.ts";
import { type SchedulerConfigJson, schedulerClasses, schedulerFile } from "../../testing/schedulerFixture.ts";
import { schedulerFromConfig } from "./scheduler.ts";

const pick = <T>(list: readonly T[], stream: Stream): T => list[stream.integer(list.length)];

/** What no key wants, and what some do. */
const VALUES: readonly unknown[] = [
  ...[null, true, false, "", "none", "-Infinity", "NaN", "__proto__", [], {}, [1], [[]], { a: 1 }],
  ...[
    0,
    -0,
    1,
    -1,
    2,
    3,
    0.5,
    1e-9,
    1e-300,
    5e-324,
    1e9,
    1e300,
    1e308,
    -1e308,
    NaN,
    Infinity,
    -Infinity,
    99_999,
    2 ** 31,
    2 ** 53,
  ],
  ...[
    "linear",
    "scaled_linear",
    "squaredcos_cap_v2",
    "trailing",
    "leading",
    "v_prediction",
    "sample",
    "flow_prediction",
  ],
  ...[
    "zero",
    "sigma_min",
    "heun",
    "midpoint",
    "bh1",
    "exponential",
    "log_linear",
    "continuous",
    "dpmsolver",
    "sde-dpmsolver++",
  ],
  new Array<number>(1000).fill(0.01),
  new Array<number>(3).fill(0.999),
];

/** A recorded config with one to three keys lost, or changed into anything. */
function damaged(config: SchedulerConfigJson, stream: Stream): Record<string, unknown> {
  const out: Record<string, unknown> = { ...config };
  for (let i = 1 + stream.integer(3); i > 0; i--) {
    const key = pick(Object.keys(config), stream);
    if (stream.integer(8) === 0) delete out[key];
    else if (stream.integer(3) === 0 && typeof config[key] === "number")
      out[key] = config[key] * pick([-1, 0, 0.5, 2, 10, 1e6, 1e-6], stream);
    else out[key] = pick(VALUES, stream);
  }
  return out;
}

/** The plan of a config, sound in all its numbers; undefined where it is refused in a sentence. */
function planned(config: unknown, steps: number) {
  const shown = JSON.stringify(config).slice(0, 2000);
  try {
    const scheduler = schedulerFromConfig(config);
    const dynamic = "use_dynamic_shifting" in scheduler.config && scheduler.config.use_dynamic_shifting;
    const plan = scheduler.plan({ steps, ...(dynamic && { mu: 0.8 }) });
    // IPNDM has as many steps as its trained_betas.
    const own = "trained_betas" in scheduler.config ? (scheduler.config.trained_betas?.length ?? 0) : 0;
    const most = 3 * steps + own + 5;
    expect(plan.sigmas.length, shown).toBeLessThan(most);
    expect(plan.timesteps.length, shown).toBeLessThan(most);
    for (const list of [plan.sigmas, plan.timesteps, plan.table ?? []])
      expect(list.every(Number.isFinite), shown).toBe(true);
    const falls = plan.sigmas.every((sigma, i) => i === 0 || sigma <= plan.sigmas[i - 1]);
    expect([falls, plan.sigmas[0] > 0, plan.initNoiseSigma > 0], shown).toEqual([true, true, true]);
    for (const { sigma, step } of plan.calls) {
      const { cIn, cOut, cSkip, timestep } = scheduler.call(sigma, plan, step);
      expect([cIn, cOut, cSkip, timestep].every(Number.isFinite), `${shown} at ${sigma}`).toBe(true);
    }
    return plan;
  } catch (error) {
    expect(error, `${shown}: ${(error as Error).stack}`).toBeInstanceOf(FairleadError);
    expect((error as Error).message.length, shown).toBeLessThan(1500);
    return undefined;
  }
}

test.each(schedulerClasses)(
  "%s: 80 damaged configs are planned soundly, or refused in a sentence",
  (name) => {
    const { cases } = schedulerFile(name);
    const stream = philox(7, schedulerClasses.indexOf(name));
    const outcomes = new Set<boolean>();
    for (let i = 0; i < 80; i++) {
      const config = damaged(pick(cases, stream).config, stream);
      outcomes.add(planned(config, pick([1, 2, 5, 12, 61], stream)) === undefined);
    }
    expect(outcomes).toEqual(new Set([true, false]));
  },
);

test("200 damaged texts of configs are planned, or refused in a sentence", () => {
  const stream = philox(8, 0);
  const signs = [
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "NaN",
    "-Infinity",
    "1e999",
    "\0",
    "é",
    "null",
    "0",
  ];
  for (let i = 0; i < 200; i++) {
    let text = JSON.stringify(pick(schedulerFile(pick(schedulerClasses, stream)).cases, stream).config);
    for (let k = 1 + stream.integer(3); k > 0; k--) {
      const at = stream.integer(text.length + 1);
      text = text.slice(0, at) + pick(["", ...signs], stream) + text.slice(at + stream.integer(6));
    }
    planned(text, 5);
  }
});
