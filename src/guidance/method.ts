import type { Adjust, Change, Combine, Push, Term } from "./guidance.ts";
import { everywhere } from "./interval.ts";
import type { GuidanceResources } from "./resources.ts";
import type { WeightSpec } from "./schedules.ts";
import type { Space } from "./spaces.ts";
import { choice, finiteNumber, sigmaInterval, weightValues } from "./values.ts";
import type { ValueKind } from "./values.ts";

/** An option of a method: what it means, and what it may be. */
export interface MethodOption<T = unknown> {
  /** What it does, with its convention: which value is off, what absent means. */
  readonly meaning: string;
  readonly unit: string;
  /** Absent: no value unless given. */
  readonly default?: T;
  /** It exists only where another option has one of these values: [key, values]. */
  readonly only?: readonly [key: string, values: readonly string[]];
  readonly values: ValueKind<T>;
}

type Options = Readonly<Record<string, MethodOption>>;

/** The values of options, by name. */
export type ValuesOf<D> = {
  readonly [K in keyof D]: D[K] extends { readonly default: unknown; readonly values: ValueKind<infer T> }
    ? T
    : D[K] extends { readonly values: ValueKind<infer T> }
      ? T | undefined
      : never;
};

/** What every method says of itself: the grammar, help, the docs' table and its page come from here. */
export interface About {
  /** What --guidance calls it. */
  readonly name: string;
  /** What it is, in a sentence. */
  readonly summary: string;
  /** In ASCII, with the options' names. */
  readonly formula: string;
  /** Another formula, where options make it one. */
  readonly formulaWith?: (spec: Readonly<Record<string, unknown>>) => string | undefined;
  /** What a model must have. */
  readonly needs: string;
  /** What it adds to the one evaluation of unguided sampling, where it acts. */
  readonly cost: string;
  /** Network evaluations and classifier gradients that it adds where it acts. */
  readonly adds: { readonly networks: number; readonly gradients: number };
  /** When to use it, and when not. */
  readonly when: string;
  /** What its paper or its best known program uses by default, in this convention. */
  readonly published: string;
  readonly source: string;
  /** The space it works in; "any": it is linear, so that all are the same. */
  readonly space: "any" | "x0" | "eps" | "v" | "velocity";
  /** The option that a bare number sets. */
  readonly strength: string;
  /** The strength at which it does nothing; null: there is none. */
  readonly off: number | null;
  readonly options: Options;
  /**
   * A guidance that shows what it does, and the shipped model to show it on. Default: the method at its default strength, beside CFG
   * where it corrects; on the tree where that has what it needs, else on fashion-mnist (see example.ts).
   */
  readonly example?: {
    readonly spec?: string;
    /** What it is seen beside. Default: the same guidance without the method. */
    readonly beside?: string;
    readonly model?: "tree" | "fashion-mnist";
  };
  /** What is wrong with options that are each right alone. */
  readonly conflict?: (spec: Readonly<Record<string, unknown>>) => string | undefined;
}

/** What a method is told of the guidance that it is part of. */
export interface Company {
  /** Names of all methods of the guidance. */
  readonly methods: readonly string[];
  /** Whether CFG acts at a noise level, in a step of the sampler; a negative condition counts as CFG. */
  cfgActs(sigma: number, step: number): boolean;
}

/** How a worse prediction is made. */
export interface WeakMethod extends About {
  readonly role: "weak";
  make<C>(
    options: Readonly<Record<string, unknown>>,
    resources: GuidanceResources<C>,
    company: Company,
  ): Term<C>;
}

/** How a strong and a weak prediction meet. Its strength is the weight of the term that it combines. */
export interface CombineMethod extends About {
  readonly role: "combine";
  make(options: Readonly<Record<string, unknown>>): Combine;
}

/** A correction of the guided prediction. */
export interface AdjustMethod extends About {
  readonly role: "adjust";
  make(options: Readonly<Record<string, unknown>>): Adjust;
}

export interface PushMethod extends About {
  readonly role: "push";
  make<C>(options: Readonly<Record<string, unknown>>, resources: GuidanceResources<C>): Push<C>;
}

/** A change of the condition. */
export interface ConditionMethod extends About {
  readonly role: "condition";
  make<C>(options: Readonly<Record<string, unknown>>, resources: GuidanceResources<C>): Change<C>;
}

export type Method = WeakMethod | CombineMethod | AdjustMethod | PushMethod | ConditionMethod;

interface Making<R extends Method["role"]> {
  readonly role: R;
}
type Resourceful<D extends Options, R extends Method["role"]> = Omit<About, "options"> &
  Making<R> & { readonly options: D };

/** An entry of the catalogue whose `make` knows its options' types. */
export function weakMethod<D extends Options>(
  entry: Resourceful<D, "weak"> & {
    make<C>(options: ValuesOf<D>, resources: GuidanceResources<C>, company: Company): Term<C>;
  },
): WeakMethod {
  return entry;
}

export function combineMethod<D extends Options>(
  entry: Resourceful<D, "combine"> & { make(options: ValuesOf<D>): Combine },
): CombineMethod {
  return entry;
}

export function adjustMethod<D extends Options>(
  entry: Resourceful<D, "adjust"> & { make(options: ValuesOf<D>): Adjust },
): AdjustMethod {
  return entry;
}

export function pushMethod<D extends Options>(
  entry: Resourceful<D, "push"> & {
    make<C>(options: ValuesOf<D>, resources: GuidanceResources<C>): Push<C>;
  },
): PushMethod {
  return entry;
}

export function conditionMethod<D extends Options>(
  entry: Resourceful<D, "condition"> & {
    make<C>(options: ValuesOf<D>, resources: GuidanceResources<C>): Change<C>;
  },
): ConditionMethod {
  return entry;
}

/** The weight of a term, as an option. */
export const weightOption = (off: string) =>
  ({
    meaning: `w in weak + w*(strong - weak): 1 is off, ${off}; or linear(w), cosine(w), beta(w|a|b), steps(w0|w1|...), rows(w0|w1|...)`,
    unit: "none",
    default: 2 as WeightSpec,
    values: weightValues,
  }) as const;

/** The scale of a term (0 is off), as an option. */
export const scaleOption = (meaning: string, by: number) =>
  ({
    meaning: `${meaning}; or linear(s), cosine(s), beta(s|a|b), steps(s0|s1|...), rows(s0|s1|...)`,
    unit: "none",
    default: by as WeightSpec,
    values: weightValues,
  }) as const;

/** A plain number, as an option. */
export const numberOption = (meaning: string, by: number, unit = "none") =>
  ({ meaning, unit, default: by, values: finiteNumber }) as const;

/** Where a method acts, as an option. */
export const intervalOption = {
  meaning: "where it acts: LOW < sigma <= HIGH; elsewhere it is off and costs nothing",
  unit: "sigma (standard deviation of the noise)",
  default: everywhere,
  values: sigmaInterval,
} as const;

/** The space that a method works in, as an option. */
export const spaceOption = <const S extends Space>(by: S, meaning: string) =>
  ({
    meaning,
    unit: "one of x0, eps, v, velocity",
    default: by,
    values: choice("x0", "eps", "v", "velocity"),
  }) as const;
