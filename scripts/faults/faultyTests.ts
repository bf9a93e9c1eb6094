import { join } from "node:path";
import type { Plugin } from "vite";
import { type Reporter, type TestModule, type TestSpecification, createVitest } from "vitest/node";
import type { Fault } from "./fault.ts";

/** The first test that failed (null: none did), and how long each file took, in ms. */
export interface Verdict {
  readonly killer: string | null;
  readonly took: readonly (readonly [file: string, ms: number])[];
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
  let killer: string | null = null;
  let took: [string, number][] = [];
  const nameOf = (module: TestModule): string => module.moduleId.slice(root.length + 1);
  // Vitest's own results keep those of files that a run did not come to.
  const listener: Reporter = {
    onTestCaseResult(test) {
      if (test.result().state === "failed") killer ??= `${nameOf(test.module)}: ${test.fullName}`;
    },
    onTestModuleEnd(module) {
      took.push([nameOf(module), module.diagnostic().duration]);
      if (module.errors().length > 0) killer ??= `${nameOf(module)} (does not load)`;
    },
  };
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
      reporters: [listener],
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

  return {
    async run(fault, files) {
      [present, wasLoaded, killer, took] = [fault, false, null, []];
      if (fault) forget(fault.file);
      const specifications = files.map((file) => project.createSpecification(join(root, file)));
      const { unhandledErrors } = await vitest.runTestSpecifications(specifications);
      if (fault) forget(fault.file);
      if (fault && !wasLoaded) throw new Error(`no test loads ${fault.file}`);
      if (took.length === 0) throw new Error("the tests do not load with it");
      if (unhandledErrors.length > 0) killer ??= "an error that no test expects";
      return { killer, took };
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
