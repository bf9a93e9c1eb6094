export {
  abs,
  add,
  cast,
  cos,
  div,
  equal,
  erf,
  exp,
  greater,
  less,
  log,
  mul,
  neg,
  pow,
  reciprocal,
  relu,
  sigmoid,
  silu,
  sign,
  sin,
  softplus,
  sqrt,
  square,
  sub,
  tanh,
  where,
} from "./elementwise.ts";
export { conv2d } from "./conv.ts";
export { flip, gather, oneHot, pad, slice } from "./indexing.ts";
export { matmul } from "./linear.ts";
export { groupNorm, instanceNorm, logSoftmax, softmax } from "./normalise.ts";
export { reduceLogSumExp, reduceMax, reduceMean, reduceSum, reduceSumSquare, sumTo } from "./reduce.ts";
export { concat, expand, reshape, split, swapLast, transpose } from "./reshape.ts";
export { averagePool, globalAverage, upsample } from "./resample.ts";
