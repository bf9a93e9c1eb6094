import { UsageError } from "../base/errors.ts";
import { isFloat } from "./dataTypes.ts";
import { add } from "./ops/elementwise.ts";
import { expand } from "./ops/reshape.ts";
import type { GradientCall, Rule } from "./rule.ts";
import { findRule } from "./rules/index.ts";
import { sameShape } from "./shapes.ts";
import { type Call, type Value, operandsOf } from "./value.ts";

/**
 * Reverse-mode gradients: for each of `wrt`, sum over `output`'s elements of seed * d output / d wrt, as new values of the
 * same builder. They are ordinary values, so they can be differentiated again.
 *
 * seed: the upstream gradient, of output's shape; default ones (a scalar output's plain gradient).
 * A value that output does not depend on has gradient zero, and nothing passes through integers.
 * Throws UsageError when an operator on the way has no gradient, or output or one of wrt is no float.
 * Cost: about twice the forward graph.
 */
export function gradients(output: Value, wrt: readonly Value[], seed?: Value): Value[] {
  return gradientsWithin(new Set(), output, wrt, seed);
}

/** `gradients` that look at nothing behind the values of `border`. */
function gradientsWithin(
  border: ReadonlySet<Value | null>,
  output: Value,
  wrt: readonly Value[],
  seed?: Value,
): Value[] {
  const { builder } = output;
  const whole = [output, ...wrt].find(({ dtype }) => !isFloat(dtype));
  if (whole) throw new UsageError(`"${whole.name}" is of type ${whole.dtype}: only floats have gradients`);
  const calls = callsBetween(border, output, wrt);
  const wanted = new Set<Value>(wrt);
  for (const call of calls) for (const value of call.outputs) wanted.add(value);

  const adjoints = new Map<Value, Value>();
  adjoints.set(output, expand(seed ?? builder.literal(1, output.dtype), output.shape));
  for (const call of calls.reverse()) {
    const upstream = call.outputs.map((value) => full(adjoints.get(value), value));
    if (upstream.every((g) => g === null)) continue;
    const rule = findRule(call.op, call.domain);
    if (!rule?.gradient && !rule?.expand) throw new UsageError(withoutGradient(call));
    const contributions = builder.scope(`${call.name}/gradient`, () =>
      contributionsOf(rule, {
        site: { ...call, outputCount: call.outputs.length, opset: builder.opset },
        inputs: call.inputs,
        outputs: call.outputs,
        gradients: upstream,
        wanted: call.inputs.map((input) => input !== null && wanted.has(input)),
      }),
    );
    call.inputs.forEach((input, i) => {
      const contribution = contributions[i];
      if (!input || !contribution || !wanted.has(input) || !isFloat(input.dtype)) return;
      const sum = adjoints.get(input);
      adjoints.set(input, sum ? add(sum, contribution) : contribution);
    });
  }
  return wrt.map(
    (value) => full(adjoints.get(value), value) ?? expand(builder.literal(0, value.dtype), value.shape),
  );
}

/** What a call adds to its inputs' gradients, by its rule or through what it stands for. */
function contributionsOf(rule: Rule, call: GradientCall): readonly (Value | null)[] {
  if (rule.gradient) return rule.gradient(call);
  const { site, inputs, gradients: upstream, wanted } = call;
  const wrt = inputs.filter(
    (input, i): input is Value => wanted[i] && isFloat(input!.dtype) && inputs.indexOf(input) === i,
  );
  const border = new Set(inputs);
  const sums = rule.expand!(site, inputs)
    .flatMap((output, i) => (upstream[i] ? [gradientsWithin(border, output, wrt, upstream[i])] : []))
    .reduce((a, b) => a.map((value, i) => add(value, b[i])));
  return inputs.map((input, i) =>
    input && wanted[i] && inputs.indexOf(input) === i ? (sums[wrt.indexOf(input)] ?? null) : null,
  );
}

function withoutGradient({ op, domain, name }: Call): string {
  const operator = domain === "" ? op : `${domain}::${op}`;
  return (
    `operator "${operator}" (node "${name}") has no gradient: add one to its rule in src/graph/rules, rewrite the node ` +
    `with operators that have one, or differentiate with respect to inputs that it does not depend on`
  );
}

/** A gradient that was left smaller, expanded to its value's shape. */
function full(gradient: Value | undefined, value: Value): Value | null {
  if (!gradient) return null;
  return sameShape(gradient.shape, value.shape) ? gradient : expand(gradient, value.shape);
}

/** The calls that output needs and that need one of `wrt`, none behind `border`, in the order in which they run. */
function callsBetween(border: ReadonlySet<Value | null>, output: Value, wrt: readonly Value[]): Call[] {
  const behind = new Set<Call>();
  const stack = [border.has(output) ? null : output.call];
  for (let call = stack.pop(); call !== undefined; call = stack.pop()) {
    if (call === null || behind.has(call)) continue;
    behind.add(call);
    for (const value of operandsOf(call)) if (!border.has(value)) stack.push(value.call);
  }
  const reached = new Set<Value>(wrt);
  return [...behind]
    .sort((a, b) => a.id - b.id)
    .filter((call) => {
      if (!operandsOf(call).some((value) => reached.has(value))) return false;
      for (const value of call.outputs) reached.add(value);
      return true;
    });
}
