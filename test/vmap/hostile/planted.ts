/** An error that a hostile argument throws. Only this and a VmError may pass through a call. */
export class Planted extends Error {
  override readonly name = 'Planted';
  /** True when the flush sink or the release callback threw it: then an area may be freed nevertheless. */
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
