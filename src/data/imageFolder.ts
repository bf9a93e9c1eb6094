import { readFile, readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { FileError, UsageError } from "../base/errors.ts";
import type { ImageDataset } from "./dataset.ts";
import { imageDataset } from "./dataset.ts";
import { decodeImage } from "./decodeImage.ts";
import { centreCrop, resize, toGrey, toRgb } from "./transforms.ts";

export interface ImageFolderOptions {
  /** Side of the square images, in pixels, 1 to 1024. Default 32. */
  readonly size?: number;
  /** 1 grey, 3 RGB. Default 3. */
  readonly channels?: 1 | 3;
}

const EXTENSIONS = [".png", ".jpg", ".jpeg"];
/** All images of a folder are held in memory. */
const MAX_BYTES = 2 ** 31;

/**
 * The PNG and JPEG pictures of a folder as a data set: each cropped to its middle square, then resized.
 * With subfolders, each one is a class, named as it is, labels in the names' order; without, there are no labels.
 *
 * Throws FileError, naming the file or folder, for a missing or empty folder, pictures beside subfolders, a picture that
 * cannot be read, and more images than memory should hold (2 GiB); UsageError for a size or channels out of range.
 */
export async function imageFolder(path: string, options: ImageFolderOptions = {}): Promise<ImageDataset> {
  const { size = 32, channels = 3 } = options;
  if (!Number.isInteger(size) || size < 1 || size > 1024) {
    throw new UsageError(`the size of images is an integer from 1 to 1024 pixels, got ${size}`);
  }
  if (channels !== 1 && channels !== 3) {
    throw new UsageError(`images have 1 channel (grey) or 3 (RGB), got ${String(channels)}`);
  }

  const { classes, files } = await list(path);
  const each = channels * size * size;
  if (files.length * each > MAX_BYTES) {
    throw new FileError(
      `${path} has ${files.length} pictures, too many for memory at ${size} x ${size}; choose a smaller size`,
    );
  }
  const images = new Uint8Array(files.length * each);
  for (const [row, file] of files.entries()) {
    const square = centreCrop(decodeImage(await readFile(file.path), file.path));
    const picture = (channels === 1 ? toGrey : toRgb)(square);
    images.set(resize(picture, size, size).data, row * each);
  }
  return imageDataset({
    name: basename(path),
    shape: [channels, size, size],
    classes,
    labels: classes.length > 0 ? files.map((file) => file.label) : null,
    images,
  });
}

interface Listing {
  readonly classes: string[];
  readonly files: { readonly path: string; readonly label: number }[];
}

async function list(path: string): Promise<Listing> {
  const { folders, pictures } = await entries(path);
  if (folders.length > 0 && pictures.length > 0) {
    throw new FileError(
      `${path} has pictures beside subfolders; put every picture into a subfolder, its class, or none`,
    );
  }
  const files = pictures.map((name) => ({ path: join(path, name), label: -1 }));
  for (const [label, folder] of folders.entries()) {
    const inside = await entries(join(path, folder));
    if (inside.pictures.length === 0) {
      throw new FileError(
        `${join(path, folder)} has no .png, .jpg or .jpeg picture; put some in or take the folder away`,
      );
    }
    files.push(...inside.pictures.map((name) => ({ path: join(path, folder, name), label })));
  }
  if (files.length === 0) {
    throw new FileError(`${path} has no .png, .jpg or .jpeg picture and no subfolder with pictures`);
  }
  return { classes: folders, files };
}

/** Subfolders and pictures of a folder, sorted by name; hidden ones and other files are passed over. */
async function entries(path: string): Promise<{ folders: string[]; pictures: string[] }> {
  let found;
  try {
    found = await readdir(path, { withFileTypes: true });
  } catch (error) {
    throw new FileError(
      `${path} cannot be read as a folder of pictures (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  const visible = found.filter((entry) => !entry.name.startsWith("."));
  const names = (keep: (entry: (typeof visible)[number]) => boolean) =>
    visible
      .filter(keep)
      .map((entry) => entry.name)
      .sort();
  return {
    folders: names((entry) => entry.isDirectory()),
    pictures: names(
      (entry) => !entry.isDirectory() && EXTENSIONS.includes(extname(entry.name).toLowerCase()),
    ),
  };
}
