import { UsageError } from "../../base/errors.ts";
import { rows } from "../../base/tensor.ts";
import type { Tensor } from "../../base/tensor.ts";
import { markup } from "../escape.ts";
import { imageShape, pictureOf } from "../picture.ts";
import { dataUri, encodePng } from "../png.ts";
import { page } from "./figure.ts";
import { colours } from "./palette.ts";

export interface StripOptions {
  /** One image, noised more and more: [n, 1 or 3, h, w], drawn from -1 (black) to 1 (white). */
  readonly images: Tensor;
  /** Under each image: its timestep or sigma. */
  readonly labels: readonly string[];
  readonly title?: string;
  /** Edge of each image in pixels. Default 96. */
  readonly size?: number;
}

/**
 * Images in a row with a label under each, joined by arrows, as an SVG: one image on its way into noise, or back.
 * Throws UsageError where labels and images differ in number.
 */
export function noisingStrip({ images, labels, title, size = 96 }: StripOptions): string {
  const { n, width, height } = imageShape(images);
  if (labels.length !== n) throw new UsageError(`${n} images take ${n} labels, got ${labels.length}`);
  const gap = 22;
  const margin = 12;
  const tall = (size * height) / width;
  const cells = labels.map((label, i) => {
    const x = margin + i * (size + gap);
    const uri = dataUri(encodePng(pictureOf(rows(images, i, i + 1), 0)));
    const arrow = markup`<path
      d="M${x - gap + 5},${margin + tall / 2}h${gap - 10}m-4,-3.5l4,3.5l-4,3.5"
      fill="none"
      stroke="${colours.muted}"
      stroke-width="1.3"
    />`;
    return markup`${i > 0 && arrow}<image
        x="${x}"
        y="${margin}"
        width="${size}"
        height="${tall}"
        href="${uri}"
        style="image-rendering:pixelated"
      /><text x="${x + size / 2}" y="${margin + tall + 18}">${label}</text>`;
  });
  const total = 2 * margin + n * size + (n - 1) * gap;
  const alt = `${title ?? "Images in a row"}: ${labels.join(", ")}`;
  return page({ alt, title, width: total, height: margin + tall + 30 }, markup`${cells}`);
}
