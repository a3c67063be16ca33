/** The exit code of a run that succeeds. */
export const EXIT_OK = 0;
/** The exit code when a check of the results fails, and for internal errors. */
export const EXIT_INTERNAL = 1;
/** The exit code for an invalid command line or input. */
const EXIT_USAGE = 2;

/** An error that ends the run with a message and an exit code, without a stack trace. */
export abstract class ExitError extends Error {
  abstract readonly exitCode: number;
}

/** The command line or the input is invalid. The message says what to change. */
export class UsageError extends ExitError {
  override readonly name = 'UsageError';
  readonly exitCode = EXIT_USAGE;
}

/** A result is wrong: a translation, a count, a leaked frame. This is a bug, not a mistake of the caller. */
export class CheckError extends ExitError {
  override readonly name = 'CheckError';
  readonly exitCode = EXIT_INTERNAL;
}
