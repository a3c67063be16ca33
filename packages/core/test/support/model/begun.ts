import type { Prediction } from './predict.js';
import type { WorldState } from './state.js';

/** The outcome of a call: its result, or why it was refused. */
export interface Outcome {
  readonly refusal: string | null;
  readonly result: unknown;
}

/** A call that is about to be made: what it must do, and the state before it. */
export interface Begun {
  readonly expected: Prediction;
  readonly before: WorldState;
  readonly flushes: number;
  /** By batch: tables that wait, and ranges that are owed. */
  readonly held: readonly number[];
  readonly owed: readonly number[];
  readonly isOwed: boolean;
}
