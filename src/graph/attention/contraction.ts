import { floatOf, intOf, stringOf } from "../attributes.ts";
import type { Node } from "../graph.ts";

/**
 * Axes are counted from the end (-1 is the last), so that they are known without the rank. Those of a MatMul are its
 * last two; of an Einsum, what its equation says.
 */
export interface ScoresProduct {
  readonly node: Node;
  /** Which of the node's inputs are the queries and the keys. */
  readonly queryInput: number;
  readonly keyInput: number;
  /** The axis of the queries' operand that counts tokens. */
  readonly queryTokens: number;
  /** The axis of the queries' operand that counts the numbers of a head. */
  readonly queryChannels: number;
  readonly keyTokens: number;
}

export interface ContextProduct {
  readonly node: Node;
  readonly mapInput: number;
  readonly valueInput: number;
  /** Axes of the values, and of the result, that count tokens. */
  readonly valueTokens: number;
  readonly contextTokens: number;
  /** The axis of the result that counts heads, where the map has rank 4. */
  readonly contextHeads: number;
  /** Order of the values' axes in the result of an Einsum: what its product with the identity does. null: a MatMul. */
  readonly order: readonly number[] | null;
}

/** The product of queries and keys that a node is: [..., queries, keys]; null for any other node. */
export function scoresProduct(node: Node): ScoresProduct | null {
  const fused = fusedMatMul(node);
  if (fused) {
    if (fused.transA || fused.batchA) return null;
    const keyTokens = fused.transB ? -2 : -1;
    return { node, queryInput: 0, keyInput: 1, queryTokens: -2, queryChannels: -1, keyTokens };
  }
  if (node.domain !== "") return null;
  if (node.op === "MatMul") {
    return { node, queryInput: 0, keyInput: 1, queryTokens: -2, queryChannels: -1, keyTokens: -1 };
  }
  if (node.op === "Gemm") {
    const [a, b] = [intOf(node, "transA", 0), intOf(node, "transB", 0)];
    if (a === 1) return null;
    const keyTokens = b === 1 ? -2 : -1;
    return { node, queryInput: 0, keyInput: 1, queryTokens: -2, queryChannels: -1, keyTokens };
  }
  const terms = node.op === "Einsum" ? equationOf(node) : null;
  if (!terms) return null;
  const { inputs, output } = terms;
  const [query, key] = [output.at(-2), output.at(-1)];
  if (query === undefined || key === undefined) return null;
  const keyInput = inputs.findIndex((term) => term.includes(key) && !term.includes(query));
  const queryInput = inputs.findIndex((term) => term.includes(query) && !term.includes(key));
  if (keyInput < 0 || queryInput < 0) return null;
  const [q, k] = [inputs[queryInput], inputs[keyInput]];
  const summed = q.filter((label) => k.includes(label) && !output.includes(label));
  if (summed.length !== 1) return null;
  return {
    node,
    queryInput,
    keyInput,
    queryTokens: fromEnd(q, query),
    queryChannels: fromEnd(q, summed[0]),
    keyTokens: fromEnd(k, key),
  };
}

/**
 * The product of a map with the values that a node is, `mapInput` being the map; null for any other node.
 * `transposed`: the map comes as [..., keys, queries].
 */
export function contextProduct(node: Node, mapInput: number, transposed: boolean): ContextProduct | null {
  const fused = fusedMatMul(node);
  if (mapInput > 1 || (fused ? !fused.plain : node.domain !== "")) return null;
  const valueInput = 1 - mapInput;
  if (fused || node.op === "MatMul" || (node.op === "Gemm" && plainGemm(node))) {
    if (transposed !== (mapInput === 1)) return null;
    const tokens = mapInput === 0 ? -2 : -1;
    const shared = { node, mapInput, valueInput, order: null, contextHeads: -3 };
    return { ...shared, valueTokens: tokens, contextTokens: tokens };
  }
  const terms = node.op === "Einsum" ? equationOf(node) : null;
  if (!terms) return null;
  const { inputs, output } = terms;
  const [map, values] = [inputs[mapInput], inputs[valueInput]];
  const [query, key] = transposed ? [map.at(-1), map.at(-2)] : [map.at(-2), map.at(-1)];
  if (query === undefined || key === undefined) return null;
  if (output.includes(key) || !values.includes(key) || values.includes(query) || !output.includes(query)) {
    return null;
  }
  const renamed = values.map((label) => (label === key ? query : label));
  const order = output.map((label) => renamed.indexOf(label));
  if (order.includes(-1) || renamed.length !== output.length) return null;
  const heads = map.at(-3);
  return {
    node,
    mapInput,
    valueInput,
    valueTokens: fromEnd(values, key),
    contextTokens: fromEnd(output, query),
    contextHeads: heads === undefined ? -3 : fromEnd(output, heads),
    order,
  };
}

/** What ONNX Runtime's product with transposes and a factor does with its operands; null for other nodes. */
function fusedMatMul(
  node: Node,
): { transA: boolean; transB: boolean; batchA: boolean; plain: boolean } | null {
  if (node.op !== "FusedMatMul" || node.domain !== "com.microsoft") return null;
  const is = (name: string): boolean => intOf(node, name, 0) === 1;
  const [transA, transB, batchA] = [is("transA"), is("transB"), is("transBatchA")];
  const plain = !(transA || transB || batchA || is("transBatchB")) && floatOf(node, "alpha", 1) === 1;
  return { transA, transB, batchA, plain };
}

function plainGemm(node: Node): boolean {
  return intOf(node, "transA", 0) === 0 && intOf(node, "transB", 0) === 0 && node.inputs.length < 3;
}

/** Labels of the two operands and of the result; null for equations of another form. */
function equationOf(node: Node): { inputs: string[][]; output: string[] } | null {
  const equation = stringOf(node, "equation", "").replace(/\s+/g, "");
  const match = /^((?:\.\.\.)?[a-zA-Z]+),((?:\.\.\.)?[a-zA-Z]+)->((?:\.\.\.)?[a-zA-Z]+)$/.exec(equation);
  if (!match) return null;
  const [first, second, output] = match.slice(1).map((term) => [...term.replace("...", "")]);
  const distinct = [first, second, output].every((term) => new Set(term).size === term.length);
  return distinct ? { inputs: [first, second], output } : null;
}

function fromEnd(term: readonly string[], label: string): number {
  return term.indexOf(label) - term.length;
}
