import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** Where Chromium is, or why there is none. */
export type Found = { readonly path: string } | { readonly missing: string };

const usual = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/**
 * Chromium, for tests in a page and for its software driver of WebGPU: $FAIRLEAD_CHROMIUM, or where Debian puts it; root of a
 * Debian without it gets it from apt-get. FAIRLEAD_CHROMIUM=none goes without.
 */
export function findChromium(): Found {
  const wanted = process.env.FAIRLEAD_CHROMIUM;
  if (wanted === "none") return { missing: "FAIRLEAD_CHROMIUM=none" };
  if (wanted) return existsSync(wanted) ? { path: wanted } : { missing: `FAIRLEAD_CHROMIUM: no ${wanted}` };
  const found = usual.find((path) => existsSync(path)) ?? install();
  return found ? { path: found } : { missing: "no Chromium: install it, or name it in FAIRLEAD_CHROMIUM" };
}

function install(): string | null {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return null;
  const apt = (...words: string[]) =>
    execFileSync("apt-get", ["-q", "-y", "-o", "DPkg::Lock::Timeout=300", ...words], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: "ignore",
      timeout: 600_000,
    });
  try {
    apt("update");
    apt("install", "--no-install-recommends", "chromium");
  } catch {
    return null;
  }
  return usual.find((path) => existsSync(path)) ?? null;
}

/** What a process needs in its environment for WebGPU to run on Chromium's SwiftShader; null where that is not beside it. */
export function swiftShader(chromium: Found): Record<string, string> | null {
  const folders = "path" in chromium ? ["/usr/lib/chromium", dirname(chromium.path)] : [];
  const driver = folders
    .map((folder) => join(folder, "vk_swiftshader_icd.json"))
    .find((path) => existsSync(path));
  return driver ? { VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: dirname(driver) } : null;
}
