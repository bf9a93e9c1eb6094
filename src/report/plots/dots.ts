/** The pixel grid that dots are drawn on is this many times finer than a pixel. */
const fineness = 2;

/** Points of the plane in pixels. */
export type PixelPoint = readonly [number, number];

/**
 * Dots as the `d` of one path, to be stroked with round caps: about 6 characters a dot. Dots are put on half pixels, and
 * of those that fall on the same place one is drawn, so that the text stays small however many there are.
 * The path is in half pixels: give it transform="scale(0.5)".
 */
export function dotPath(points: Iterable<PixelPoint>): string {
  const seen = new Set<string>();
  const places: [number, number][] = [];
  for (const [x, y] of points) {
    const place: [number, number] = [Math.round(x * fineness), Math.round(y * fineness)];
    const key = place.join();
    if (seen.has(key)) continue;
    seen.add(key);
    places.push(place);
  }

  places.sort((a, b) => a[1] - b[1] || a[0] - b[0]);
  let [lastX, lastY] = [0, 0];
  let path = "";
  for (const [x, y] of places) {
    path += path === "" ? `M${x},${y}h0` : `m${pair(x - lastX, y - lastY)}h0`;
    [lastX, lastY] = [x, y];
  }
  return path;
}

/** Diagonal crosses of the given half width in pixels as the `d` of one path. */
export function crossPath(points: Iterable<PixelPoint>, size: number): string {
  let path = "";
  for (const [x, y] of points) {
    const arm = 2 * size;
    path += `M${round(x - size)},${round(y - size)}l${arm},${arm}m0,${-arm}l${-arm},${arm}`;
  }
  return path;
}

function pair(x: number, y: number): string {
  return y < 0 ? `${x}${y}` : `${x},${y}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
