import type { Distribution } from "./distribution.ts";
import { distribution } from "./distribution.ts";

/** Two circles of radius 0.4 and 0.9 around 0, blurred by Gaussian noise of standard deviation 0.04; a class each. */
export function rings(): Distribution {
  const radii = [0.4, 0.9];
  const noise = 0.04;
  return distribution({
    name: "rings",
    description: "two circles, one inside the other",
    classes: ["inner", "outer"],
    draw: (stream, n, label) =>
      points(n, () => {
        const angle = 2 * Math.PI * stream.uniform();
        return [
          radii[label] * Math.cos(angle) + noise * stream.normal(),
          radii[label] * Math.sin(angle) + noise * stream.normal(),
        ];
      }),
  });
}

/**
 * Two half circles of radius 0.6 that reach into each other, blurred by noise of standard deviation 0.05; a class each.
 * The upper is 0.6 (cos t - 1/2, sin t - 1/4), the lower its mirror image in 0.
 */
export function moons(): Distribution {
  const noise = 0.05;
  return distribution({
    name: "moons",
    description: "two half circles that reach into each other",
    classes: ["upper", "lower"],
    draw: (stream, n, label) =>
      points(n, () => {
        const t = Math.PI * stream.uniform();
        const side = label === 0 ? 1 : -1;
        return [
          side * 0.6 * (Math.cos(t) - 0.5) + noise * stream.normal(),
          side * 0.6 * (Math.sin(t) - 0.25) + noise * stream.normal(),
        ];
      }),
  });
}

/** The eight black squares of a 4 x 4 board on [-0.86, 0.86]^2, evenly filled; the lower and the upper half are the classes. */
export function checkerboard(): Distribution {
  const side = 0.43;
  return distribution({
    name: "checkerboard",
    description: "the black squares of a 4 x 4 board",
    classes: ["lower half", "upper half"],
    draw: (stream, n, label) =>
      points(n, () => {
        const row = 2 * label + stream.integer(2);
        const column = 2 * stream.integer(2) + (row % 2);
        return [(column - 2 + stream.uniform()) * side, (row - 2 + stream.uniform()) * side];
      }),
  });
}

function points(n: number, point: () => [number, number]): Float64Array {
  const out = new Float64Array(2 * n);
  for (let i = 0; i < n; i++) out.set(point(), 2 * i);
  return out;
}
