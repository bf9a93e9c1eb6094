import type { ApplyOptions } from "./builder.ts";
import { FOLD_LIMIT, smallKey } from "./constant.ts";
import type { Attribute } from "./graph.ts";
import type { Value } from "./value.ts";

type Keyed = Pick<ApplyOptions, "attributes" | "domain" | "outputs" | "types" | "captured">;

/** A text equal for calls that compute the same: the same operator with equal attributes on the same values. */
export function callKey(op: string, inputs: readonly (Value | null)[], options: Keyed): string {
  const { domain = "", attributes = {}, outputs = 1, types, captured } = options;
  const names = inputs.map((input) => input?.name ?? "").join("|");
  const tags = Object.keys(attributes)
    .sort()
    .map((key) => `${key}=${attributeKey(attributes[key])}`);
  // What an operator without a rule does is not known: it may draw random numbers. Only the same node is the same call.
  const node = types
    ? ` of node ${identityOf(attributes)} to ${types.map(({ shape }) => shape.join(",")).join("|")}`
    : "";
  const around = [...(captured?.values() ?? [])].map(({ name }) => name).join("|");
  return `${domain}:${op}(${names})(${around})[${tags.join(";")}]${outputs}${node}`;
}

/** A text equal for equal attributes; those that cannot be compared at once are equal to themselves only. */
function attributeKey(attribute: Attribute): string {
  const { kind, value } = attribute;
  switch (kind) {
    case "int":
    case "float":
    case "string":
      return "exact" in attribute ? `exact ${identityOf(attribute)}` : `${kind} ${scalarKey(value)}`;
    case "ints":
    case "floats":
    case "strings":
      return "exact" in attribute
        ? `exact ${identityOf(attribute)}`
        : `${kind} ${value.map(scalarKey).join()}`;
    case "tensor":
      return `${kind} ${smallKey(value, FOLD_LIMIT) ?? identityOf(value)}`;
    case "reference":
      return `${kind} ${scalarKey(value)}`;
    default:
      return `${kind} ${identityOf(value)}`;
  }
}

function scalarKey(value: number | string): string {
  return Object.is(value, -0) ? "-0" : JSON.stringify(String(value));
}

const identities = new WeakMap<object, number>();
let objects = 0;

/** A number for this very object: what cannot be compared is equal to itself only. */
function identityOf(value: object): number {
  const known = identities.get(value) ?? objects++;
  identities.set(value, known);
  return known;
}
