/**
 * A process of its own for src/runtime/node.test.ts: runs a small network on WebGPU and prints, as JSON, how far it is from
 * the host reference, or the error.
 */
import { philox } from "../base/philox.ts";
import { sizeOf } from "../base/tensor.ts";
import { trace } from "../graph/builder.ts";
import { differentiate } from "../graph/transform.ts";
import { interpret } from "../graph/interpret.ts";
import { conv2d } from "../graph/ops/conv.ts";
import { mul, silu } from "../graph/ops/elementwise.ts";
import { softmax } from "../graph/ops/normalise.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { nodeRuntime } from "../runtime/node.ts";

const shapes = { x: [2, 3, 8, 8], w: [4, 3, 3, 3] };
const forward = trace({ x: { shape: shapes.x }, w: { shape: shapes.w } }, ({ x, w }) => {
  const h = reshape(silu(conv2d(x, w, { padding: 1 })), [8, 64]);
  return { y: mul(softmax(h), h) };
});
const graph = differentiate(forward, "y", ["w"]);
const feeds = Object.fromEntries(
  Object.entries(shapes).map(([name, shape], i) => {
    const data = new Float32Array(sizeOf(shape));
    philox(0, i).fillNormal(data);
    return [name, { data, shape }];
  }),
);

const runtime = nodeRuntime({ device: "webgpu" });
try {
  const program = await runtime.compile(graph);
  const got = await program.run(feeds);
  await program.dispose();
  const want = interpret(graph, feeds);
  const worst = Math.max(
    ...Object.entries(want).flatMap(([name, { data }]) =>
      Array.from(data as Float64Array, (value, i) => Math.abs(value - Number(got[name].data[i]))),
    ),
  );
  process.stdout.write(JSON.stringify({ name: runtime.name, worst }));
} catch (error) {
  process.stdout.write(JSON.stringify({ name: runtime.name, error: (error as Error).message }));
}
