import { builtinModules } from "node:module";
import eslint from "@eslint/js";
import { createTypeScriptImportResolver } from "eslint-import-resolver-typescript";
import importX from "eslint-plugin-import-x";
import tseslint from "typescript-eslint";

/** The folders of src/, lowest first. A folder imports from itself and from those before it. */
const LAYERS = [
  "base",
  "graph",
  "files",
  "runtime",
  "diffusion",
  "guidance",
  "networks",
  "data",
  "training",
  "models",
  "metrics",
  "report",
  "compare",
  "index.ts",
  "cli",
];

/** Folders that run anywhere: no names of Node or of the browser. */
const PORTABLE = ["base", "graph", "diffusion", "guidance", "networks", "metrics"];

/** Siblings that the order of layers alone would let import one another. */
const STRANGERS = [
  { target: "./src/guidance", from: "./src/diffusion/samplers" },
  { target: "./src/metrics", from: ["./src/diffusion/samplers", "./src/guidance"] },
];

const TESTS = ["src/**/*.test.ts", "src/**/*.cases.ts", "src/testing/**", "tests/**"];

const OUTSIDE = ["./src/testing", "./tests", "./bench", "./examples", "./scripts"];

/** Each layer, and everything above it, which it must not import. */
const zones = LAYERS.map((layer, height) => ({
  target: `./src/${layer}`,
  from: [...LAYERS.slice(height + 1).map((above) => `./src/${above}`), ...OUTSIDE],
  message: `Imports point down the list in eslint.config.js; ${layer} stands below this.`,
}));

const RUNTIME_IMPORTS = {
  regex: "^onnxruntime-",
  message: "Only src/runtime/node.ts and src/runtime/web.ts import ONNX Runtime; use the Runtime interface.",
};

const NODE_IMPORTS = {
  regex: `^(node:.*|(${builtinModules.filter((name) => !name.startsWith("_")).join("|")})(/.*)?)$`,
  message: "This folder runs anywhere; take what you need from Node as an argument.",
};

const PLATFORM_NAMES = [
  // Node
  ...[
    "Buffer",
    "__dirname",
    "__filename",
    "clearImmediate",
    "exports",
    "global",
    "module",
    "process",
    "require",
  ],
  "setImmediate",
  // Browser
  ...[
    "Blob",
    "File",
    "FileReader",
    "HTMLElement",
    "Image",
    "ImageData",
    "OffscreenCanvas",
    "Worker",
    "WebSocket",
  ],
  ...[
    "XMLHttpRequest",
    "alert",
    "caches",
    "document",
    "fetch",
    "history",
    "indexedDB",
    "localStorage",
    "location",
  ],
  ...["navigator", "postMessage", "requestAnimationFrame", "self", "sessionStorage", "window"],
];

const files = (folder) => (folder.endsWith(".ts") ? `src/${folder}` : `src/${folder}/**/*.ts`);

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "runs/", "src/graph/proto/", "fairlead-*/"] },
  eslint.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    plugins: { "import-x": importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      "import-x/extensions": [".ts"],
      "import-x/parsers": { "@typescript-eslint/parser": [".ts"] },
      "import-x/resolver-next": [createTypeScriptImportResolver({ project: "tsconfig.json" })],
    },
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      // File formats are full of control characters.
      "no-control-regex": "off",
      "import-x/no-cycle": ["error", { ignoreExternal: true }],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports" }],
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        // A switch names every case, or says by `default` what happens to the others.
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],

      // Borders parse JSON and check it with zod before anything is believed; these would only repeat that.
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      // Factories return objects whose methods do not use `this`, so taking one out is safe.
      "@typescript-eslint/unbound-method": "off",
      // An implementation of an asynchronous interface may have nothing to wait for.
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    files: ["src/**/*.ts"],
    rules: {
      "no-console": "error",
      "no-restricted-imports": ["error", { patterns: [RUNTIME_IMPORTS] }],
      "import-x/no-restricted-paths": [
        "error",
        { basePath: import.meta.dirname, zones: [...zones, ...STRANGERS] },
      ],
    },
  },
  {
    files: PORTABLE.map(files),
    rules: {
      "no-restricted-globals": ["error", { globals: PLATFORM_NAMES, checkGlobalObject: true }],
      "no-restricted-imports": ["error", { patterns: [RUNTIME_IMPORTS, NODE_IMPORTS] }],
    },
  },
  { files: ["src/runtime/node.ts", "src/runtime/web.ts"], rules: { "no-restricted-imports": "off" } },
  { files: ["src/cli/**/*.ts"], rules: { "no-console": "off" } },
  {
    files: TESTS,
    rules: {
      "no-restricted-globals": "off",
      "no-restricted-imports": ["error", { patterns: [RUNTIME_IMPORTS] }],
      "import-x/no-restricted-paths": "off",
    },
  },
  {
    files: ["**/*.{js,mjs}"],
    languageOptions: { globals: { console: "readonly", process: "readonly" } },
  },
);
