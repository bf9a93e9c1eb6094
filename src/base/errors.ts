/** Every error Fairlead throws on purpose. Its message is one sentence: what was wrong, what was wanted, what to do. */
export class FairleadError extends Error {
  override readonly name: string = "FairleadError";
}

/** The caller asked for something that cannot be: a wrong option, label, name or value. The CLI exits with 2. */
export class UsageError extends FairleadError {
  override readonly name = "UsageError";
}

/** A file is not what it should be: truncated, corrupted, of another kind. The CLI exits with 1. */
export class FileError extends FairleadError {
  override readonly name = "FileError";
}
