/** What holds for guidance methods in general; a row that is an exception to one says why. */
export type Property =
  /** At off it is bit for bit what it is without, at the same cost. */
  | "off"
  /** It goes to off without a jump. */
  | "continuity"
  /** Its effect is proportional to the distance of its strength from off. */
  | "linear"
  /** Predictions that do not differ, and gradients of 0, are left alone at every strength. */
  | "identity"
  /** It takes an interval of sigma. */
  | "interval"
  /** A row alone is the row of a batch, bit for bit. */
  | "batch"
  /** Each sample may have a strength of its own, and strengths may follow a schedule. */
  | "weights"
  /** Linear methods are the same in every space, others work in the one that they name. */
  | "space";

/** A way to write a method, and what it keeps to. */
export interface Row {
  /** Its spec, with $ for the strength; what follows its $ are its options. */
  readonly spec: string;
  /** A strength at which it acts. Default 3. */
  readonly on?: number;
  /** The spec without the method: what it is at off. Default: the strong prediction alone. */
  readonly without?: string;
  /** Which network gives the strong prediction where `without` is absent, and with which condition. Default: the condition. */
  readonly strong?: "condition" | "null" | "unconditional";
  /** The model has a separate unconditional network. */
  readonly separate?: boolean;
  /** The sampler's step that the evaluations begin with. Default 0. */
  readonly step?: number;
  /** The space it works in, where its options make it another than the method's. */
  readonly space?: "any";
  /** It has a memory that the second step sees. */
  readonly remembers?: boolean;
  /** How near predictions that do not differ are left alone. Default: bit for bit. */
  readonly near?: number;
  readonly skip?: Partial<Record<Property, string>>;
}

const DIFFUSERS = "alone its scale is a weight, whose off is 1, and yet 0 is off";
const NOISES = "it compares the noises found in two samples, which differ by the samples too";
const WINDOWS = "a window does not know where it lies, so that one image for all windows is not one image";
const AMOUNT = "it is one amount for the whole batch, at every noise level";
const NOT_PROPORTIONAL = "a correction is no step away from a weak prediction";
const OWN_FORMULA = "how the predictions meet is the method: its weight enters by its formula";

