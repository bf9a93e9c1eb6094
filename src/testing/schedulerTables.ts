import {
  alphaBars,
  cosineBetas,
  givenBetas,
  laplaceBetas,
  linearBetas,
  NOISE_ALONE,
  rescaleZeroSnr,
  scaledLinearBetas,
  sigmoidBetas,
} from "../diffusion/betas.ts";
import type { SchedulerCase, SchedulerConfigJson, SchedulerRun } from "./schedulerFixture.ts";

/** Where the model is called in a recorded run. */
export interface RecordedCall {
  /** As recorded. */
  readonly timestep: number;
  /** VE noise level of the state there: noise over signal. */
  readonly sigma: number;
  /** Share of x0 in the class's own state there: state = alpha * (x0 + sigma * noise). */
  readonly alpha: number;
}

/** The tables of a recorded run, in the form that our samplers take. */
export interface RecordedTables {
  /** One a call of the model: state k of the run belongs to calls[k]. */
  readonly calls: readonly RecordedCall[];
  /** Where the last state lies. */
  readonly end: Pick<RecordedCall, "sigma" | "alpha">;
  /** The grid for the sampler: VE noise levels of the steps (not of evaluations inside a step), then the end. */
  readonly sigmas: readonly number[];
  /** DDIM and PNDM: VE noise level at t - floor(N / n), where call k's step goes, whatever calls[k + 1] is. */
  readonly targets?: readonly number[];
  /** VE noise level at an integer timestep, for classes with betas; below 0 it is 0. */
  sigmaOf(timestep: number): number;
}

/** Classes whose state is alpha * (x0 + sigma * noise) with alpha = sqrt(abar), and which record no sigmas. */
const VARIANCE_PRESERVING = ["DDPM", "DDIM", "PNDM", "LCM", "TCD"];
/** Classes whose recorded sigmas are ratios of noise to signal and whose state is variance preserving. */
const DPM = ["DPMSolverMultistep", "DPMSolverSinglestep", "UniPCMultistep", "DEISMultistep"];
/** Classes with an evaluation inside each step, and where it lies: at the next level, or between. */
const TWO_CALLS: Readonly<Record<string, "end" | "middle" | "ancestral middle">> = {
  HeunDiscrete: "end",
  FlowMatchHeunDiscrete: "end",
  KDPM2Discrete: "middle",
  KDPM2AncestralDiscrete: "ancestral middle",
  DPMSolverSDE: "middle",
};

/** Noise levels of a recorded run, from its recorded sigmas or, where the class has none, from its betas and timesteps. */
export function recordedTables(name: string, { config }: SchedulerCase, run: SchedulerRun): RecordedTables {
  const kind = name.replace(/Scheduler$/, "");
  const { timesteps } = run;
  const N = Number(config.num_train_timesteps ?? 1000);
  const abars = config.beta_schedule === undefined ? [] : recordedAbars(config);
  const sigmaOf = (t: number) => (t < 0 ? 0 : Math.min(Math.sqrt((1 - abars[t]) / abars[t]), NOISE_ALONE));

  if (VARIANCE_PRESERVING.includes(kind)) {
    const at = (t: number) => preserving(sigmaOf(t));
    const calls = timesteps.map((timestep) => ({ timestep, ...at(timestep) }));
    if (kind !== "DDIM" && kind !== "PNDM") {
      const end = kind === "TCD" ? at(0) : preserving(0);
      return { calls, end, sigmas: [...calls.map(({ sigma }) => sigma), end.sigma], sigmaOf };
    }
    const h = Math.floor(N / run.num_inference_steps!);
    const below = config.set_alpha_to_one ? 0 : sigmaOf(0);
    const targets = timesteps.map((t) => (t - h < 0 ? below : sigmaOf(t - h)));
    const end = preserving(targets[targets.length - 1]);
    return { calls, end, sigmas: [...calls.map(({ sigma }) => sigma), end.sigma], targets, sigmaOf };
  }

  if (kind === "IPNDM") {
    const at = (u: number) => {
      const b = Math.sin((Math.PI * u) / 2) ** 2;
      const a = Math.sqrt(1 - b * b);
      return preserving(Math.min(b / a, NOISE_ALONE));
    };
    const n = timesteps.length;
    const calls = timesteps.map((timestep, i) => ({ timestep, ...at(1 - i / n) }));
    return { calls, end: at(0), sigmas: [...calls.map(({ sigma }) => sigma), 0], sigmaOf };
  }

  // The others have recorded their sigmas.
  const flow = kind.startsWith("FlowMatch") || config.use_flow_sigmas === true;
  const at = (recorded: number) => {
    if (flow) return straight(config.invert_sigmas ? 1 - recorded : recorded);
    return DPM.includes(kind) ? preserving(recorded) : { sigma: recorded, alpha: 1 };
  };
  const table = run.sigmas!;
  const inside = TWO_CALLS[kind];
  if (inside === undefined) {
    const calls = timesteps.map((timestep, k) => ({ timestep, ...at(table[k]) }));
    // A final sigma_min may lie a rounding above the last of the table: the same level.
    const levels = table
      .slice(0, timesteps.length + 1)
      .map((one, i) => at(i === timesteps.length ? endOf(table[i - 1], one) : one));
    return { calls, end: levels[levels.length - 1], sigmas: levels.map(({ sigma }) => sigma), sigmaOf };
  }
  const steps = (timesteps.length + 1) / 2;
  const grid = Array.from({ length: steps + 1 }, (_, i) => table[i === 0 ? 0 : 2 * i - 1]);
  const calls = timesteps.map((timestep, k) => {
    const i = Math.floor(k / 2);
    if (k % 2 === 0) return { timestep, ...at(grid[i]) };
    const [from, to] = [grid[i], grid[i + 1]];
    if (inside === "end") return { timestep, ...at(to) };
    // The ancestral step goes to below its end: down = to^2 / from.
    return { timestep, ...at(Math.sqrt(from * (inside === "middle" ? to : (to * to) / from))) };
  });
  return { calls, end: at(grid[steps]), sigmas: grid.map((one) => at(one).sigma), sigmaOf };
}

/** The last level; the one before it where the two differ by rounding only. */
function endOf(before: number, last: number): number {
  return last > before && last < before * (1 + 1e-6) ? before : last;
}

function preserving(sigma: number): { sigma: number; alpha: number } {
  return { sigma, alpha: 1 / Math.sqrt(1 + sigma * sigma) };
}

function straight(t: number): { sigma: number; alpha: number } {
  const sigma = Math.min(t / (1 - t), NOISE_ALONE);
  return { sigma, alpha: 1 / (1 + sigma) };
}

/** abar of every timestep; the library's last one of zero terminal SNR is 2^-24 in the classes that divide by it. */
function recordedAbars(config: SchedulerConfigJson): Float64Array {
  const count = Number(config.num_train_timesteps);
  const range = { count, start: Number(config.beta_start), end: Number(config.beta_end) };
  const plain = {
    linear: () => linearBetas(range),
    scaled_linear: () => scaledLinearBetas(range),
    squaredcos_cap_v2: () => cosineBetas({ count }),
    sigmoid: () => sigmoidBetas(range),
    laplace: () => laplaceBetas({ count }),
  };
  const given = config.trained_betas as readonly number[] | null;
  const betas = given ? givenBetas({ values: given }) : plain[config.beta_schedule as keyof typeof plain]();
  return alphaBars(config.rescale_betas_zero_snr ? rescaleZeroSnr(betas) : betas);
}
