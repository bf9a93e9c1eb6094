import { homedir } from "node:os";
import { join } from "node:path";

/** Where downloaded data is kept: the environment's FAIRLEAD_CACHE, or ~/.cache/fairlead. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.FAIRLEAD_CACHE || join(homedir(), ".cache", "fairlead");
}
