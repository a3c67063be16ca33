import type { LayoutComparison } from '@vmarea/compare';

/** The calls of the worker behind Compare. */
export type CompareCalls = {
  readonly compare: {
    readonly ask: {
      readonly text: string;
      readonly name: string;
      readonly skipBad: boolean;
      /** All configurations of the project; else those of common machines, which takes a third of the time. */
      readonly isAll: boolean;
      /** Of these the one with this name alone, if it is among them. */
      readonly only: string | null;
    };
    readonly answer: {
      readonly comparison: LayoutComparison;
      /** True when it has the format of `only` alone. */
      readonly isPart: boolean;
      /** What would change on pages of other sizes, in sentences. */
      readonly sentence: string;
    };
  };
};
