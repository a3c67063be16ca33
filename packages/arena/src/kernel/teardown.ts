/**
 * The steps of a free in which a caller's code runs: flushes, zaps, pauses. When one throws, the free goes on at that step
 * at the next run of the worker. So no page and no slot is lost, and none is given out too early.
 */
export abstract class Teardown {
  readonly #steps: number;
  #next = 0;

  /** @param steps - how many there are. */
  constructor(steps: number) {
    this.#steps = steps;
  }

  /** Does what is left. */
  run(): void {
    for (; this.#next < this.#steps; this.#next++) this.step(this.#next);
  }

  /** Does a step. */
  protected abstract step(index: number): void;
}

/** Steps that are functions. */
export class TeardownList extends Teardown {
  readonly #list: readonly (() => void)[];

  constructor(list: readonly (() => void)[]) {
    super(list.length);
    this.#list = list;
  }

  protected override step(index: number): void {
    this.#list[index]?.();
  }
}
