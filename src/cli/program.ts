import { Command, Option } from "commander";
import { samplers } from "../diffusion/samplers/index.ts";
import { schedules } from "../diffusion/schedules.ts";
import { methods } from "../guidance/methods.ts";
import { presets } from "../training/presets.ts";
import type { Io } from "./io.ts";
import { runMethods } from "./commands/methods.ts";
import { runSamplers } from "./commands/samplers.ts";
import { fairleadVersion } from "./version.ts";

const collect = (value: string, before: readonly string[] = []): string[] => [...before, value];

const threads = new Option(
  "--threads <n>",
  "cores to use on the CPU, a whole number from 1; results do not depend on it (default: all)",
);
const device = new Option(
  "--device <name>",
  "where networks run: cpu, webgpu or cuda; auto takes a graphics card if there is one, and says so (default: cpu)",
);
const bind = new Option(
  "--bind <name=size>",
  "sizes of open dimensions, as in batch=2,height=64; a batch is 1 where nothing is said; may be repeated",
).argParser(collect);
const json = new Option("--json", "print one JSON object and nothing else on standard output");
const quiet = new Option("--quiet", "no progress on standard error");
const schedule = (whose: string) =>
  new Option(
    "--schedule <name>",
    `spacing of the noise levels, NAME or NAME:KEY=VALUE as in flow:shift=3: one of ${Object.keys(schedules).join(", ")} (default: ${whose})`,
  );
const overwrite = new Option(
  "--overwrite",
  "write into an --out that holds something; files of the same names are replaced, all others stay",
);

