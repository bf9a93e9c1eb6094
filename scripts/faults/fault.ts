/** A mistake that a person could make: a change of one place of a source file. */
export interface Fault {
  /** Relative to the repository. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** What the mistake is. */
  readonly why: string;
}

/** Faults of files of one folder, written shortly: [file, find, replace, why]. */
export function faultsOf(
  folder: string,
  ...faults: readonly (readonly [file: string, find: string, replace: string, why: string])[]
): readonly Fault[] {
  return faults.map(([file, find, replace, why]) => ({ file: `${folder}/${file}`, find, replace, why }));
}
