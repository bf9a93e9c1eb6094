import { FairleadError } from "../base/errors.ts";
import type { Graph } from "../graph/graph.ts";
import { checkBorder } from "./checkTensor.ts";
import type { Program } from "./runtime.ts";

/** The programs of a runtime that are still open, so that it can dispose of them. */
export interface OpenPrograms {
  /** What `make` compiles the graph to, held until `onDispose` is called. Throws once the runtime was disposed of. */
  compile(graph: Graph, make: (onDispose: (program: Program) => void) => Promise<Program>): Promise<Program>;
  dispose(): Promise<void>;
}

export function openPrograms(): OpenPrograms {
  const open = new Set<Program>();
  let over = false;
  const ended = (graph: Graph): FairleadError =>
    new FairleadError(`"${graph.name}" cannot be compiled: its runtime was disposed of`);
  return {
    async compile(graph, make) {
      if (over) throw ended(graph);
      checkBorder(graph);
      const program = await make((disposed) => open.delete(disposed));
      if (over) {
        await program.dispose();
        throw ended(graph);
      }
      open.add(program);
      return program;
    },
    async dispose() {
      over = true;
      await Promise.all([...open].map((program) => program.dispose()));
    },
  };
}
