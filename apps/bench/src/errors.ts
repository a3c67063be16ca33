/** Exit code of a run that did what was asked. */
export const EXIT_OK = 0;
/** Exit code when a check of the results failed or something unforeseen happened: not the caller's fault. */
export const EXIT_INTERNAL = 1;
/** Exit code for a command line or an input that cannot be used. */
const EXIT_USAGE = 2;

/** An error that ends the run with a message and an exit code, without a stack trace. */
export abstract class ExitError extends Error {
  abstract readonly exitCode: number;
}

/** The command line or the input cannot be used; the message says what to change. */
export class UsageError extends ExitError {
  override readonly name = 'UsageError';
  readonly exitCode = EXIT_USAGE;
}

/** A result is wrong: a translation, a count, a leaked frame. Never the caller's fault. */
export class CheckError extends ExitError {
  override readonly name = 'CheckError';
  readonly exitCode = EXIT_INTERNAL;
}
