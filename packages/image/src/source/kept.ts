/** Keeps what was used last, up to a number of things. */
export class Kept<V> {
  readonly #most: number;
  readonly #values = new Map<number, V>();

  /** @param most - how many things are kept. */
  constructor(most: number) {
    this.#most = most;
  }

  /** What is kept by a number, made when it is not. */
  get(key: number, make: () => V): V {
    const found = this.#values.get(key);
    if (found !== undefined) {
      this.#values.delete(key);
      this.#values.set(key, found);
      return found;
    }
    const made = make();
    if (this.#values.size >= this.#most) this.#values.delete(this.#values.keys().next().value as number);
    this.#values.set(key, made);
    return made;
  }
}
