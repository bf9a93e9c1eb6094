import { existsSync, readFileSync, readdirSync } from "node:fs";

/** The repository's folder. */
const root = new URL("../../", import.meta.url);

/** Paths of all .onnx files under folders beside the repository (../shared/fixtures), where they are, and in tests/fixtures. */
export function fixtureModelFiles(folders: readonly string[] = [""]): readonly URL[] {
  const bases = [
    ...folders.map((folder) => new URL(`../shared/fixtures/${folder}${folder && "/"}`, root)),
    new URL("tests/fixtures/", root),
  ];
  return bases
    .filter((base) => existsSync(base))
    .flatMap((base) =>
      readdirSync(base, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".onnx"))
        .sort()
        .map((name) => new URL(name, base)),
    );
}

/** Models to be damaged: all fixtures, and the models of one operator that the repository keeps in one file. */
export function modelsToMutate(): readonly Uint8Array[] {
  const lines = readFileSync(new URL("tests/fixtures/gradients/ops.jsonl", root), "utf8").trim().split("\n");
  const small = lines.map(
    (line) => new Uint8Array(Buffer.from((JSON.parse(line) as { model: string }).model, "base64")),
  );
  return [...small, ...fixtureModelFiles().map((file) => new Uint8Array(readFileSync(file)))];
}
