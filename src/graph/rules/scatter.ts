import { int, intOf, string, stringOf } from "../attributes.ts";
import { cast, div, equal, mul, where } from "../ops/elementwise.ts";
import { expand } from "../ops/reshape.ts";
import type { CallSite, GradientCall, HostInput, Rule, RuleFamily, RuleInput } from "../rule.ts";
import { axisOf, check, sameShape } from "../shapes.ts";
import type { Value } from "../value.ts";
import { checkPlaces, piecesOf, pointed, pointedPieces } from "./gather.ts";

const reductions: Readonly<Record<string, (old: number, update: number) => number>> = {
  none: (_, update) => update,
  add: (old, update) => old + update,
  mul: (old, update) => old * update,
  min: Math.min,
  max: Math.max,
};

function reductionOf(site: CallSite): string {
  const name = stringOf(site, "reduction", "none");
  check(site, name in reductions, () => `${site.op} has no rule for the reduction ${name}`);
  return name;
}

/** An operator that writes updates into x, and the one that reads what it wrote. */
interface Scatter {
  readonly read: string;
  /** Attributes that both have. */
  readonly attributes: (site: CallSite) => Record<string, ReturnType<typeof int>>;
  /** Throws UsageError for shapes that do not fit. */
  readonly check: (site: CallSite, x: RuleInput, places: RuleInput, updates: RuleInput) => void;
  /** The flat index in x of each element of updates. */
  readonly targets: (site: CallSite, x: HostInput, places: HostInput) => readonly number[];
}

function scatterRule(scatter: Scatter): Rule {
  return {
    infer: (site, [x, places, updates]) => {
      reductionOf(site);
      scatter.check(site, x!, places!, updates!);
      return [{ dtype: x!.dtype, shape: x!.shape }];
    },
    gradient: (call) => scatterGradient(scatter, call),
    evaluate: (site, [x, places, updates]) => {
      const reduce = reductions[reductionOf(site)];
      const out = x!.numbers.slice();
      scatter.targets(site, x!, places!).forEach((at, i) => {
        out[at] = reduce(out[at], updates!.numbers[i]);
      });
      return [out];
    },
  };
}

function scatterGradient(scatter: Scatter, call: GradientCall): (Value | null)[] {
  const { site, inputs, outputs, gradients, wanted } = call;
  const [x, places, updates, y, g] = [inputs[0]!, inputs[1]!, inputs[2]!, outputs[0], gradients[0]!];
  const { builder } = x;
  const attributes = scatter.attributes(site);
  const read = (from: Value): Value => builder.apply(scatter.read, [from, places], { attributes })[0];
  const write = (into: Value, what: Value, reduction: string): Value =>
    builder.apply(site.op, [into, places, what], {
      attributes: { ...attributes, reduction: string(reduction) },
    })[0];

  const reduction = reductionOf(site);
  switch (reduction) {
    case "add":
      return [wanted[0] ? g : null, null, wanted[2] ? read(g) : null];
    case "mul":
      // y / u, which counts other updates of the same element; x alone where u is 0.
      return [
        wanted[0] ? write(g, updates, "mul") : null,
        null,
        wanted[2]
          ? where(
              equal(updates, 0),
              read(mul(g, x)),
              div(read(mul(g, y)), where(equal(updates, 0), 1, updates)),
            )
          : null,
      ];
    case "min":
    case "max": {
      // Shared equally among ties.
      const [kept, set] = [cast(equal(x, y), y.dtype), cast(equal(updates, read(y)), y.dtype)];
      const share = div(g, write(kept, set, "add"));
      return [wanted[0] ? mul(kept, share) : null, null, wanted[2] ? mul(set, read(share)) : null];
    }
    default: {
      // What was overwritten has no gradient.
      const none = expand(builder.literal(0, g.dtype), updates.shape);
      return [wanted[0] ? write(g, none, "none") : null, null, wanted[2] ? read(g) : null];
    }
  }
}

const axisIn = (site: CallSite, shape: readonly number[]): number =>
  axisOf(site, intOf(site, "axis", 0), shape.length);

const elements: Scatter = {
  read: "GatherElements",
  attributes: (site) => ({ axis: int(intOf(site, "axis", 0)) }),
  check: (site, x, places, updates) => {
    checkPlaces(site, x.shape, places.shape);
    const fits = sameShape(places.shape, updates.shape);
    check(
      site,
      fits,
      () => `updates of [${updates.shape.join(", ")}] for indices of [${places.shape.join(", ")}]`,
    );
  },
  targets: (site, x, places) => pointed(site, places, x.shape, axisIn(site, x.shape)),
};

const pieces: Scatter = {
  read: "GatherND",
  attributes: () => ({}),
  check: (site, x, places, updates) => {
    const { shape } = piecesOf(site, x.shape, places.shape);
    const fits = sameShape(shape, updates.shape);
    check(site, fits, () => `updates of [${updates.shape.join(", ")}], wanted [${shape.join(", ")}]`);
  },
  targets: (site, x, places) => {
    const { size } = piecesOf(site, x.shape, places.shape);
    return pointedPieces(site, x.shape, places).flatMap((start) =>
      Array.from({ length: size }, (_, i) => start + i),
    );
  },
};

export const scattering: RuleFamily = {
  ScatterElements: scatterRule(elements),
  ScatterND: scatterRule(pieces),
};
