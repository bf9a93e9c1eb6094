import { sizeOf } from "../../base/tensor.ts";
import { intsOf } from "../attributes.ts";
import { hasNumbers, numbersOf } from "../constant.ts";
import { constantNode } from "../constantNode.ts";
import type { Constant, Graph, Node } from "../graph.ts";

/** Numbers are looked at in constants of at most this many elements; larger ones may lie in files. */
const SMALL = 64;

/** Nodes that make numbers of a tensor's shape, not of its elements. */
const shapeReaders: ReadonlySet<string> = new Set(["Shape", "Size", "ConstantOfShape", "Range", "EyeLike"]);

/** Who makes and who reads each value of a graph, by names alone: no shapes are needed. */
export class Wiring {
  readonly graph: Graph;
  private readonly producers = new Map<string, Node>();
  private readonly reading = new Map<string, Node[]>();
  private readonly positions = new Map<Node, number>();
  private readonly varying = new Map<string, boolean>();

  constructor(graph: Graph) {
    this.graph = graph;
    graph.nodes.forEach((node, position) => {
      this.positions.set(node, position);
      for (const output of node.outputs) if (output !== "") this.producers.set(output, node);
      for (const input of new Set(node.inputs)) {
        const known = this.reading.get(input);
        if (known) known.push(node);
        else this.reading.set(input, [node]);
      }
    });
    for (const { name } of graph.inputs) this.varying.set(name, true);
    for (const name of graph.initializers.keys()) this.varying.set(name, false);
    for (const node of graph.nodes) {
      const varies = !shapeReaders.has(node.op) && node.inputs.some((name) => this.varies(name));
      for (const output of node.outputs) this.varying.set(output, varies);
    }
  }

  producer(value: string): Node | undefined {
    return this.producers.get(value);
  }

  /** The nodes that read a value's elements (not only its shape), in the order in which they run. */
  readers(value: string): readonly Node[] {
    return (this.reading.get(value) ?? []).filter(({ op }) => !shapeReaders.has(op));
  }

  /** Position in the order in which nodes run; -1 for what no node makes. */
  position(value: string): number {
    const node = this.producers.get(value);
    return node ? this.positions.get(node)! : -1;
  }

  positionOf(node: Node): number {
    return this.positions.get(node)!;
  }

  /** Whether the elements depend on the graph's inputs; not so for weights and what is computed from shapes alone. */
  varies(value: string): boolean {
    return this.varying.get(value) ?? false;
  }

  /** The constant of that name, of an initializer, a Constant node, or another name for one. */
  constant(value: string): Constant | null {
    const found = this.graph.initializers.get(value);
    if (found) return found;
    const node = this.producers.get(value);
    if (node?.op === "Identity") return this.constant(node.inputs[0]);
    return node?.op === "Constant" && node.inputs.length === 0 ? constantNode(node) : null;
  }

  /** The numbers of a small constant; null where it is not one. */
  numbers(value: string): readonly number[] | null {
    const constant = this.constant(value);
    if (!constant || !hasNumbers(constant.dtype) || sizeOf(constant.shape) > SMALL) return null;
    return Array.from(numbersOf(constant));
  }

  /** Whether `value` is computed from `from`. */
  dependsOn(value: string, from: string): boolean {
    const earliest = this.position(from);
    const seen = new Set<string>();
    const open = [value];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (name === from) return true;
      if (seen.has(name) || this.position(name) <= earliest) continue;
      seen.add(name);
      const node = this.producers.get(name)!;
      if (!shapeReaders.has(node.op)) open.push(...node.inputs);
    }
    return false;
  }
}

/** The order of axes of a Transpose; null where it turns all of them round and their number is not known. */
export function orderOf(node: Node): readonly number[] | null {
  return node.attributes.perm ? intsOf(node, "perm", []) : null;
}

/** Whether an order of axes swaps the last two and leaves the others. */
export function swapsLast(order: readonly number[] | null): boolean {
  if (!order) return false;
  const rank = order.length;
  return order.every((axis, i) => axis === (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
}
