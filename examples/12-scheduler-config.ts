/** A scheduler_config.json as other tools save it, run with guidance: which sampler it is, what it asks the network, and where samples end. */
import {
  axpby,
  cfg,
  compose,
  distributionByName,
  guide,
  last,
  mixtureDenoiser,
  philox,
  samplers,
  schedulerFromConfig,
} from "fairlead";
import type { Tensor } from "fairlead";

const saved = (name: string, keys: string) =>
  `{"_class_name": "${name}", "_diffusers_version": "0.30.0", "beta_schedule": "scaled_linear", "beta_start": 0.00085,
    "beta_end": 0.012, "steps_offset": 1, "timestep_spacing": "leading"${keys}}`;

const configs = [
  saved("DDIMScheduler", ', "clip_sample": false, "set_alpha_to_one": false'),
  saved("DPMSolverMultistepScheduler", ', "use_karras_sigmas": true, "lambda_min_clipped": -Infinity'),
  saved("UniPCMultistepScheduler", ', "prediction_type": "v_prediction"'),
];

const { mixtures, priors } = distributionByName("grid");
const denoiser = mixtureDenoiser(mixtures!, priors);
const n = 256;
const labels = Array.from({ length: n }, () => 0);
const unit: Tensor = { data: new Float64Array(2 * n), shape: [n, 2] };
philox(0, 0).fillNormal(unit.data);

for (const config of configs) {
  const scheduler = schedulerFromConfig(config);
  const plan = scheduler.plan({ steps: 20 });

  // A guided prediction of x0, as the class goes on with it.
  const guided = guide(denoiser, labels, compose([cfg({ weight: 1.5 })]));
  const evaluate = scheduler.limit(guided.evaluate, plan);
  const start = scheduler.start(unit, plan);
  const steps = samplers[plan.sampler].run(evaluate, start, plan.sigmas, plan.samplerOptions);
  const guidedSample = scheduler.finish(await last(steps), plan);

  // The same without guidance, from the raw outputs (eps or v) of a network that is told timesteps.
  const network = async (input: Tensor, timestep: number): Promise<Tensor> => {
    const { sigma } = plan.calls.find((call) => call.timestep === timestep)!;
    const { cIn, cSkip, cOut } = scheduler.call(sigma, plan);
    const x = axpby(1 / cIn, input, 0, input);
    const [denoised] = await denoiser.denoise(x, sigma, [{ condition: labels }]);
    return axpby(1 / cOut, denoised, -cSkip / cOut, x);
  };
  const plain = await last(scheduler.sample(network, unit, plan));

  const std = ({ data }: Tensor) =>
    Math.sqrt([...data].reduce((sum, value) => sum + value * value, 0) / data.length);
  console.log(`${scheduler.name}: ${plan.sampler}, told ${plan.timesteps.slice(0, 4).join(", ")}, ...`);
  console.log(`  root mean square ${std(plain).toFixed(3)}, guided ${std(guidedSample).toFixed(3)}`);
}
