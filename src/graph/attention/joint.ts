import { intOf } from "../attributes.ts";
import type { Node } from "../graph.ts";
import type { Wiring } from "./wiring.ts";

/** Tokens of an image among others, joined in one sequence. */
export interface Joint {
  /** The Concat that joins them. */
  readonly node: Node;
  /** Which of its inputs is the image's. */
  readonly imagePart: number;
}

const textual = /encoder|text|txt|context|prompt|caption/i;

/**
 * The inputs of a graph that each tensor is computed from without going through the result of an attention, which is what
 * mixes an image with its text: so the two streams of a joint network can be told apart.
 */
export class Streams {
  private readonly wiring: Wiring;
  private readonly sets = new Map<string, bigint>();
  private readonly image: bigint;
  private readonly text: bigint;
  private readonly sequences: bigint;

  constructor(wiring: Wiring, contexts: ReadonlySet<string>) {
    this.wiring = wiring;
    const { inputs, nodes } = wiring.graph;
    const bits = (wanted: (input: (typeof inputs)[number]) => boolean): bigint =>
      inputs.reduce((set, input, i) => (wanted(input) ? set | (1n << BigInt(i)) : set), 0n);
    this.image = bits(({ shape }) => shape.length >= 4);
    this.text = bits(({ name, shape }) => shape.length === 3 && textual.test(name));
    this.sequences = bits(({ shape }) => shape.length >= 3);
    inputs.forEach(({ name }, i) => this.sets.set(name, 1n << BigInt(i)));
    for (const node of nodes) {
      const set = node.inputs.reduce((all, name) => all | this.behind(name), 0n);
      for (const output of node.outputs) this.sets.set(output, contexts.has(output) ? 0n : set);
    }
  }

  /**
   * Which of joined tensors is the image's: the one that comes from an input of rank 4 or more; else the one that does not
   * come from an input called as text. null where neither tells.
   */
  imagePart(parts: readonly string[]): number | null {
    const sets = parts.map((part) => this.behind(part));
    if (sets.some((set) => (set & this.sequences) === 0n)) return null;
    for (const is of [
      sets.map((set) => (set & this.image) !== 0n),
      sets.map((set) => (set & this.text) === 0n),
    ]) {
      if (is.filter(Boolean).length === 1) return is.indexOf(true);
    }
    return null;
  }

  /** Where a sequence was joined from an image's tokens and others before it came to be `source`; null where it was not. */
  jointBehind(source: string): Joint | null {
    const seen = new Set<string>();
    const open = [source];
    for (let i = 0; i < open.length; i++) {
      const name = open[i];
      if (seen.has(name) || this.behind(name) === 0n) continue;
      seen.add(name);
      const node = this.wiring.producer(name);
      if (!node) continue;
      if (node.op === "Concat" && [1, -2].includes(intOf(node, "axis", 0))) {
        const imagePart = this.imagePart(node.inputs);
        if (imagePart !== null) return { node, imagePart };
      }
      open.push(...node.inputs);
    }
    return null;
  }

  private behind(value: string): bigint {
    return this.wiring.varies(value) ? (this.sets.get(value) ?? 0n) : 0n;
  }
}
