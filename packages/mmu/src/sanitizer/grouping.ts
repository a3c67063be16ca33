/** Joins neighbours that are alike, so that 512 equal changes are told once. */
export class Grouping<K> {
  readonly #tell: (from: number, to: number, kind: K) => void;
  #from = 0;
  #kind: K | null = null;
  #flags: unknown = null;

  /** @param tell - is given the first and the one after the last of a group. */
  constructor(tell: (from: number, to: number, kind: K) => void) {
    this.#tell = tell;
  }

  /**
   * Adds the next one.
   *
   * @param kind - `null` for one that is not told.
   * @param flags - must be the same object in a group.
   * @param mayJoin - false when it must not be in a group with the one before.
   */
  add(at: number, kind: K | null, flags: unknown, mayJoin: boolean): void {
    if (mayJoin && kind === this.#kind && flags === this.#flags) return;
    this.end(at);
    this.#from = at;
    this.#kind = kind;
    this.#flags = flags;
  }

  /** Tells the last group. */
  end(at: number): void {
    if (this.#kind !== null) this.#tell(this.#from, at, this.#kind);
    this.#kind = null;
  }
}
