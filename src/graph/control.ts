import { UsageError } from "../base/errors.ts";
import { intOf, intsOf } from "./attributes.ts";
import { numbersOf } from "./constant.ts";
import type { Node, Subgraph } from "./graph.ts";
import type { InferredType } from "./rule.ts";
import { axisOf, check, sameShape } from "./shapes.ts";
import type { Value } from "./value.ts";

/** A body traced on inputs of known types. */
export interface TracedBody {
  readonly outputs: readonly Value[];
  /** The inputs that it was traced on. */
  readonly inputs: readonly Value[];
  /** The body as it is written for the operator set of its builder. */
  rebuilt(): Subgraph;
}

/** Traces a body on inputs of these types. Throws UsageError where a rule is missing or does not fit. */
export type TraceBody = (body: Subgraph, inputs: readonly InferredType[]) => TracedBody;

/** What If, Loop or Scan computes: types of its outputs, and its bodies by the names of their attributes. */
export interface Controlled {
  readonly types: readonly InferredType[];
  readonly bodies: Readonly<Record<string, TracedBody>>;
}

type Operands = readonly (Value | null)[];

/** Throws UsageError where sizes depend on what is computed at run time, or a body cannot be traced. */
export function control(node: Node, inputs: Operands, trace: TraceBody): Controlled {
  switch (node.op) {
    case "If":
      return controlIf(node, trace);
    case "Loop":
      return controlLoop(node, inputs, trace);
    case "Scan":
      return controlScan(node, inputs, trace);
    default:
      throw new UsageError(`operator "${node.op}" (node "${node.name}") has bodies that are not understood`);
  }
}

export const isControl = ({ op, domain }: Node): boolean =>
  domain === "" && ["If", "Loop", "Scan"].includes(op);

/** The branch of an If whose condition is known; null where it is not. */
export function knownBranch(node: Node, [condition]: Operands): Subgraph | null {
  if (node.op !== "If" || node.domain !== "" || !condition?.constant) return null;
  return bodyOf(node, numbersOf(condition.constant)[0] ? "then_branch" : "else_branch");
}

function controlIf(node: Node, trace: TraceBody): Controlled {
  const branches = ["then_branch", "else_branch"].map(
    (name) => [name, trace(bodyOf(node, name), [])] as const,
  );
  const [[, first], [, second]] = branches;
  node.outputs.forEach((name, i) => {
    const [a, b] = [first.outputs[i], second.outputs[i]];
    check(
      node,
      a !== undefined && b !== undefined && sameType(a, b),
      () => `"${name}" has another type in each branch of If`,
    );
  });
  return {
    types: first.outputs.map(typeOf),
    bodies: Object.fromEntries(branches),
  };
}

function controlLoop(node: Node, inputs: Operands, trace: TraceBody): Controlled {
  const [trips, condition = null, ...carried] = inputs;
  const initial = carried.map((value) => typeOf(given(node, value)));
  const counter: InferredType = { dtype: "int64", shape: [] };
  const body = trace(bodyOf(node, "body"), [counter, { dtype: "bool", shape: [] }, ...initial]);
  const [goesOn, ...results] = body.outputs;
  const states = results.slice(0, initial.length);
  checkStates(node, initial, states);

  const scans = results.slice(initial.length);
  const always =
    isTrue(condition) && (goesOn === body.inputs[1] || (goesOn.constant !== null && isTrue(goesOn)));
  const count = trips?.constant ? numbersOf(trips.constant)[0] : NaN;
  check(
    node,
    scans.length === 0 || (always && count >= 0),
    () => `how often Loop runs, and so the size of its outputs, is computed at run time`,
  );
  return {
    types: [...initial, ...scans.map(({ dtype, shape }) => ({ dtype, shape: [count, ...shape] }))],
    bodies: { body },
  };
}

/** Whether a condition holds for sure; an absent one does. */
function isTrue(condition: Value | null): boolean {
  return condition === null || (condition.constant !== null && numbersOf(condition.constant)[0] !== 0);
}

function controlScan(node: Node, inputs: Operands, trace: TraceBody): Controlled {
  const scanned = intOf(node, "num_scan_inputs", 0);
  const types = inputs.map((value) => typeOf(given(node, value)));
  const initial = types.slice(0, types.length - scanned);
  const sequences = types.slice(types.length - scanned);
  check(node, scanned > 0 && scanned <= types.length, () => `Scan has no input number ${scanned}`);
  const axes = intsOf(
    node,
    "scan_input_axes",
    sequences.map(() => 0),
  );
  const lengths = sequences.map(({ shape }, i) => shape[axisOf(node, axes[i], shape.length)]);
  check(node, new Set(lengths).size === 1, () => `Scan's inputs have ${lengths.join(", ")} elements`);
  const elements = sequences.map(({ dtype, shape }, i) => {
    const axis = axisOf(node, axes[i], shape.length);
    return { dtype, shape: shape.filter((_, k) => k !== axis) };
  });

  const body = trace(bodyOf(node, "body"), [...initial, ...elements]);
  checkStates(node, initial, body.outputs.slice(0, initial.length));
  const scans = body.outputs.slice(initial.length);
  const outputAxes = intsOf(
    node,
    "scan_output_axes",
    scans.map(() => 0),
  );
  const stacked = scans.map(({ dtype, shape }, i) => {
    const axis = axisOf(node, outputAxes[i], shape.length + 1);
    return { dtype, shape: [...shape.slice(0, axis), lengths[0], ...shape.slice(axis)] };
  });
  return { types: [...initial, ...stacked], bodies: { body } };
}

function bodyOf(node: Node, name: string): Subgraph {
  const attribute = node.attributes[name];
  if (attribute?.kind !== "graph")
    throw new UsageError(`node "${node.name}" (${node.op}) lacks its body "${name}"`);
  return attribute.value;
}

function given(node: Node, value: Value | null): Value {
  if (!value) throw new UsageError(`node "${node.name}" (${node.op}) lacks an input`);
  return value;
}

function checkStates(node: Node, initial: readonly InferredType[], states: readonly Value[]): void {
  check(
    node,
    states.length === initial.length && states.every((state, i) => sameType(state, initial[i])),
    () => `a value that ${node.op} carries does not keep its type`,
  );
}

const typeOf = ({ dtype, shape }: InferredType): InferredType => ({ dtype, shape });
const sameType = (a: InferredType, b: InferredType): boolean =>
  a.dtype === b.dtype && sameShape(a.shape, b.shape);
