/** Where graphs run: the processor (natively, or by WebAssembly in a browser), or the graphics card. */
export type Device = "cpu" | "cuda" | "webgpu" | "wasm";

/** What a runtime in Node can be asked for. */
export const deviceChoices = ["auto", "cpu", "webgpu", "cuda"] as const;
export type DeviceChoice = (typeof deviceChoices)[number];

/** "1 thread", "2 threads"; 0 is all that there are. */
export const threadsInWords = (threads: number): string =>
  `${threads === 0 ? "all" : threads} ${threads === 1 ? "thread" : "threads"}`;
