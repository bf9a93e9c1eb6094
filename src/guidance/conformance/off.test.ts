/** Where a method is off, it is off: bit for bit, for free, and it comes there without a jump. */
import { expect, test } from "vitest";
import { guidanceModel } from "../../testing/guidanceModel.ts";
import { weightValues } from "../values.ts";
import { methods } from "../methods.ts";
import { type Case, cases, distance, everyMethod, run, runWithout } from "./suite.cases.ts";
import { rows } from "./rows.cases.ts";

test("every method of the catalogue has a row, and every row a method", () => {
  expect(Object.keys(rows).sort()).toEqual(Object.keys(methods).sort());
});

test("every exception has its reason, and none is made where the catalogue says otherwise", () => {
  for (const { title, row, method, strength } of cases) {
    for (const reason of Object.values(row.skip ?? {})) expect(reason.length, title).toBeGreaterThan(9);
    const takesSchedules = strength.values === (weightValues as unknown);
    expect(row.skip?.weights === undefined, `${title}: weights`).toBe(takesSchedules);
    if (Object.hasOwn(method.options, "interval")) expect(row.skip?.interval, title).toBeUndefined();
  }
});

const noOff = ({ off }: Case): string | undefined =>
  off === null ? "none of its strengths is off, as the catalogue says" : undefined;

everyMethod(
  "off",
  "at off it is what it is without, bit for bit, and costs no more",
  async (one) => {
    const model = guidanceModel();
    const off = await run(one, one.off!, "", { model });
    const without = await runWithout(one);
    expect(off.values).toEqual(without.values);
    expect(off.evaluations).toEqual(without.evaluations);
    expect(model.asked()).toBe(off.evaluations.networks);
  },
  noOff,
);

everyMethod(null, "on, it changes the prediction", async (one) => {
  expect(distance((await run(one)).values, (await runWithout(one)).values)).toBeGreaterThan(1e-3);
});

/** Strengths so far from off as the option's values allow. */
function strengthsNear({ off, strength }: Case, distances: readonly number[]): number[] {
  return distances.map((by) => (off ?? 1) + by).filter((value) => strength.values.holds(value));
}

everyMethod(
  "continuity",
  "it goes to off without a jump",
  async (one) => {
    const without = await runWithout(one);
    for (const strength of strengthsNear(one, [-1e-9, 1e-9])) {
      const { values } = await run(one, strength);
      expect(values, String(strength)).toBeAllClose(without.values, { abs: 1e-7 });
    }
  },
  noOff,
);

everyMethod("linear", "its effect is proportional to the distance of its strength from off", async (one) => {
  const { off } = one;
  const at = async (strength: number): Promise<readonly number[]> => (await run(one, strength)).values;
  const start = await at(off!);
  const unit = (await at(off! + 1)).map((value, i) => value - start[i]);
  for (const by of [-3, -1, -1e-6, 1e-9, 1e-6, 0.5, 10]) {
    const effect = (await at(off! + by)).map((value, i) => value - start[i]);
    expect(effect, String(by)).toBeAllClose(
      unit.map((value) => by * value),
      { abs: 1e-13, rel: 1e-12 },
    );
  }
});

everyMethod(
  "identity",
  "predictions that do not differ, and gradients of 0, are left alone at every strength",
  async (one) => {
    const model = guidanceModel({ indifferent: true });
    const without = await runWithout(one, { model });
    for (const strength of strengthsNear(one, [-3, -0.3, 0, 0.25, 1, 3, 1000])) {
      const { values } = await run(one, strength, "", { model });
      if (one.row.near === undefined) expect(values, String(strength)).toEqual(without.values);
      else
        expect(values, String(strength)).toBeAllClose(without.values, {
          abs: one.row.near * Math.max(1, strength),
        });
    }
  },
  ({ method }) =>
    method.role === "condition" ? "it changes what is asked, and compares nothing" : undefined,
);
