import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { findChromium, swiftShader } from "../testing/findChromium.ts";
import { noGraphicsCard } from "./graphicsCard.ts";
import { openRuntime } from "./openRuntime.ts";

/** Opens a runtime in a process of its own. Its name, or why there is none. */
async function nameOf(
  device: string,
  environment: Record<string, string> = {},
  hide = false,
): Promise<string> {
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const script = `
    const { openRuntime } = await import(${module("./openRuntime.ts")});
    const { withoutSoftwareDrivers } = await import(${module("./graphicsCard.ts")});
    const open = () => openRuntime({ device: ${JSON.stringify(device)} });
    const name = await (${hide} ? withoutSoftwareDrivers(open) : open()).then(
      async (runtime) => { await runtime.dispose(); return runtime.name; },
      (error) => error.name + ": " + error.message);
    process.stdout.write(name);`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", script],
    { env: { ...process.env, ...environment } },
  );
  return stdout;
}

const nowhere = { VK_ICD_FILENAMES: "/nowhere.json", LD_LIBRARY_PATH: "/nowhere" };

describe("openRuntime", () => {
  test("is lanes on the CPU unless asked otherwise", async () => {
    await using runtime = await openRuntime({ threads: 2 });
    expect(runtime).toMatchObject({ device: "cpu", lanes: 2 });
    expect(runtime.name).toMatch(/^cpu \(onnxruntime-node [\d.]+, 2 threads\)$/);
  });

  test("says in one sentence what a device lacks here, and what to do", async () => {
    expect(await nameOf("webgpu", nowhere)).toMatch(
      /^FairleadError: WebGPU cannot be used here \(.*\): install a Vulkan driver, or use the device "cpu"$/,
    );
  });

  test.skipIf(process.platform === "linux" && noGraphicsCard() === null)(
    "has no CUDA without a card, and says how to get it",
    async () => {
      expect(await nameOf("cuda")).toMatch(
        /^FairleadError: CUDA cannot be used here \(.*\): on Linux x64 with an NVIDIA card, .*, or use the device "cpu"$/,
      );
    },
  );
});

describe("auto", () => {
  const driver = swiftShader(findChromium());

  test.skipIf(!driver || noGraphicsCard() === null)(
    "never takes a driver that computes on the processor, and says why it took the CPU",
    async () => {
      expect(await nameOf("webgpu", driver!)).toMatch(/^webgpu \(/);
      expect(await nameOf("auto", driver!)).toMatch(
        /^cpu \(.*\), chosen without CUDA \(.*\) and WebGPU \(no graphics card: there is no .*\)$/,
      );
    },
  );

  test.skipIf(!driver)("beside a graphics card, such a driver is out of sight", async () => {
    expect(await nameOf("webgpu", driver!, true)).toMatch(/^FairleadError: WebGPU cannot be used here/);
  });

  const system = (platform: string, folders: Record<string, string[]>) => ({
    platform,
    list: (folder: string) => folders[folder] ?? [],
  });

  test("looks for a graphics card on Linux, and tries elsewhere", () => {
    expect(noGraphicsCard(system("linux", { "/dev": ["null"], "/dev/dri": ["card0"] }))).toMatch(
      /^no graphics card/,
    );
    expect(noGraphicsCard(system("linux", { "/dev/dri": ["card0", "renderD128"] }))).toBeNull();
    expect(noGraphicsCard(system("linux", { "/dev": ["nvidia0"] }))).toBeNull();
    expect(noGraphicsCard(system("darwin", {}))).toBeNull();
  });
});
