/** Whole networks against the host's own evaluation in float64. */
import { philox, seededNoise } from "../../base/philox.ts";
import { sizeOf } from "../../base/tensor.ts";
import { edm } from "../../diffusion/preconditioning.ts";
import { trace } from "../../graph/builder.ts";
import { interpret } from "../../graph/interpret.ts";
import { conv2d } from "../../graph/ops/conv.ts";
import { mul, silu } from "../../graph/ops/elementwise.ts";
import { softmax } from "../../graph/ops/normalise.ts";
import { reshape } from "../../graph/ops/reshape.ts";
import { differentiate } from "../../graph/transform.ts";
import { networkLayout } from "../../networks/network.ts";
import { networkDenoiser } from "../../networks/networkDenoiser.ts";
import { initialise } from "../../networks/parameters.ts";
import type { UnetConfig } from "../../networks/unet.ts";
import { checkClose, checkEqual } from "../../testing/checks.ts";
import type { RuntimeCase } from "./runtimeCase.cases.ts";
import type { Runtime, RuntimeTensor } from "../runtime.ts";
import { withProgram } from "./border.cases.ts";

/** Runs graphs by their rules' own `evaluate`. */
const host: Runtime = {
  device: "cpu",
  name: "host",
  lanes: 1,
  compile: (graph) =>
    Promise.resolve({
      run: (feeds) => Promise.resolve(interpret(graph, feeds) as unknown as Record<string, RuntimeTensor>),
      dispose: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
  dispose: () => Promise.resolve(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

const config: UnetConfig = {
  ...{ kind: "unet", size: 8, channels: 1, patch: 1, features: [8], blocks: 1, attention: [true] },
  ...{ headChannels: 8, groups: 4, embedding: 16, classes: 3, modulate: true },
};

export const networkCases: readonly RuntimeCase[] = [
  {
    name: "a convolutional network and its gradients give the host's numbers",
    check: (runtime) => {
      const shapes = { x: [2, 3, 8, 8], w: [4, 3, 3, 3] };
      const forward = trace({ x: { shape: shapes.x }, w: { shape: shapes.w } }, ({ x, w }) => {
        const h = reshape(silu(conv2d(x, w, { padding: 1 })), [8, 64]);
        return { y: mul(softmax(h), h) };
      });
      const graph = differentiate(forward, "y", ["x", "w"]);
      const feeds = Object.fromEntries(
        Object.entries(shapes).map(([name, shape], at) => {
          const data = new Float32Array(sizeOf(shape));
          philox(0, at).fillNormal(data);
          return [name, { data, shape }];
        }),
      );
      return withProgram(runtime, graph, async (program) => {
        const got = await program.run(feeds);
        for (const [name, { data, shape }] of Object.entries(interpret(graph, feeds))) {
          checkEqual(got[name].shape, shape, name);
          checkClose(got[name].data, data, { abs: 1e-5, rel: 1e-5 }, name);
        }
      });
    },
  },
  {
    name: "a UNet with CFG's and PAG's branches in one graph gives the host's numbers",
    check: async (runtime) => {
      const layout = networkLayout(config);
      const noise = philox(0, 1);
      const parameters = initialise(layout, philox(0, 0)).map((value) => value + 0.1 * noise.normal());
      const x = seededNoise([1, 2], 0, [2, 1, 8, 8]);
      const denoise = async (on: Runtime) => {
        const denoiser = networkDenoiser(on, {
          network: config,
          parameters,
          preconditioning: edm(),
        });
        const results = await denoiser.denoise(x, 0.7, [
          { condition: [0, 2] },
          { condition: null },
          { condition: [0, 2], perturbation: { kind: "identity", layers: ["mid"] } },
        ]);
        await denoiser.dispose();
        return results;
      };
      const [got, want] = [await denoise(runtime), await denoise(host)];
      want.forEach((branch, at) => {
        checkEqual(got[at].shape, branch.shape);
        checkClose(got[at].data, branch.data, { abs: 2e-5, rel: 1e-4 }, `branch ${at}`);
      });
    },
  },
];
