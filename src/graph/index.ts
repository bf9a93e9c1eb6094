export { Builder, trace } from "./builder.ts";
export { type Cost, type NodeCost, type OperatorCost, costOf } from "./cost.ts";
export { decompose, expandFused } from "./decompose.ts";
export { gradients } from "./gradients.ts";
export type {
  Attribute,
  Attributes,
  Constant,
  DataType,
  Dim,
  Graph,
  GraphFunction,
  NamedType,
  Node,
  Origin,
  SparseConstant,
  Subgraph,
  TensorType,
} from "./graph.ts";
export { type ReadOptions, readOnnx } from "./onnx/readOnnx.ts";
export { byteLengthOf } from "./dataTypes.ts";
export { bytesOfElements } from "./onnx/elements.ts";
export type { Place } from "./onnx/place.ts";
export type { ExternalFiles } from "./onnx/reading.ts";
export { type WriteOptions, writeOnnx } from "./onnx/writeOnnx.ts";
export { type AttentionLayer, attentionLayers } from "./attention.ts";
export {
  checkPerturbation,
  type Drawn,
  drawRandomInputs,
  type FixedMask,
  gatesInput,
  type LayerSelection,
  mapOutput,
  perturb,
  type Perturbation,
  perturbationKey,
  type PerturbationKind,
  perturbing,
  randomInput,
  selectLayers,
  withAttentionMaps,
} from "./perturb.ts";
export {
  type Embedding,
  type EmbeddingInputs,
  embeddingInputs,
  embeddingOf,
  withEmbeddingNoise,
} from "./perturb/embedding.ts";
export { inlineFunctions } from "./inlineFunctions.ts";
export { interpret, type InterpreterInput } from "./interpret.ts";
export { optimise, rewrites } from "./optimise/optimise.ts";
export type { Application, Rewrite } from "./optimise/rewrite.ts";
export { builderFor, declareInputs, type Intercept, replay } from "./replay.ts";
export { type GraphBranch, mergeBranches, type MergedBranches, type MergeOptions } from "./merge.ts";
export type { MergePlan } from "./mergePlan.ts";
export { bindShapes, differentiate, exposeInitializers, simplify } from "./transform.ts";
export type { Call, Operand, Value } from "./value.ts";
export * from "./ops/index.ts";
