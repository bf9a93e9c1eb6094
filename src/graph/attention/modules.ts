import type { Node } from "../graph.ts";
import type { Wiring } from "./wiring.ts";

/** Where in a UNet; null where the module's name does not tell. */
export type Position = "down" | "mid" | "up" | null;

/** Endings of the names of the linear layers inside an attention. */
const projection =
  /\.(?:to_[qkv]|to_out(?:\.\d+)?|(?:[qkv]|qkv|in|out|c|o)_proj|proj(?:_out|_in|_attn)?|qkv|out|query|key|value|dense)$/;

/**
 * The module that a node was made by, with a dot between its parts: "mid_block.attentions.0". PyTorch's TorchScript exporter
 * leaves it in the node's name, its dynamo exporter in the node's metadata, our own networks in the name. "" if nowhere.
 */
export function moduleOf(node: Node): string {
  const scopes = node.metadata?.["pkg.torch.onnx.name_scopes"];
  if (scopes !== undefined) return scopesOf(scopes).at(-2) ?? "";
  const namespace = node.metadata?.namespace;
  if (namespace !== undefined) return namespaceModule(namespace);
  return moduleOfPath(node.name);
}

/** The module in a name such as "/mid_block/attentions.0/MatMul_1": "mid_block.attentions.0". */
export function moduleOfPath(name: string): string {
  return name.replace(/^\//, "").split("/").slice(0, -1).join(".");
}

/** Parts of "['', 'mid_block', 'mid_block.attentions.0', 'linear']". */
function scopesOf(text: string): string[] {
  return Array.from(text.matchAll(/'([^']*)'|"([^"]*)"/g), (match) => match[1] ?? match[2]);
}

/** The last module of ": Model/mid_block: Block/mid_block.attention: Attention/linear: aten.linear". */
function namespaceModule(text: string): string {
  const parts = text.split("/").map((part) => part.replace(/:.*$/, ""));
  return parts.at(-2) ?? "";
}

/** Whether a module is another or lies in it. */
export function within(module: string, outer: string): boolean {
  return module === outer || module.startsWith(`${outer}.`);
}

/** The module that named parameters have in common, as "layers.0.attention" of its q_proj.bias and k_proj.bias; "" if none. */
export function commonModule(parameters: readonly string[]): string {
  const paths = parameters
    .filter((name) => /^[A-Za-z_].*\.(?:weight|bias)$/.test(name) && !name.includes("::"))
    .map((name) => name.replace(/\.(?:weight|bias)$/, "").split("."));
  if (paths.length === 0) return "";
  const length = Math.min(...paths.map((path) => path.length));
  const shared = paths[0].slice(0, length).findIndex((part, i) => paths.some((path) => path[i] !== part));
  return paths[0]
    .slice(0, shared < 0 ? length : shared)
    .join(".")
    .replace(projection, "");
}

/** Names of the weights and biases that a linear layer reads: those of a node and of the Add behind it. */
export function parametersOf(node: Node, wiring: Wiring): string[] {
  const adds = wiring.readers(node.outputs[0]).filter(({ op }) => op === "Add");
  return [node, ...adds].flatMap(({ inputs }) =>
    inputs.filter((name) => wiring.graph.initializers.has(name)),
  );
}

export function positionOf(module: string): Position {
  const found = /(?:^|[/._])(down|mid|middle|up|input_blocks|output_blocks)(?:$|[/._])/.exec(module)?.[1];
  switch (found) {
    case "down":
    case "input_blocks":
      return "down";
    case "mid":
    case "middle":
      return "mid";
    case "up":
    case "output_blocks":
      return "up";
    default:
      return null;
  }
}

/** The first number of a module's name: the block it stands in; null where there is none. */
export function blockOf(module: string): number | null {
  const found = /(?:^|[._])(\d+)(?:$|[._])/.exec(module)?.[1];
  return found === undefined ? null : Number(found);
}
