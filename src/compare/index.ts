export type {
  CardRow,
  Comparison,
  MatchBy,
  Matched,
  Matching,
  MethodResult,
  ModelComparison,
} from "./comparison.ts";
export { type CompareOptions, compareModel } from "./compareModel.ts";
export { comparisonPage } from "./page.ts";
export { cardTable, methodTable } from "./tables.ts";
export { comparisonJson, writeComparison } from "./writeComparison.ts";
