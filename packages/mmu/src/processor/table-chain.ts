import type { PathStep } from './path-step.js';

/**
 * Tables whose entries have the same attributes at all levels, as kernels make them. A walk compares with one mask and value on
 * its whole way down, and asks nothing else of them.
 */
export class TableChain {
  declare readonly maskLo: number;
  declare readonly maskHi: number;
  declare readonly valueLo: number;
  declare readonly valueHi: number;
  /** The accesses that may go on at once at all levels. */
  declare readonly ready: number;
  /** The step after each number of such entries: the root's first. */
  readonly steps: readonly PathStep[];

  /**
   * @param steps - the root's step, then those of alike tables.
   * @param open - the accesses that may use the root, as a mask.
   * @param highLo - entry bits of a frame number at or above 2^32, which must be 0.
   */
  constructor(steps: readonly PathStep[], open: number, highLo: number, highHi: number) {
    const [, first] = steps;
    // With the root alone, no entry meets the value.
    this.maskLo = (first === undefined ? 0 : first.maskLo | highLo) | 0;
    this.maskHi = (first === undefined ? 0 : first.maskHi | highHi) | 0;
    this.valueLo = (first?.valueLo ?? 1) | 0;
    this.valueHi = (first?.valueHi ?? 0) | 0;
    this.ready = steps.reduce((all, { ready }) => all & ready, open) | 0;
    this.steps = steps;
  }

  /** True when a step is one more of the tables that are alike. */
  static isAlike(one: PathStep, other: PathStep): boolean {
    return (
      one.maskLo === other.maskLo &&
      one.maskHi === other.maskHi &&
      one.valueLo === other.valueLo &&
      one.valueHi === other.valueHi
    );
  }
}
