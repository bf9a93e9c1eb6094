import { join } from "node:path";
import type { Plugin } from "vite";
import { type TestCase, type TestModule, type TestSpecification, createVitest } from "vitest/node";
import type { Fault } from "./fault.ts";

/** The first test that failed, and what each file took. */
export interface Verdict {
  /** null: none failed. */
  readonly killer: string | null;
  readonly durations: ReadonlyMap<string, number>;
}

export interface FaultyTests {
  /**
   * Runs the tests of these files, in this order, until one fails, with the fault in the code that they load (null: none). Throws where
   * they do not load it.
   */
  run(fault: Fault | null, files: readonly string[]): Promise<Verdict>;
  close(): Promise<void>;
}

/** Tests of code that has a fault as it is loaded: no file is written. */
export async function faultyTests(root: string): Promise<FaultyTests> {
  let present: Fault | null = null;
  let wasLoaded = false;
  const plugin: Plugin = {
    name: "fault",
    enforce: "pre",
    transform(code, id) {
      if (present === null || id.split("?")[0] !== join(root, present.file)) return undefined;
      wasLoaded = true;
      return { code: code.replace(present.find, () => present!.replace), map: null };
    },
  };
  const vitest = await createVitest(
    "test",
    {
      root,
      watch: false,
      bail: 1,
      cache: false,
      reporters: [{}],
      pool: "threads",
      poolOptions: { threads: { minThreads: 1, maxThreads: 1 } },
      sequence: { sequencer: InGivenOrder },
    },
    { plugins: [plugin] },
  );
  const project = vitest.getRootProject();

  /** Forgets the code that was loaded from a file. */
  function forget(file: string): void {
    const { moduleGraph } = project.vite;
    for (const module of moduleGraph.getModulesByFile(join(root, file)) ?? [])
      moduleGraph.invalidateModule(module);
  }

  const nameOf = (module: TestModule): string => module.moduleId.slice(root.length + 1);

  function killerOf(module: TestModule): string | null {
    const [failed] = [...module.children.allTests("failed")] as TestCase[];
    if (failed) return `${nameOf(module)}: ${failed.fullName}`;
    return module.errors().length > 0 ? `${nameOf(module)} (does not load)` : null;
  }

  return {
    async run(fault, files) {
      [present, wasLoaded] = [fault, false];
      if (fault) forget(fault.file);
      const specifications = files.map((file) => project.createSpecification(join(root, file)));
      const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications);
      if (fault) forget(fault.file);
      if (fault && !wasLoaded) throw new Error(`no test loads ${fault.file}`);
      return {
        killer:
          testModules.map(killerOf).find((killer) => killer !== null) ??
          (unhandledErrors.length > 0 ? "an error that no test expects" : null),
        durations: new Map(testModules.map((module) => [nameOf(module), module.diagnostic().duration])),
      };
    },
    close: () => vitest.close(),
  };
}

/** A sequencer that changes nothing. */
class InGivenOrder {
  shard(files: TestSpecification[]): TestSpecification[] {
    return files;
  }
  sort(files: TestSpecification[]): TestSpecification[] {
    return files;
  }
}
