/**
 * Completes package-lock.json after a dependency change: `node scripts/completeLock.mjs`.
 *
 * A lock file lists the optional binaries of every platform. npm writes only those that the registry in use carries, and
 * where that registry is a partial mirror, `npm ci` then refuses the file ("Missing: ... from lock file"). This adds
 * the missing ones by name, version and platform, without an integrity value, so that `npm ci` works with either.
 */
import { readFileSync, writeFileSync } from "node:fs";

const SYSTEMS = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
];
const PROCESSORS = {
  aarch64: "arm64",
  arm: "arm",
  arm64: "arm64",
  armv7: "arm",
  ia32: "ia32",
  loong64: "loong64",
  mips64el: "mips64el",
  ppc64: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
  wasm32: "wasm32",
  x64: "x64",
};

/** The platform that a package name such as `@rollup/rollup-linux-x64-musl` ends in, as lock-file fields. */
function platform(name) {
  const words = name.split(/[/-]/);
  const os = words.filter((word) => SYSTEMS.includes(word));
  const cpu = words.filter((word) => word in PROCESSORS).map((word) => PROCESSORS[word]);
  const libc = words.flatMap((word) => (/^gnu/.test(word) ? ["glibc"] : /^musl/.test(word) ? ["musl"] : []));
  return {
    ...(os.length > 0 && { os }),
    ...(cpu.length > 0 && { cpu }),
    ...(os[0] === "linux" && libc.length > 0 && { libc }),
  };
}

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const known = new Set(Object.keys(lock.packages));
const added = [];
for (const [path, entry] of Object.entries({ ...lock.packages })) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = `${path}/node_modules/${name}`;
    if (known.has(`node_modules/${name}`) || known.has(nested) || !/^\d/.test(version)) continue;
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(entry.dev && { dev: true }),
      optional: true,
      ...platform(name),
    };
    added.push(`${name}@${version}`);
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
writeFileSync(
  "package-lock.json",
  `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`,
);
console.log(
  added.length === 0 ? "package-lock.json is complete." : `Added ${added.length}: ${added.join(", ")}`,
);
