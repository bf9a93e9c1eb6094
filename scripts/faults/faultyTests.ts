import { join } from "node:path";
import type { Plugin } from "vite";
import { type TestCase, type TestSpecification, createVitest } from "vitest/node";
import type { Fault } from "./fault.ts";

/** What became of a fault. */
export interface Verdict {
  /** The first test that failed; null: none did. */
  readonly killer: string | null;
}

export interface FaultyTests {
  /** Runs the tests of these files, in this order, until one fails, with the fault in the code that they load. */
  run(fault: Fault | null, files: readonly string[]): Promise<Verdict>;
  close(): Promise<void>;
}

/** Tests of code that has a fault as it is loaded: no file is written. */
export async function faultyTests(root: string): Promise<FaultyTests> {
  let present: Fault | null = null;
  let applied = false;
  const plugin: Plugin = {
    name: "fault",
    enforce: "pre",
    transform(code, id) {
      if (present === null || id.split("?")[0] !== join(root, present.file)) return undefined;
      applied = true;
      return { code: code.replace(present.find, () => present!.replace), map: null };
    },
  };
  const vitest = await createVitest(
    "test",
    {
      root,
      watch: false,
      run: true,
      bail: 1,
      cache: false,
      reporters: [{}],
      pool: "threads",
      poolOptions: { threads: { minThreads: 1, maxThreads: 1 } },
      sequence: { sequencer: Unsorted },
      passWithNoTests: true,
      onConsoleLog: () => false,
    },
    { plugins: [plugin] },
  );
  const project = vitest.getRootProject();

  function reload(file: string): void {
    const { moduleGraph } = project.vite;
    for (const module of moduleGraph.getModulesByFile(join(root, file)) ?? []) moduleGraph.invalidateModule(module);
  }

  return {
    async run(fault, files) {
      [present, applied] = [fault, false];
      if (fault) reload(fault.file);
      const specifications = files.map((file) => project.createSpecification(join(root, file)));
      const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications);
      if (fault) reload(fault.file);
      if (fault && !applied) throw new Error(`no test loads ${fault.file}`);
      for (const module of testModules) {
        const failed = [...module.children.allTests("failed")] as TestCase[];
        if (failed.length > 0) return { killer: `${module.moduleId.slice(root.length + 1)}: ${failed[0].fullName}` };
        if (module.errors().length > 0) return { killer: `${module.moduleId.slice(root.length + 1)} (does not load)` };
      }
      return { killer: unhandledErrors.length > 0 ? "an error that no test expects" : null };
    },
    close: () => vitest.close(),
  };
}

/** Files in the order in which they are given. */
class Unsorted {
  shard(files: TestSpecification[]): TestSpecification[] {
    return files;
  }
  sort(files: TestSpecification[]): TestSpecification[] {
    return files;
  }
}
