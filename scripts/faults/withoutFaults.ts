import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Fault } from "./fault.ts";

/** Where every file of a method or a sampler is to have a fault, and how such a file is known. */
const PARTS = [
  { folder: "src/guidance", marks: /= (weak|combine|adjust|push|condition)Method\(\{/ },
  { folder: "src/diffusion/samplers", marks: /AsyncGenerator<Step, Tensor, void>/ },
];

/** Files of methods and samplers that no fault is in. */
export function withoutFaults(root: string, faults: readonly Fault[]): string[] {
  const named = new Set(faults.map(({ file }) => file));
  return PARTS.flatMap(({ folder, marks }) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !/\.(test|cases)\.ts$/.test(file))
      .map((file) => `${folder}/${file}`)
      .filter((file) => marks.test(readFileSync(join(root, file), "utf8")) && !named.has(file)),
  );
}
