/**
 * The rules of eslint.config.js bite. Each snippet is linted as if it stood in a file that exists, so that the
 * type-aware rules know the project.
 */
import { ESLint } from "eslint";
import { expect, test } from "vitest";

const eslint = new ESLint({ cwd: new URL("..", import.meta.url).pathname });

/** The names of the rules that a snippet breaks in a file. */
async function broken(filePath: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath });
  expect(result.fatalErrorCount, JSON.stringify(result.messages)).toBe(0);
  return [...new Set(result.messages.map((message) => message.ruleId ?? "none"))];
}

const UPWARD = "import-x/no-restricted-paths";
const IMPORT = "no-restricted-imports";
const GLOBAL = "no-restricted-globals";

test.each([
  ["src/base/errors.ts", "../graph/graph.ts"],
  ["src/graph/graph.ts", "../files/atomicFile.ts"],
  ["src/files/atomicFile.ts", "../runtime/runtime.ts"],
  ["src/graph/graph.ts", "../diffusion/denoiser.ts"],
  ["src/runtime/runtime.ts", "../diffusion/denoiser.ts"],
  ["src/diffusion/denoiser.ts", "../guidance/guidance.ts"],
  ["src/diffusion/denoiser.ts", "../testing/matchers.ts"],
  ["src/diffusion/denoiser.ts", "../../tests/lint.test.ts"],
  ["src/guidance/guidance.ts", "../diffusion/samplers/index.ts"],
])("%s may not import %s", async (file, target) => {
  expect(await broken(file, `import "${target}";\n`)).toEqual([UPWARD]);
  expect(await broken(file, `export type * from "${target}";\n`)).toEqual([UPWARD]);
});

test.each([
  ["src/graph/graph.ts", "../base/errors.ts"],
  ["src/guidance/guidance.ts", "../diffusion/denoiser.ts"],
  ["src/guidance/guidance.ts", "../graph/perturb.ts"],
  ["src/base/philox.test.ts", "../testing/matchers.ts"],
  ["src/base/philox.test.ts", "../graph/graph.ts"],
])("%s may import %s", async (file, target) => {
  expect(await broken(file, `import "${target}";\n`)).toEqual([]);
});

test("a file that imports what imports it is an import cycle", async () => {
  const code = 'import { philox } from "./philox.ts";\nexport const first = philox(0, 0).uniform();\n';
  expect(await broken("src/base/tensor.ts", code)).toEqual(["import-x/no-cycle"]);
});

test.each(["node:fs", "fs/promises", "path", "node:test"])(
  "the portable folders may not import %s",
  async (name) => {
    expect(await broken("src/graph/graph.ts", `import "${name}";\n`)).toEqual([IMPORT]);
    expect(await broken("src/base/philox.test.ts", `import "${name}";\n`)).toEqual([]);
  },
);

test.each(["Buffer.alloc(1)", "process.cwd()", "globalThis.process.cwd()", "setImmediate(() => 0)"])(
  "the portable folders may not use %s",
  async (expression) => {
    const code = `export const value: unknown = ${expression};\n`;
    for (const folder of ["base/errors", "graph/graph", "diffusion/denoiser", "guidance/guidance"]) {
      expect(await broken(`src/${folder}.ts`, code)).toEqual([GLOBAL]);
    }
    expect(await broken("src/runtime/runtime.ts", code)).toEqual([]);
  },
);

test("a local name may be that of a global", async () => {
  const code = "export const twice = (process: number, location: number): number => process + location;\n";
  expect(await broken("src/graph/graph.ts", code)).toEqual([]);
});

test("only the two backends import ONNX Runtime", async () => {
  const code = 'import "onnxruntime-node";\n';
  expect(await broken("src/runtime/runtime.ts", code)).toEqual([IMPORT]);
  expect(await broken("src/graph/graph.ts", code)).toEqual([IMPORT]);
  expect(await broken("src/base/philox.test.ts", code)).toEqual([IMPORT]);
  expect(await broken("src/runtime/node.ts", code)).toEqual([]);
});

test("types are known to the rules", async () => {
  const file = "src/base/errors.ts";
  const later = "const later = async (): Promise<number> => 1;\n";
  expect(await broken(file, `${later}export function run(): void {\n  later();\n}\n`)).toEqual([
    "@typescript-eslint/no-floating-promises",
  ]);
  const kinds =
    'export function size(kind: "a" | "b"): number {\n  switch (kind) {\n    case "a":\n      return 1;\n';
  expect(await broken(file, `${kinds}  }\n  return 0;\n}\n`)).toEqual([
    "@typescript-eslint/switch-exhaustiveness-check",
  ]);
  expect(await broken(file, `${kinds}    case "b":\n      return 2;\n  }\n}\n`)).toEqual([]);
});

test("any and value imports of types are refused", async () => {
  expect(await broken("src/base/errors.ts", "export const anything = (x: any): unknown => x;\n")).toEqual([
    "@typescript-eslint/no-explicit-any",
  ]);
  const code =
    'import { Graph } from "./graph.ts";\nexport const name = (graph: Graph): string => graph.name;\n';
  expect(await broken("src/graph/perturb.ts", code)).toEqual(["@typescript-eslint/consistent-type-imports"]);
});

test("a numeric loop over typed arrays is fine as it is", async () => {
  const code = `export function axpy(a: number, x: Float32Array, y: Float32Array): Float32Array {
  const out = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) out[i] = a * x[i] + y[i];
  out[0] |= 0;
  return out;
}
`;
  expect(await broken("src/diffusion/denoiser.ts", code)).toEqual([]);
});
