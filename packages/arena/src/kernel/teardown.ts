/**
 * The steps of a free in which a caller's code runs: flushes, zaps, pauses. When one throws, the free goes on at that step
 * at the next run of the worker. So no page and no slot is lost, and none is given out too early.
 */
export class Teardown {
  readonly #steps: readonly (() => void)[];
  #next = 0;

  constructor(steps: readonly (() => void)[]) {
    this.#steps = steps;
  }

  /** Does what is left. */
  run(): void {
    for (; this.#next < this.#steps.length; this.#next++) this.#steps[this.#next]?.();
  }
}