/** Command lines of `fairlead`. Commands do their work when parsed, and hand their exit code to `finish`. */
export function makeProgram(io: Io, finish: (exitCode: number) => void): Command {
  const program = new Command("fairlead")
    .description("Guide diffusion models: train, sample, steer, compare and measure.")
    .version(fairleadVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand("help [command]", "print the help of a command")
    .addHelpText("after", programNotes);

  /** A subcommand that behaves as all do: no exit, output to `io`, unknown words refused. */
  const command = (usage: string, description: string, notes: string): Command =>
    program.command(usage).description(description).addHelpText("after", notes);

  command("train <preset|config>", "train a network, or go on with a training", trainNotes)
    .addOption(
      new Option(
        "--set <key=value>",
        "change one value of the configuration, as in training.batchSize=64; may be repeated",
      ).argParser(collect),
    )
    .option(
      "--out <dir>",
      "folder of the training: new, empty, or the same training's, which is then resumed (default: runs/PRESET)",
    )
    .option(
      "--data <dir>",
      "folder with the four IDX files (default: the cache, then the system's data sets, then a download)",
    )
    .addOption(threads)
    .addOption(device)
    .addOption(json)
    .addOption(quiet)
    .action(async (what: string, options: unknown) => {
      const { runTrain } = await import("./commands/train.ts");
      finish(await runTrain(io, what, options));
    });

  command("sample [model]", "sample a model with any guidance", sampleNotes)
    .option("--guidance <spec>", "how to guide: METHOD:NUMBER,KEY=VALUE joined by + (default: none)")
    .option("--sampler <name>", `one of ${Object.keys(samplers).join(", ")} (default: the model's)`)
    .option("--steps <n>", "sampling steps, a whole number from 1; not evaluations (default: the model's)")
    .option(
      "--seeds <list>",
      "one sample a seed: whole numbers as 0-15 (both ends included) or 1,5,9 (default: 0-7)",
    )
    .option(
      "--label <class>",
      "class of all samples by name or index; none: no condition (default: classes in turn, by seed)",
    )
    .option(
      "--sigma-min <sigma>",
      "smallest noise level before 0: standard deviation in units of the data, where images span -1 to 1 (default: the model's)",
    )
    .option("--sigma-max <sigma>", "noise level at the start, in the same unit (default: the model's)")
    .option(
      "--rho <number>",
      "of the schedule karras: noise levels equal in sigma^(1/rho) (default: the model's)",
    )
    .addOption(schedule("the model's"))
    .addOption(
      new Option(
        "--sampler-option <key=value>",
        "an option of the sampler, as in churn=40; may be repeated",
      ).argParser(collect),
    )
    .option(
      "--generator <name>",
      "whose random numbers: philox (ours), torch (as diffusers and ComfyUI draw on the CPU), numpy, cuda (as web UIs emulate it) (default: philox)",
    )
    .option("--brownian", "noise of the steps from one Brownian path a sample, whatever their number")
    .option(
      "--scheduler <file.json>",
      "sampler and noise levels of a scheduler_config.json of diffusers, in place of --sampler and --schedule",
    )
    .option("--from <picture.png>", "repeat the recipe that a picture of fairlead carries")
    .option("--out <dir>", "folder for the results, new or empty (default: fairlead-sample-1, -2, ...)")
    .addOption(overwrite)
    .addOption(threads)
    .addOption(device)
    .addOption(json)
    .addOption(quiet)
    .action(async (model: string | undefined, options: unknown) => {
      const { runSample } = await import("./commands/sample.ts");
      finish(await runSample(io, model, options));
    });

  command(
    "compare [models...]",
    "run guidance methods side by side from the same seeds, and measure them",
    compareNotes,
  )
    .option(
      "--guidance <specs...>",
      "what to compare, as for sample (default: each model's own list); write the models before it",
    )
    .option("--seeds <list>", "samples that are shown, as 0-31 or 1,5,9 (default: 0-31)")
    .option(
      "--samples <n>",
      "samples that are measured, seeds 0 to n - 1 (default: 8192 points; of images, those shown); from 1000 images on, also the Fréchet distance",
    )
    .option("--sampler <name>", `one of ${Object.keys(samplers).join(", ")} (default: the model's)`)
    .option("--steps <n>", "sampling steps, a whole number from 1; not evaluations (default: the model's)")
    .addOption(schedule("the model's"))
    .option(
      "--label <class>",
      "class of all samples by name or index; none: no condition (default: classes in turn, by seed)",
    )
    .option(
      "--match <what>",
      "compare on equal terms: evaluations (each method takes the steps that make it cost as much as the first) or effective-weight (strengths are scaled until each goes as far along CFG's way as the first that guides)",
    )
    .option(
      "--match-to <number>",
      "the evaluations a sample, or the effective weight, that all are to have (default: the first method's)",
    )
    .option("--out <dir>", "folder for the results, new or empty (default: fairlead-compare-1, -2, ...)")
    .addOption(overwrite)
    .addOption(threads)
    .addOption(device)
    .addOption(json)
    .addOption(quiet)
    .action(async (models: string[], options: unknown) => {
      const { runCompare } = await import("./commands/compare.ts");
      finish(await runCompare(io, models, options));
    });

  command("likelihood <model>", "log-likelihood of data under a model, in nats and bits", likelihoodNotes)
    .option("--samples <n>", "points or images to take (default: 256 points, 16 images)")
    .option(
      "--data <name>",
      "images: sample, fashion-mnist:test, mnist:test or a folder of pictures (default: of the kind that the model learned)",
    )
    .option(
      "--label <class>",
      "class of all by name or index; none: no condition (default: each image's own)",
    )
    .option("--steps <n>", "Heun's method in so many steps (default: steps as long as the tolerance allows)")
    .option("--tolerance <number>", "error of a step, relative and absolute (default: 0.0001)")
    .option(
      "--probes <n>",
      "random directions by which the divergence of images is estimated (default: 1); for points it is exact",
    )
    .addOption(threads)
    .addOption(device)
    .addOption(json)
    .addOption(quiet)
    .action(async (model: string, options: unknown) => {
      const { runLikelihood } = await import("./commands/likelihood.ts");
      finish(await runLikelihood(io, model, options));
    });

  command(
    "inspect <model>",
    "say what is in a graph: inputs, operators, parameters, cost, attention",
    inspectNotes,
  )
    .addOption(bind)
    .addOption(json)
    .action(async (model: string, options: unknown) => {
      const { runInspect } = await import("./commands/inspect.ts");
      finish(await runInspect(io, model, options));
    });

  command(
    "rewrite <model>",
    "write a graph bound, perturbed, merged, differentiated or simplified, for any runtime",
    rewriteNotes,
  )
    .addOption(bind)
    .addOption(
      new Option(
        "--perturb <how>",
        "KIND[:KEY=VALUE,...] as in identity:layers=mid; may be repeated",
      ).argParser(collect),
    )
    .option("--merge", "the plain and the perturbed network in one graph, what they share computed once")
    .addOption(
      new Option(
        "--gradient <input>",
        "INPUT or OUTPUT:INPUT: also the gradient of the sum of the output; may be repeated",
      ).argParser(collect),
    )
    .option("--simplify", "compute constant parts, share equal ones, drop unused ones")
    .option(
      "--optimise",
      "simplify, and put faster operators in for ONNX Runtime's CPU; last, for it cannot be undone",
    )
    .option("-o, --output <file>", "the .onnx file to write")
    .addOption(json)
    .action(async (model: string, options: unknown) => {
      const { runRewrite } = await import("./commands/rewrite.ts");
      finish(await runRewrite(io, model, options));
    });

  command("methods [name]", "list the guidance methods, or print the options of one", methodNotes)
    .addOption(json)
    .action((name: string | undefined, options: unknown) => finish(runMethods(io, name, options)));

  command("samplers [name]", "list the samplers, or print the options of one", samplerNotes)
    .addOption(json)
    .action((name: string | undefined, options: unknown) => finish(runSamplers(io, name, options)));

  command(
    "explain <spec>",
    "say what a guidance asks for: predictions, evaluations, formulas, order, at each noise level",
    explainNotes,
  )
    .option(
      "--model <model>",
      "check against what this model offers, and tell what its networks really compute",
    )
    .option("--sampler <name>", `one of ${Object.keys(samplers).join(", ")} (default: the model's, or heun)`)
    .option(
      "--steps <n>",
      "sampling steps, a whole number from 1; not evaluations (default: the model's, or 16)",
    )
    .option("--sigma-min <sigma>", "smallest noise level before 0 (default: the model's, or 0.002)")
    .option("--sigma-max <sigma>", "noise level at the start (default: the model's, or 80)")
    .option(
      "--rho <number>",
      "of the schedule karras: noise levels equal in sigma^(1/rho) (default: the model's, or 7)",
    )
    .addOption(schedule("the model's, or karras"))
    .addOption(
      new Option(
        "--sampler-option <key=value>",
        "an option of the sampler, as in churn=40; may be repeated",
      ).argParser(collect),
    )
    .addOption(json)
    .action(async (spec: string, options: unknown) => {
      const { runExplain } = await import("./commands/explain.ts");
      finish(await runExplain(io, spec, options));
    });

  command("models [model]", "list the models that come with fairlead, or describe any one", modelNotes)
    .addOption(json)
    .action(async (model: string | undefined, options: unknown) => {
      const { runModels } = await import("./commands/models.ts");
      finish(await runModels(io, model, options));
    });

  for (const each of [program, ...program.commands]) quietly(each, io);
  return program;
}

/** Commander throws instead of exiting, and leaves printing errors to us. */
function quietly(command: Command, io: Io): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: () => undefined,
    getOutHasColors: () => false,
    getOutHelpWidth: () => io.stdout.columns ?? 100,
  });
}

