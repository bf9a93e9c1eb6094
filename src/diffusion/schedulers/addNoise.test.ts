import { describe, expect, test } from "vitest";
import { tensor } from "../../base/tensor.ts";
import { checkState } from "../../testing/followScheduler.ts";
import type { SchedulerConfigJson } from "../../testing/schedulerFixture.ts";
import { schedulerCommon, schedulerText } from "../../testing/schedulerFixture.ts";
import { schedulerFromConfig } from "./scheduler.ts";

interface Row {
  readonly class: string;
  readonly config: SchedulerConfigJson;
  readonly num_inference_steps: number;
  readonly set_timesteps: object;
  readonly timestep_index: number;
  readonly timestep: number;
  readonly add_noise?: readonly number[];
  readonly scale_noise?: readonly number[];
  readonly get_velocity?: readonly number[];
}

const rows = JSON.parse(schedulerText("add_noise.json")) as readonly Row[];
const { shape, z, noise } = schedulerCommon;
const x0 = tensor(Float64Array.from(z), shape);
const unit = tensor(Float64Array.from(noise[0]), shape);
const title = (row: Row): string =>
  `${row.class}, ${row.num_inference_steps} steps, entry ${row.timestep_index}`;

describe("x0 with noise is the library's", () => {
  test.each(rows.map((row) => [title(row), row] as const))("%s", (_title, row) => {
    const scheduler = schedulerFromConfig({ _class_name: row.class, ...row.config });
    const plan = scheduler.plan({ steps: row.num_inference_steps, ...row.set_timesteps });
    const timestep = plan.timesteps[row.timestep_index];
    expect(timestep).toBeAllClose(row.timestep, { rel: 1e-6 });
    checkState(
      scheduler.addNoise(x0, unit, timestep, plan),
      (row.add_noise ?? row.scale_noise)!,
      1e-5,
      "noised",
    );
    if (row.get_velocity)
      checkState(scheduler.velocity(x0, unit, timestep, plan), row.get_velocity, 1e-5, "velocity");
  });
});

describe("without a plan", () => {
  test("noise at a timestep is alpha x0 + s noise of the class's own form", () => {
    const one = tensor(Float64Array.of(1), [1, 1]);
    const two = tensor(Float64Array.of(2), [1, 1]);
    const noised = (name: string, t: number): number =>
      schedulerFromConfig({ _class_name: name }).addNoise(one, two, t).data[0];
    // abar_499 of linear betas is 0.0785872429.
    expect(noised("DDPMScheduler", 499)).toBeAllClose(
      Math.sqrt(0.0785872429) + 2 * Math.sqrt(1 - 0.0785872429),
      { rel: 1e-8 },
    );
    expect(noised("EulerDiscreteScheduler", 499)).toBeAllClose(1 + 2 * 3.42413662, { rel: 1e-8 });
    expect(noised("FlowMatchEulerDiscreteScheduler", 250)).toBeAllClose(0.75 + 2 * 0.25, { rel: 1e-12 });
    expect(noised("EDMEulerScheduler", Math.log(3) / 4)).toBeAllClose(1 + 2 * 3, { rel: 1e-12 });
    expect(noised("IPNDMScheduler", 0.5)).toBeAllClose(Math.SQRT1_2 + 2 * Math.SQRT1_2, { rel: 1e-12 });
  });

  test("zero terminal SNR gives noise alone at the last timestep", () => {
    const scheduler = schedulerFromConfig({ _class_name: "DDIMScheduler", rescale_betas_zero_snr: true });
    checkState(scheduler.addNoise(x0, unit, 999), noise[0], 1e-7, "noised");
  });

  test("a timestep that the schedule does not have is refused", () => {
    const scheduler = schedulerFromConfig({ _class_name: "DDIMScheduler" });
    for (const timestep of [-1, 1000, NaN])
      expect(() => scheduler.addNoise(x0, unit, timestep)).toThrow("from 0 to 999");
  });
});

test("without a plan Euler's velocity is that of the timestep", () => {
  const velocity = (name: string) => schedulerFromConfig({ _class_name: name }).velocity(x0, unit, 300);
  expect(velocity("EulerDiscreteScheduler")).toBeAllClose(velocity("DDPMScheduler"), { rel: 1e-12 });
});

test("the velocity and x determine x0 and the noise: x = a x0 + s noise, v = a noise - s x0", () => {
  const scheduler = schedulerFromConfig({ _class_name: "DDPMScheduler" });
  for (const timestep of [0, 300, 999]) {
    const [x, v] = [scheduler.addNoise(x0, unit, timestep).data, scheduler.velocity(x0, unit, timestep).data];
    const abar = x0.data.map((_, i) => (x[i] ** 2 + v[i] ** 2) / (x0.data[i] ** 2 + unit.data[i] ** 2));
    expect(abar).toBeAllClose(
      abar.map(() => 1),
      { abs: 1e-12 },
    );
  }
});
