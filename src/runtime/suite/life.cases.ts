/** Programs side by side, and their end. */
import { FairleadError } from "../../base/errors.ts";
import { trace } from "../../graph/builder.ts";
import { add } from "../../graph/ops/elementwise.ts";
import { checkEqual, checkRejects } from "../../testing/checks.ts";
import type { RuntimeCase } from "./runtimeCase.cases.ts";
import { i, small, x } from "./border.cases.ts";

export const lifeCases: readonly RuntimeCase[] = [
  {
    name: "compiles and runs several programs at once without mixing them",
    check: async (runtime) => {
      const added = [1, 2, 3, 4];
      const programs = await Promise.all(
        added.map((n) =>
          runtime.compile(trace({ x: { shape: [2, 3] } }, ({ x }) => ({ y: add(x, x.builder.literal(n)) }))),
        ),
      );
      const rounds = [0, 1, 2].flatMap((round) => programs.map((program, at) => ({ round, program, at })));
      await Promise.all(
        rounds.map(async ({ round, program, at }) => {
          const data = (x.data as Float32Array).map((value) => value + 10 * round);
          const { y } = await program.run({ x: { data, shape: [2, 3] } });
          checkEqual(
            y.data,
            data.map((value) => value + added[at]),
            `program ${at}, round ${round}`,
          );
        }),
      );
      await Promise.all(programs.map((program) => program.dispose()));
    },
  },
  {
    name: "lets runs in progress end before a program is disposed of",
    check: async (runtime) => {
      const program = await runtime.compile(small);
      const running = [program.run({ x, i }), program.run({ x, i }), program.run({ x, i })];
      await program.dispose();
      for (const { z } of await Promise.all(running)) checkEqual(z.data, BigInt64Array.of(11n, 21n, 31n));
    },
  },
  {
    name: "is over once disposed of, and may be disposed of twice",
    check: async (runtime) => {
      const program = await runtime.compile(small);
      await Promise.all([program.dispose(), program.dispose()]);
      await program.dispose();
      await checkRejects(
        program.run({ x, i }),
        FairleadError,
        /^running "small" failed: the program was disposed of$/,
      );
    },
  },
];