const list = (entries: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join("\n");
};

const programNotes = `
Examples:
  fairlead compare                                   what each guidance method does, on the models that come along
  fairlead sample fashion-mnist --guidance cfg:2     pictures, each with the recipe to make it again

Exit codes: 0 done, 1 something failed, 2 wrong usage, 130 stopped by Ctrl-C. FAIRLEAD_DEBUG=1 prints stacks.`;

const trainNotes = `
Presets:
${list(Object.entries(presets).map(([name, { description }]) => [name, description]))}

A CONFIG.json holds the same keys as a preset: network, objective, data, dropCondition, training. The folder gets
config.json, stats.jsonl, snapshots/, previews/ (a grid of samples from fixed seeds, one column a class, every
training.previewEvery images), state.safetensors (the checkpoint) and at the end model.safetensors. Ctrl-C, or a kill at
any moment, loses at most the last minute: the same command goes on, to the same final weights. Counts are of images
unless their names say Steps. NaN stops the training and keeps the last good checkpoint.

Examples:
  fairlead train fashion-mnist
  fairlead train tree --set training.images=262144 --set training.seed=1 --out runs/tree-short`;

const sampleNotes = `
MODEL is the name of a shipped model (fairlead models), the folder of a training, a folder with model.json, or a
.safetensors file. Images: one PNG a seed and grid.png, each with its recipe in a text chunk. Points of the plane:
samples.csv, scatter.svg over the exact density, recipe.json. A sample depends on its seed, not on the others.

Guidance (fairlead methods NAME for all options; weight 1 is off, scale 0 is off):
${list(Object.entries(methods).map(([name, { summary }]) => [name, summary]))}

Samplers and their options:
${list(Object.values(samplers).map(({ name, description, options }) => [name, [description, ...Object.keys(options)].join("; ")]))}

Examples:
  fairlead sample fashion-mnist --guidance cfg:2+pag:scale=1 --seeds 0-15 --label Sandal
  fairlead sample --from fairlead-sample-1/seed-3.png`;

