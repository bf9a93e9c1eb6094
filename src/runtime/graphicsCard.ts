import { readdirSync } from "node:fs";

/** Vulkan drivers that compute on the processor, as the Vulkan loader's list of patterns. */
const softwareDrivers = "*swiftshader*,*lvp*,*lavapipe*";

/** What is asked of the system; given by tests. */
export interface System {
  readonly platform: string;
  /** Names in a folder; none where it cannot be read. */
  list(folder: string): readonly string[];
}

const thisSystem: System = {
  platform: process.platform,
  list(folder) {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  },
};

/** Why there is no graphics card for WebGPU here; null where there may be one. */
export function noGraphicsCard({ platform, list }: System = thisSystem): string | null {
  if (platform !== "linux") return null;
  const found =
    list("/dev/dri").some((name) => name.startsWith("renderD")) ||
    list("/dev").some((name) => name === "nvidia0" || name === "dxg");
  return found ? null : "no graphics card: there is no /dev/dri/renderD*, /dev/nvidia0 or /dev/dxg";
}

/** Runs `work` with the Vulkan drivers out of sight that would compute on the processor. */
export async function withoutSoftwareDrivers<T>(work: () => Promise<T>): Promise<T> {
  const name = "VK_LOADER_DRIVERS_DISABLE";
  const before = process.env[name];
  process.env[name] = before === undefined ? softwareDrivers : `${before},${softwareDrivers}`;
  try {
    return await work();
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}
