/** Traces a graph, differentiates it, and differentiates the result: derivatives are ordinary ONNX graphs. */
import { nodeRuntime } from "fairlead";
import { differentiate, mul, sin, square, trace } from "fairlead/graph";

// y = x^2 sin(x)
const graph = trace({ x: { shape: [5] } }, ({ x }) => ({ y: mul(square(x), sin(x)) }));
const first = differentiate(graph, "y", ["x"]);
const second = differentiate(first, "gradient/x", ["x"], { prefix: "second" });
console.log(`nodes: ${[graph, first, second].map(({ nodes }) => nodes.length).join(", ")}`);

const x = Float32Array.of(-2, -1, 0.5, 1, 2);
const program = await nodeRuntime().compile(second);
const result = await program.run({ x: { data: x, shape: [5] } });
await program.dispose();

const got = Array.from(result["second/x"].data as Float32Array);
const want = Array.from(x, (v) => (2 - v * v) * Math.sin(v) + 4 * v * Math.cos(v));
console.log("x      second derivative   by hand");
x.forEach((v, i) =>
  console.log(
    `${v.toFixed(1).padStart(4)}   ${got[i].toFixed(5).padStart(9)}           ${want[i].toFixed(5)}`,
  ),
);
