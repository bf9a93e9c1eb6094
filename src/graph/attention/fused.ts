import { intOf } from "../attributes.ts";
import type { Node } from "../graph.ts";
import type { Pattern } from "./pattern.ts";
import type { Shapes, Sizes } from "./sizes.ts";

/** Operators that do a whole attention: where their operands are, and which attribute tells heads and a causal mask. */
interface FusedForm {
  readonly query: number;
  readonly key: number;
  readonly value: number;
  readonly masks: readonly number[];
  readonly heads: string;
  readonly causal: string;
  /** Whether the projections of queries, keys and values are inside too, of the first input by the second. */
  readonly projects?: boolean;
}

const forms: ReadonlyMap<string, FusedForm> = new Map([
  ["Attention", { query: 0, key: 1, value: 2, masks: [3], heads: "q_num_heads", causal: "is_causal" }],
  [
    "com.microsoft::MultiHeadAttention",
    { query: 0, key: 1, value: 2, masks: [4, 5], heads: "num_heads", causal: "unidirectional" },
  ],
  [
    "com.microsoft::Attention",
    {
      query: 0,
      key: 0,
      value: 0,
      masks: [3, 5],
      heads: "num_heads",
      causal: "unidirectional",
      projects: true,
    },
  ],
  [
    "com.microsoft::GroupQueryAttention",
    { query: 0, key: 1, value: 2, masks: [], heads: "num_heads", causal: "causal" },
  ],
]);

function formOf({ op, domain }: Node): FusedForm | undefined {
  return forms.get(domain === "" ? op : `${domain}::${op}`);
}

/** The attention that one operator does; null for other operators. */
export function fusedPattern(node: Node): Pattern | null {
  const form = formOf(node);
  if (!form) return null;
  // Keys and values that are not given are packed with the queries.
  const given = (input: number): number => (node.inputs[input] ? input : form.query);
  const [key, value] = [given(form.key), given(form.value)];
  const tokens = { queryTokens: -2, queryChannels: -1, keyTokens: -2 };
  const result = { valueTokens: -2, contextTokens: -2, contextHeads: -3, order: null };
  return {
    fused: true,
    scores: { node, queryInput: form.query, keyInput: key, ...tokens },
    softmax: node,
    logits: "",
    context: { node, mapInput: form.query, valueInput: value, ...result },
    masked: intOf(node, form.causal, 0) === 1 || form.masks.some((input) => Boolean(node.inputs[input])),
  };
}

/** Whether a node projects its input to queries, keys and values itself. */
export function projectsItself(node: Node): boolean {
  return formOf(node)?.projects === true;
}

/** The numbers of an attention that one operator does; heads are known without shapes. */
export function fusedSizes({ scores }: Pattern, shapes: Shapes | null): Omit<Sizes, "image"> {
  const { node } = scores;
  const form = formOf(node)!;
  const query = shapes?.get(node.inputs[scores.queryInput]);
  const key = shapes?.get(node.inputs[scores.keyInput]);
  const named = intOf(node, form.heads, 0) || null;
  // [batch, tokens, heads * size], [batch, heads, tokens, size], or packed [batch, tokens, heads, 3, size].
  const tokensOf = (shape: readonly number[] | undefined): number | null =>
    shape?.[shape.length === 4 ? 2 : 1] ?? null;
  const heads = named ?? (query?.length === 4 ? query[1] : null);
  const width = form.projects ? (shapes?.get(node.inputs[1])?.[1] ?? NaN) / 3 : (query?.[2] ?? NaN);
  const headSize = query && query.length !== 3 ? query.at(-1)! : heads && width ? width / heads : null;
  return { heads, headSize, queries: tokensOf(query), keys: tokensOf(key) };
}
