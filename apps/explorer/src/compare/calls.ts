import type { LayoutComparison } from '@vmarea/compare';

/** The calls of the worker behind Compare. */
export type CompareCalls = {
  readonly compare: {
    readonly ask: { readonly text: string; readonly name: string; readonly skipBad: boolean };
    readonly answer: {
      readonly comparison: LayoutComparison;
      /** What would change on pages of other sizes, in sentences. */
      readonly sentence: string;
    };
  };
};
