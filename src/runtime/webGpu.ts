import { FairleadError } from "../base/errors.ts";

/** The parts of the browser's WebGPU that are used here. */
interface GpuApi {
  requestAdapter(options: { readonly powerPreference: "high-performance" }): Promise<GpuAdapter | null>;
}

interface GpuAdapter {
  readonly features: ReadonlySet<string>;
  readonly limits: Readonly<Record<string, unknown>>;
  readonly info: {
    readonly vendor: string;
    readonly architecture: string;
    readonly isFallbackAdapter?: boolean;
  };
  requestDevice(wanted: object): Promise<GpuDevice>;
}

interface GpuDevice {
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
}

/** A device of the browser's graphics card. */
export interface Gpu {
  /** Vendor and architecture, as in "nvidia ampere". */
  readonly name: string;
  /** Whether the processor draws in place of a graphics card. */
  readonly software: boolean;
  readonly device: object;
  /** Why the device no longer works; null while it does. */
  lost(): Error | null;
  /** What `work` gives; rejects as soon as the device is lost. */
  untilLost<T>(work: Promise<T>): Promise<T>;
}

/** What ONNX Runtime's kernels use where an adapter has it. */
const usefulFeatures = ["shader-f16", "subgroups"];

/** One device serves all runtimes of a page, until it is lost. */
let current: Gpu | null = null;

/** The page's graphics card. Throws FairleadError saying what is missing. */
export async function openGpu(): Promise<Gpu> {
  if (current && !current.lost()) return current;
  const { navigator } = globalThis as { navigator?: { gpu?: GpuApi } };
  if (!navigator?.gpu) {
    throw new FairleadError(
      'WebGPU cannot be used here (navigator.gpu is missing): open the page over https or on localhost in a browser that has WebGPU, or use the device "wasm"',
    );
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new FairleadError(
      'WebGPU cannot be used here (the browser offers no adapter): use a machine whose graphics driver it accepts, or the device "wasm"',
    );
  }
  current = await openDevice(adapter);
  return current;
}

async function openDevice(adapter: GpuAdapter): Promise<Gpu> {
  const device = await adapter.requestDevice({
    requiredFeatures: usefulFeatures.filter((feature) => adapter.features.has(feature)),
    requiredLimits: limitsOf(adapter),
  });
  const { vendor, architecture, isFallbackAdapter = false } = adapter.info;
  let loss: Error | null = null;
  const lost = device.lost.then(({ reason, message }) => {
    loss = new Error(`device lost (${message || reason})`);
    throw loss;
  });
  lost.catch(() => undefined);
  return {
    name: [vendor, architecture].filter((word) => word !== "").join(" ") || "unnamed adapter",
    software: isFallbackAdapter || /swiftshader|llvmpipe/i.test(architecture),
    device,
    lost: () => loss,
    untilLost: (work) => Promise.race([work, lost]),
  };
}

/** All that the adapter can do; a device gets the least that any adapter has unless it asks for more. */
function limitsOf({ limits }: GpuAdapter): Record<string, number> {
  const all: Record<string, number> = {};
  // The limits are getters of the prototype.
  for (const name in limits) {
    const limit = limits[name];
    if (typeof limit === "number") all[name] = limit;
  }
  return all;
}
