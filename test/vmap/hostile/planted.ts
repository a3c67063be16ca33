/** An error that a hostile argument throws by itself: it may pass through a call, nothing else but a VmError may. */
export class Planted extends Error {
  override readonly name = 'Planted';
  /** True when the flush sink threw it, or who takes frames back: then an area may be freed all the same. */
  readonly isOfSink: boolean;

  constructor(where: 'argument' | 'sink') {
    super(`planted in ${where}`);
    this.isOfSink = where === 'sink';
  }
}

/** What the judge found. */
export class Escape extends Error {
  override readonly name = 'Escape';
}
