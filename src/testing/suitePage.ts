/** What tests run in a page of the browser. */
import { checkEqual, checkRejects } from "./checks.ts";
import { FairleadError } from "../base/errors.ts";
import { type Outcomes, runCases } from "../runtime/suite/all.cases.ts";
import { i, small, x } from "../runtime/suite/border.cases.ts";
import { webRuntime, type WebRuntimeOptions } from "../runtime/web.ts";
import { noises } from "./noises.ts";

export interface PageReport {
  readonly name: string;
  readonly outcomes: Outcomes;
}

const page = {
  /** The runtimes' suite. */
  async suite(device: "wasm" | "webgpu"): Promise<PageReport> {
    await using runtime = await webRuntime({ device });
    const outcomes = await runCases(runtime, device === "wasm" ? "wasm" : "web-webgpu");
    return { name: runtime.name, outcomes };
  },

  /** The name of a runtime, or why there is none. */
  async nameOf(options: WebRuntimeOptions): Promise<string> {
    return webRuntime(options).then(
      ({ name }) => name,
      (error: Error) => `${error.name}: ${error.message}`,
    );
  },

  /** Unit normals of every generator, and of a Brownian path: what samples start from, and what their steps add. */
  noises,

  /** Loses the graphics device while a program is open and running; a new runtime then works. */
  async loseDevice(): Promise<void> {
    const lose = captureDevice();
    const runtime = await webRuntime({ device: "webgpu" });
    const program = await runtime.compile(small);
    await program.run({ x, i });
    const running = program.run({ x, i });
    lose();
    const lost =
      /^running "small" failed: the graphics device was lost .*: dispose of the runtime and open it again$/;
    await checkRejects(running, FairleadError, lost);
    await checkRejects(program.run({ x, i }), FairleadError, lost);
    await checkRejects(
      runtime.compile(small),
      FairleadError,
      /^ONNX Runtime refused the graph "small": the graphics device was lost/,
    );
    await runtime.dispose();

    await using again = await webRuntime({ device: "webgpu" });
    await using reopened = await again.compile(small);
    const { z } = await reopened.run({ x, i });
    checkEqual(z.data, BigInt64Array.of(11n, 21n, 31n));
  },
};

/** A function that destroys the device that the page opens next. */
function captureDevice(): () => void {
  let device: { destroy(): void } | undefined;
  const { GPUAdapter } = globalThis as unknown as {
    GPUAdapter: { prototype: { requestDevice(wanted: object): Promise<{ destroy(): void }> } };
  };
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (wanted) {
    device = await requestDevice.call(this, wanted);
    return device;
  };
  return () => device?.destroy();
}

export type Page = typeof page;
(globalThis as { fairlead?: Page }).fairlead = page;
