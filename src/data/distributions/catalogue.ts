import { UsageError } from "../../base/errors.ts";
import { gaussianMixture } from "../../diffusion/oracles/mixture.ts";
import type { Distribution } from "./distribution.ts";
import { mixtureDistribution } from "./distribution.ts";
import { checkerboard, moons, rings } from "./shapes.ts";
import { tree } from "./tree.ts";

/** Makers of the known distributions, by name. All have a standard deviation of about 0.5 and a mean near 0. */
export const distributions: Readonly<Record<string, () => Distribution>> = {
  tree: () => {
    const { classes, priors } = tree();
    const description = "two fractal trees of 1016 Gaussians each (autoguidance paper)";
    return mixtureDistribution({ name: "tree", description, classes: ["A", "B"], priors }, classes);
  },
  two: () => {
    const description = "two overlapping round Gaussians, one a class";
    const spec = { name: "two", description, classes: ["left", "right"] };
    return mixtureDistribution(
      spec,
      [-0.4, 0.4].map((x) => gaussianMixture({ means: [[x, 0]], stds: [0.3] })),
    );
  },
  eight: () => {
    const names = ["east", "north-east", "north", "north-west", "west", "south-west", "south", "south-east"];
    const mixtures = names.map((_, k) => {
      const angle = (2 * Math.PI * k) / names.length;
      return gaussianMixture({ means: [[0.7 * Math.cos(angle), 0.7 * Math.sin(angle)]], stds: [0.06] });
    });
    return mixtureDistribution(
      { name: "eight", description: "eight Gaussians on a circle, one a class", classes: names },
      mixtures,
    );
  },
  grid: () => {
    const steps = [-0.7, -0.35, 0, 0.35, 0.7];
    const places = steps.flatMap((y, row) =>
      steps.map((x, column) => ({ mean: [x, y], parity: (row + column) % 2 })),
    );
    const mixtures = [0, 1].map((parity) => {
      const means = places.filter((place) => place.parity === parity).map(({ mean }) => mean);
      return gaussianMixture({ means, stds: means.map(() => 0.04) });
    });
    const spec = { name: "grid", description: "25 Gaussians on a grid, neighbours of two classes" };
    return mixtureDistribution({ ...spec, classes: ["even", "odd"], priors: [13 / 25, 12 / 25] }, mixtures);
  },
  rings: () => rings(),
  moons: () => moons(),
  checkerboard: () => checkerboard(),
};

/** The distribution of this name. Throws UsageError listing the names. */
export function distributionByName(name: string): Distribution {
  if (!Object.hasOwn(distributions, name)) {
    throw new UsageError(
      `there is no distribution "${name}"; there are ${Object.keys(distributions).join(", ")}`,
    );
  }
  return distributions[name]();
}