const compareNotes = `
Without MODELS, those that come with fairlead. Writes index.html (one self-contained page), results.json and, for images,
a PNG grid a method. Seconds and class accuracy are of this run; a Fréchet distance over few images means nothing and is not
shown: what was measured over many stands beside it, from the model's card. Seeds decide everything: neither the other
methods nor --threads change a sample. A method that a model cannot take is listed with the reason.

--match evaluations counts a network evaluation and a classifier's gradient as one each, whatever the network's size. The effective weight is
the weight of CFG that a method amounts to: the share of its move along D(x; label) - D(x; null), in the mean over the steps of a
few hundred samples (arXiv:2602.22570). What the table and results.json then say: steps or strength of each, and what is left unequal.

Examples:
  fairlead compare fashion-mnist --guidance none cfg:2 pag:1 cfg:2+pag:1 --seeds 0-15
  fairlead compare tree --guidance cfg:2 autoguidance:2 apg:2 --match effective-weight`;

const likelihoodNotes = `
log p(x) by the probability-flow ODE, followed from the model's smallest noise level to its largest: the density of data with the
smallest noise. Points are drawn from the data's exact law, one a seed 0, 1, 2, ..., and their exact density stands beside the model's:
the mean of the difference estimates how far the model is from the data (Kullback-Leibler, in nats). Images are spread evenly over the
data set; bits per dimension are of bytes, each taken for a random place in its bin. A sample's value depends on the others by less than the
tolerance, and not at all with --steps.

Examples:
  fairlead likelihood tree --samples 1000
  fairlead likelihood fashion-mnist --samples 8 --steps 40 --json`;

const inspectNotes = `
MODEL is an .onnx file, a folder with one (of a pipeline: its unet or transformer), or a model of ours by name. Weights in files
beside the model are not read. Operations are 2 for each multiply-add; they need every dimension's size (--bind).

Examples:
  fairlead inspect fashion-mnist
  fairlead inspect unet/model.onnx --bind batch=2,height=64,width=64,sequence=77 --json`;

const rewriteNotes = `
MODEL is as for fairlead inspect, which lists the attention layers by index, name and position. First --bind, then --perturb (one
after the other, or with --merge as branches beside the plain network), then --gradient, then --simplify or --optimise. The result is a standard
ONNX file (opset 18 or the model's own, if higher); what a perturbation draws at random is a further input of the graph.

Kinds: identity, soft-identity (u), uniform, random-mask (p, seed), off-diagonal-mask (p, seed), attention-dropout (p, seed),
blur-queries (sigma, grid=HxW), zero-attention, skip-attention, skip-feed-forward, skip-block, drop-blocks (p, seed), shuffle-tokens (seed), and
weight-noise (std, seed, weights); all but the last take layers=down|mid|up|NAME|INDEX|all and attention=self|cross|any.

Examples:
  fairlead rewrite unet/model.onnx --bind batch=1,height=64,width=64,sequence=77 --perturb identity:layers=mid --merge -o pag.onnx
  fairlead rewrite classifier.onnx --gradient logits:x -o gradient.onnx`;

const methodNotes = `
Examples:
  fairlead methods
  fairlead methods pag`;

const samplerNotes = `
Examples:
  fairlead samplers
  fairlead samplers dpmpp-2m-sde --json`;

const explainNotes = `
SPEC is what --guidance of fairlead sample takes. Nothing is computed. A range of noise levels is half-open: LOW < sigma <= HIGH. Costs are
for one sample and one evaluation of the sampler; a gradient of a classifier counts apart. Without a model, one that offers everything is
taken. With --model, --sampler or --steps it also tells how many of a run's steps lie in each range, and what the whole run costs.

Examples:
  fairlead explain "cfg:4,interval=0.2..2+pag:3~apg"
  fairlead explain cfg:2+autoguidance:2 --model fashion-mnist --sampler heun --steps 32`;

const modelNotes = `
Examples:
  fairlead models
  fairlead models runs/fashion-mnist --json`;
