import { openRuntime, type RuntimeRequest } from "../runtime/openRuntime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Io } from "./io.ts";

/** Runs `work` with the runtime that was asked for, says what "auto" chose, and ends the runtime's threads afterwards. */
export async function withRuntime<T>(
  io: Io,
  request: RuntimeRequest & { readonly quiet?: boolean },
  work: (runtime: Runtime) => Promise<T>,
): Promise<T> {
  await using runtime = await openRuntime(request);
  if (request.device === "auto" && !request.quiet) io.stderr.write(`Running on ${runtime.name}.\n`);
  return await work(runtime);
}
