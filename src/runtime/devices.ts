/** Where graphs run: the processor (natively, or by WebAssembly in a browser), or the graphics card. */
export type Device = "cpu" | "cuda" | "webgpu" | "wasm";

/** What a runtime in Node can be asked for. */
export const deviceChoices = ["auto", "cpu", "webgpu", "cuda"] as const;
export type DeviceChoice = (typeof deviceChoices)[number];