/** Of every method of the catalogue, by name, at least one way to write it. */
export const rows: Readonly<Record<string, readonly Row[]>> = {
  // How the weak prediction is made.
  cfg: [{ spec: "cfg:$" }, { spec: "cfg:$", separate: true }],
  pag: [
    { spec: "pag:$" },
    { spec: "pag:$,kind=soft-identity,u=0|1|0.5" },
    { spec: "pag:$,kind=uniform" },
    { spec: "pag:$,form=diffusers", skip: { continuity: DIFFUSERS, linear: DIFFUSERS } },
    { spec: "cfg:2+pag:$,form=diffusers", without: "cfg:2" },
    { spec: "pag:$,kind=random-mask" },
    { spec: "pag:$,kind=off-diagonal-mask,p=1" },
  ],
  seg: [
    { spec: "seg:$,form=strong" },
    { spec: "seg:$,sigma=1.5" },
    { spec: "seg:$,form=diffusers", skip: { continuity: DIFFUSERS, linear: DIFFUSERS } },
    { spec: "cfg:2+seg:$", without: "cfg:2" },
    { spec: "cfg:2+seg:$", without: "cfg:2", separate: true },
  ],
  sag: [
    { spec: "sag:$,form=strong", skip: { identity: NOISES } },
    { spec: "sag:$,sigma=2,kernel=5,threshold=0", skip: { identity: NOISES } },
    { spec: "cfg:2+sag:$", without: "cfg:2", skip: { identity: NOISES } },
    { spec: "cfg:2+sag:$", without: "cfg:2", separate: true, skip: { identity: NOISES } },
  ],
  slg: [
    { spec: "slg:$" },
    { spec: "slg:$,form=diffusers", skip: { continuity: DIFFUSERS, linear: DIFFUSERS } },
    { spec: "slg:$,kind=skip-attention" },
    { spec: "slg:$,kind=skip-feed-forward" },
  ],
  stg: [{ spec: "stg:$" }, { spec: "stg:$,mode=attention" }],
  tpg: [{ spec: "tpg:$" }],
  s2: [{ spec: "s2:$" }],
  swg: [
    { spec: "swg:$", skip: { identity: WINDOWS } },
    { spec: "swg:$,where=overlaps", skip: { identity: WINDOWS } },
  ],
  negative: [{ spec: "negative:$,condition=3" }, { spec: "negative:$" }],
  icg: [{ spec: "icg:$" }, { spec: "icg:$,kind=gaussian" }],
  tsg: [{ spec: "tsg:$" }, { spec: "tsg:$,form=level,alpha=2" }],
  autoguidance: [{ spec: "autoguidance:$" }],
  "self-autoguidance": [
    { spec: "self-autoguidance:$" },
    { spec: "self-autoguidance:$,damage=attention-dropout" },
    { spec: "self-autoguidance:$,form=diffusers" },
  ],

  // How the two meet. Conversions to another space and back round.
  apg: [
    combined("apg:$", { near: 1e-15 }),
    combined("apg:$,eta=0.5,cap=0.7,momentum=-0.5", { near: 1e-15, remembers: true }),
    combined("apg:$,form=diffusers", {
      near: 1e-15,
      skip: { continuity: "weak + w*g goes to weak + g; only w = 1 itself is the strong prediction" },
    }),
    combined("apg:$,form=comfyui", {
      near: 1e-15,
      skip: {
        off: "it adds w*g to the strong prediction, so that no weight but 0 is off",
        continuity: "no weight but 0 is off",
      },
    }),
    combined("pag:$~apg", {
      near: 1e-15,
      skip: { space: "the space is an option of the way to combine: see the rows above" },
    }),
  ],
  "apg-mix": [
    combined("apg-mix:$", { step: 6, near: 1e-15 }),
    combined("apg-mix:$", {
      near: 1e-15,
      space: "any",
      skip: { continuity: "steps up to start have a weight of their own, early" },
    }),
  ],
  cfgpp: [combined("cfgpp:$", { on: 0.6 })],
  "cfg-zero": [
    combined("cfg-zero:$,zeroSteps=0", { near: 1e-7 }),
    combined("cfg-zero:$,form=diffusers", {
      near: 1e-7,
      skip: {
        off: "its first step has velocity 0 at every weight",
        continuity: "its first step has velocity 0 at every weight",
        identity: "its first step has velocity 0, whatever is predicted",
      },
    }),
    combined("cfg-zero:$,form=comfyui", {
      near: 1e-7,
      skip: {
        space: "it finds its factor in one space and uses it in another: see combine/",
      },
    }),
    combined("cfg-zero:$", {
      near: 1e-7,
      skip: {
        continuity: "the first step has velocity 0 at every weight but 1",
        identity: "the first step has velocity 0, whatever is predicted",
      },
    }),
  ],
  tcfg: [combined("tcfg:$", { near: 1e-13 })],
  fdg: [
    combined("fdg:$", { near: 1e-13, space: "any" }),
    combined("fdg:$,parallel=0.3", { near: 1e-13 }),
    combined("fdg:$,parallel=0.3,form=diffusers", {
      near: 1e-13,
      skip: { continuity: "weak + w*g goes to weak + g; only w = 1 itself is the strong prediction" },
    }),
  ],
  mambo: [combined("mambo:$,alpha=0.5", { near: 1e-13 })],
  "power-law": [combined("power-law:$", { near: 1e-13 })],
  mimic: [
    combined("mimic:$", {
      on: 10,
      near: 1e-12,
      skip: { continuity: "it has the spread of weight 7 at every weight but 1" },
    }),
    combined("mimic:$,mimic=1", { near: 1e-12 }),
    combined("mimic:$,mimic=1,spread=std", { near: 1e-12 }),
  ],
  adaptive: [combined("adaptive:$,threshold=0.9", { near: 1e-15, remembers: true })],

  // Corrections.
  rescale: [corrected("cfg:3+rescale:$", { on: 0.7, near: 1e-13 })],
  energy: [corrected("cfg:3+energy:$", { on: 1, near: 1e-13 })],
  "cfg-norm": [
    corrected("cfg:3+cfg-norm:$", { on: 1, near: 1e-13 }),
    corrected("cfg:3+cfg-norm:$,form=qwen-image", { on: 1, near: 1e-13 }),
  ],
  threshold: [
    corrected("cfg:3+threshold:$", {
      on: 0.9,
      skip: { identity: "it looks at values, not at a difference: a prediction outside [-1, 1] is clipped" },
    }),
  ],
  momentum: [
    ...["momentum:$", "cfg:3+momentum:$"].flatMap((spec) => {
      const row = {
        on: 0.5,
        near: 1e-13,
        remembers: true,
        ...(spec === "momentum:$" && { without: "none" }),
      };
      return [
        corrected(spec, {
          ...row,
          skip: { identity: "velocities go on changing as x does where the predicted image stays" },
        }),
        corrected(`${spec},space=x0`, {
          ...row,
          skip: { space: "the space is x0 by an option: see the row above" },
        }),
      ];
    }),
  ],
  "epsilon-scaling": [
    corrected("epsilon-scaling:$", {
      on: 1.1,
      without: "none",
      skip: { identity: "it scales the predicted noise, whether or not predictions differ" },
    }),
  ],

  // Changes of the condition.
  cads: [
    changed("cads:$,tau1=0.3"),
    changed("cads:$,tau1=0.3,mix=0"),
    changed("cfg:3+cads:$,tau1=0.3", "cfg:3"),
  ],

  // Gradients.
  classifier: [
    { spec: "classifier:$", strong: "null" },
    { spec: "classifier:$", strong: "unconditional", separate: true },
    { spec: "classifier:$,base=condition" },
    { spec: "cfg:2+classifier:$", without: "cfg:2" },
  ],
  "clean-classifier": [
    { spec: "clean-classifier:$", strong: "null" },
    { spec: "clean-classifier:$", strong: "unconditional", separate: true },
    { spec: "clean-classifier:$,base=condition" },
    { spec: "cfg:2+clean-classifier:$", without: "cfg:2" },
  ],
  score: [{ spec: "score:$,model=smooth" }, { spec: "cfg:2+score:$,model=smooth", without: "cfg:2" }],
};

function changed(spec: string, without?: string): Row {
  const skip = { linear: "the condition's noise goes through the network", weights: AMOUNT };
  return { spec, without, skip };
}

function combined(spec: string, row: Omit<Row, "spec"> = {}): Row {
  return { spec, ...row, skip: { linear: OWN_FORMULA, ...row.skip } };
}

function corrected(spec: string, row: Omit<Row, "spec"> = {}): Row {
  return {
    spec,
    without: "cfg:3",
    ...row,
    skip: { linear: NOT_PROPORTIONAL, weights: AMOUNT, ...row.skip },
  };
}
