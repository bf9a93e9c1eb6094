export { Builder, trace } from "./builder.ts";
export { gradients } from "./gradients.ts";
export type { Attribute, Constant, DataType, Dim, Graph, NamedType, Node, TensorType } from "./graph.ts";
export { readOnnx, writeOnnx } from "./onnx.ts";
export type { LayerSelection, Perturbation } from "./perturb.ts";
export type { Call, Operand, Value } from "./value.ts";
export * from "./ops/index.ts";
