import { describe, test } from "vitest";
import { followScheduler } from "../../testing/followScheduler.ts";
import type { SchedulerConfigJson } from "../../testing/schedulerFixture.ts";
import { schedulerRuns } from "../../testing/schedulerFixture.ts";
import { last } from "../last.ts";
import type { SamplerName } from "./index.ts";
import { samplers } from "./index.ts";

/** Our options for a recorded class's configuration. */
type Options = (config: SchedulerConfigJson) => Record<string, unknown>;

const dpm: Options = (config) => ({
  order: config.solver_order,
  algorithm: config.algorithm_type,
  solver: config.solver_type,
  lowerOrderFinal: config.lower_order_final,
  bend: "diffusers",
});

const CLASSES: readonly (readonly [name: string, sampler: SamplerName, options: Options])[] = [
  [
    "DPMSolverMultistepScheduler",
    "dpm-multistep",
    (config) => ({ ...dpm(config), eulerAtFinal: config.euler_at_final }),
  ],
  [
    "EDMDPMSolverMultistepScheduler",
    "dpm-multistep",
    (config) => ({ ...dpm(config), eulerAtFinal: config.euler_at_final }),
  ],
  ["DPMSolverSinglestepScheduler", "dpm-singlestep", dpm],
  [
    "UniPCMultistepScheduler",
    "unipc",
    (config) => ({
      order: config.solver_order,
      variant: config.solver_type,
      predictX0: config.predict_x0,
      lowerOrderFinal: config.lower_order_final,
      disableCorrector: config.disable_corrector,
    }),
  ],
  [
    "DEISMultistepScheduler",
    "deis",
    (config) => ({ order: config.solver_order, lowerOrderFinal: config.lower_order_final }),
  ],
  ["DPMSolverSDEScheduler", "dpmpp-sde", () => ({})],
];

describe.each(CLASSES)("%s is the sampler %s, every state of its run", (name, sampler, options) => {
  test.each(schedulerRuns(name))("%s", async (_title, one, run) => {
    const { sigmas, start, evaluate, noise, check } = followScheduler(name, one, run);
    check(await last(samplers[sampler].run(evaluate, start, sigmas, { ...options(one.config), noise })));
  });
});
