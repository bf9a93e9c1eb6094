import { describe, test } from "vitest";
import type { Tensor } from "../../base/tensor.ts";
import { map } from "../../base/tensor.ts";
import {
  type Asking,
  type At,
  type Evaluated,
  evaluateAll,
  guidanceModel,
  labels,
  samples,
} from "../../testing/guidanceModel.ts";
import type { Method, MethodOption } from "../method.ts";
import { methods } from "../methods.ts";
import { type Property, type Row, rows } from "./rows.cases.ts";

/** A row with its method. */
export interface Case {
  readonly title: string;
  readonly row: Row;
  readonly method: Method;
  /** The option that $ sets. */
  readonly strength: MethodOption;
  /** The strength at which it does nothing; null: there is none. */
  readonly off: number | null;
  /** The space it works in; "any": it is linear. */
  readonly space: Method["space"];
}

/** Every row of every method of the catalogue. */
export const cases: readonly Case[] = Object.entries(rows).flatMap(([name, ofMethod]) =>
  ofMethod.map((row) => caseOf(methods[name], row)),
);

function caseOf(method: Method, row: Row): Case {
  // $ may stand behind the weak method of a combination.
  const [, named] = /([a-z0-9-]+):\$/.exec(row.spec)!;
  const { role, off, options, strength } = methods[named];
  return {
    title: titleOf(row),
    row,
    method,
    strength: role === "combine" ? methods.cfg.options.weight : options[strength],
    off,
    space: row.space ?? method.space,
  };
}

function titleOf({ spec, separate, step }: Row): string {
  return [spec, separate ? "with a separate unconditional network" : "", step ? `from step ${step}` : ""]
    .filter(Boolean)
    .join(" ");
}

/** A property, tested of every row that does not say why it is an exception; `exempt` gives reasons that the catalogue knows. */
export function everyMethod(
  property: Property | null,
  statement: string,
  holds: (one: Case) => Promise<void> | void,
  exempt: (one: Case) => string | undefined = () => undefined,
): void {
  describe(statement, () => {
    for (const one of cases) {
      const reason = (property === null ? undefined : one.row.skip?.[property]) ?? exempt(one);
      if (reason === undefined) test(one.title, () => holds(one));
      else test.skip(`${one.title}: ${reason}`, () => undefined);
    }
  });
}

/** The row's spec at a strength, with more options of the method. */
export function specOf({ spec, on = 3 }: Row, strength: number | string = on, more = ""): string {
  return spec.replace("$", `${strength}${more}`);
}

/** Two steps of a run, the second from another x. */
export function twoSteps({ step = 0 }: Row): readonly [At, At] {
  return [
    { x: samples, sigma: 3, step },
    { x: moved(samples), sigma: 0.9, step: step + 1 },
  ];
}

const moved = (x: Tensor): Tensor => map((value, i) => 0.4 * value + 0.1 * Math.cos(i), x);

/** What the row's spec makes of its two steps, or of others. */
export function run(
  one: Case,
  strength?: number | string,
  more = "",
  asking: Asking = {},
  ats?: readonly At[],
) {
  const { row } = one;
  return evaluateAll(specOf(row, strength, more), ats ?? twoSteps(row), {
    separate: row.separate,
    ...asking,
  });
}

/** The same without the method. */
export async function runWithout(
  { row }: Case,
  asking: Asking = {},
  ats: readonly At[] = twoSteps(row),
): Promise<Evaluated> {
  if (row.without !== undefined) return evaluateAll(row.without, ats, { separate: row.separate, ...asking });
  const { model = guidanceModel(), condition = labels } = asking;
  const { strong = "condition" } = row;
  const network = strong === "unconditional" ? model.unconditional : model.main;
  const predictions: Tensor[] = [];
  for (const { x, sigma } of ats) {
    const branch = { condition: strong === "condition" ? condition : null };
    predictions.push(...(await network.denoise(x, sigma, [branch])));
  }
  return {
    predictions,
    values: predictions.flatMap(({ data }) => Array.from(data)),
    evaluations: { networks: ats.length, gradients: 0 },
  };
}

/** Largest distance of two lists of values. */
export function distance(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i])));
}
