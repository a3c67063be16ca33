/** A result is wrong: a translation, a count, a frame that leaked. That is a mistake of vmarea, not of its caller. */
export class WrongResult extends Error {
  /** Always `WrongResult`, as a stack trace shows it. */
  override readonly name = 'WrongResult';
}
