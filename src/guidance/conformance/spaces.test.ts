/**
 * Methods of space "any" are linear: the same whether predictions are of x0, noise, v or velocity. Others say the space they work in:
 * they convert to it and back, and would be others elsewhere.
 */
import { expect } from "vitest";
import { guidanceModel } from "../../testing/guidanceModel.ts";
import { type Space, convertAt } from "../spaces.ts";
import { type Case, distance, everyMethod, run, twoSteps } from "./suite.cases.ts";

/** The row run on networks that give predictions of `space` in place of x0, and what it makes of them turned into x0. */
async function within(one: Case, space: Space, more = ""): Promise<number[]> {
  const model = guidanceModel({ space: (x0, x, sigma) => convertAt(space, x, sigma).to(x0) });
  const { predictions } = await run(one, undefined, more, { model });
  return twoSteps(one.row).flatMap(({ x, sigma }, i) => {
    const { from } = convertAt(space, x, sigma);
    const { renoise } = predictions[i];
    return [predictions[i], ...(renoise ? [renoise] : [])].flatMap((given) => Array.from(from(given).data));
  });
}

const SPACES = ["x0", "eps", "v", "velocity"] as const;

everyMethod(
  "space",
  "a method of any space does in each what it does in x0",
  async (one) => {
    for (const space of SPACES)
      expect(await within(one, space), space).toBeAllClose(await within(one, "x0"), { abs: 1e-12 });
  },
  ({ method, space }) => {
    if (space !== "any") return `it works in ${space}`;
    return method.role === "push" ? "a gradient has a factor of its own in each space: see push/" : undefined;
  },
);

everyMethod(
  "space",
  "a method of one space converts to it and back",
  async (one) => {
    const space = one.space as Space;
    expect((await run(one)).values).toBeAllClose(await within(one, space, ",space=x0"), { abs: 1e-12 });
  },
  ({ method, space }) => {
    if (space === "any") return "it is the same in all";
    if (space === "x0") return "predictions are of x0 already";
    return Object.hasOwn(method.options, "space") ? undefined : "its formula is written in x0: see adjust/";
  },
);

everyMethod(
  "space",
  "a method of one space would be another one elsewhere",
  async (one) => {
    const own = (await run(one)).values;
    const more = Object.hasOwn(one.method.options, "space") ? ",space=x0" : "";
    const others = SPACES.filter((space) => space !== one.space);
    const results = await Promise.all(others.map((space) => within(one, space, more)));
    expect(Math.max(...results.map((values) => distance(values, own)))).toBeGreaterThan(1e-3);
  },
  ({ space }) => (space === "any" ? "it is the same in all" : undefined),
);
