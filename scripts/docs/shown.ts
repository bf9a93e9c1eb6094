import { exampleCommand, exampleOf } from "../../src/guidance/example.ts";
import type { Method } from "../../src/guidance/method.ts";
import { locateModel } from "../../src/models/bundle.ts";
import { count } from "../../src/report/format.ts";

/** What a method's picture shows. */
export interface Shown {
  readonly model: "tree" | "fashion-mnist";
  /** From "none" to the method; each is a panel of points or a row of images. */
  readonly specs: readonly string[];
  readonly seeds: readonly number[];
  readonly sampler: string;
  readonly steps: number;
  readonly command: string;
}

/** Seeds 0, 1, 2, ...: few of images, whose classes come in turn by seed. */
const SEEDS = { tree: 1024, "fashion-mnist": 10 } as const;

export async function shownOf(method: Method): Promise<Shown> {
  const { model, spec, beside, sampler } = exampleOf(method);
  const { sampling } = (await locateModel(model)).bundle;
  return {
    model,
    specs: [...beside, spec],
    seeds: Array.from({ length: SEEDS[model] }, (_, i) => i),
    sampler: sampler ?? sampling.sampler,
    steps: sampling.steps,
    command: exampleCommand(method),
  };
}

/** What the picture is of, in Markdown. */
export function captionOf({ model, specs, seeds, sampler, steps }: Shown): string {
  const ways = specs.map((spec) => (spec === "none" ? "no guidance" : `\`${spec}\``)).join(", ");
  const last = seeds.length - 1;
  const how = `${sampler} with ${steps} steps`;
  return model === "tree"
    ? `From the left: ${ways}, on the tree. ${count(seeds.length)} samples (seeds 0 to ${last}) over the exact density, outliers orange; ${how}.`
    : `From the top: ${ways}, on Fashion-MNIST. A column is a seed (0 to ${last}) and a class; ${how}.`;
}
