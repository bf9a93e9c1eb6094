import { describe, expect, test } from "vitest";
import type { SchedulerConfigJson } from "../../testing/schedulerFixture.ts";
import { schedulerText } from "../../testing/schedulerFixture.ts";
import { abarSigma, betas } from "../betas.ts";
import type { BetaKeys } from "./betaTable.ts";
import { abarsOf, betasSpec } from "./betaTable.ts";
import { parseConfig } from "./config.ts";

interface Row {
  readonly id: string;
  readonly config: SchedulerConfigJson;
  readonly index: readonly number[];
  readonly betas: readonly number[];
  readonly alphas_cumprod: readonly number[];
}

const rows = JSON.parse(schedulerText("betas.json")) as readonly Row[];
const keysOf = (config: object): BetaKeys =>
  parseConfig({ _class_name: "DDPMScheduler", ...config }) as unknown as BetaKeys;

describe("the betas of a config are the library's", () => {
  test.each(rows.map((row) => [row.id, row] as const))("%s", (_id, row) => {
    const keys = keysOf(row.config);
    const values = betas(betasSpec(keys));
    const abars = abarsOf(keys);
    expect(row.index.map((i) => values[i])).toBeAllClose(row.betas, { abs: 1e-5 });
    expect(row.index.map((i) => abars[i])).toBeAllClose(row.alphas_cumprod, { abs: 1e-6 });
  });
});

test("given betas come over the schedule's name", () => {
  const trained = [0.1, 0.2, 0.5];
  expect(
    betas(
      betasSpec(
        keysOf({ num_train_timesteps: 3, trained_betas: trained, beta_schedule: "squaredcos_cap_v2" }),
      ),
    ),
  ).toEqual(Float64Array.from(trained));
});

test("classes that divide by the last abar have 2^-24 there under zero terminal SNR: sigma 4096", () => {
  const keys = keysOf({ rescale_betas_zero_snr: true });
  expect(abarsOf(keys)[999]).toBe(0);
  const dividing = abarsOf(keys, true);
  expect(dividing[999]).toBe(2 ** -24);
  expect(abarSigma(dividing[999])).toBeAllClose(4096, { rel: 1e-7 });
  expect(dividing.slice(0, 999)).toEqual(abarsOf(keys).slice(0, 999));
  expect(abarsOf(keysOf({}), true)).toEqual(abarsOf(keysOf({})));
});
