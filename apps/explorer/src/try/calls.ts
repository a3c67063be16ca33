import type { LevelView } from '../look/calls.js';

/** A table at a step. */
export interface TableNode {
  /** Index into the levels of its space. */
  readonly level: number;
  readonly pa: bigint;
  readonly va: bigint;
  readonly entries: number;
  /** Runs of cells that look alike: first, last, number of the look. Cells in no run are nothing. */
  readonly runs: readonly (readonly [first: number, last: number, look: number])[];
}

/** An area at a step. */
export interface AreaView {
  readonly start: bigint;
  readonly end: bigint;
  /** What /proc/vmallocinfo says behind the size. */
  readonly text: string;
  /** A freed area that waits for its purge. */
  readonly isWaiting: boolean;
}

/** A page table, a kernel or a process at a step. */
export interface SpaceView {
  readonly name: string;
  readonly format: string;
  readonly levels: readonly LevelView[];
  readonly areas: readonly AreaView[];
  /** As /proc/vmallocinfo shows them; `null` for what has no areas. */
  readonly vmallocinfo: string | null;
  /** Those that hold something, root first. */
  readonly tables: readonly TableNode[];
  /** Tables in which all entries are 0, and those that are too many to draw. */
  readonly empty: number;
  readonly more: number;
}

/** A call that changed something, or made an access. */
export interface Step {
  /** Its number among all calls, from 1. Numbers are missing where a program makes more calls than are recorded. */
  readonly number: number;
  /** `kernel.vmalloc(12288)`. */
  readonly call: string;
  /** What it returned; `null` when it threw. */
  readonly result: string | null;
  /** The message of what it threw. */
  readonly error: string | null;
  /** Line of the program, from 1; `null` when nobody knows it. */
  readonly line: number | null;
  /** Lines of output before the call. */
  readonly printed: number;
  /** Flushes that its sinks were asked for, in all. */
  readonly flushes: number;
  /** After the call. A space that is as it was before is the same number in `Recorded.views`. */
  readonly spaces: readonly number[];
}

/** What a program did, or what it did since it was told last. */
export interface Recorded {
  readonly steps: readonly Step[];
  /** All different states of spaces. */
  readonly views: readonly SpaceView[];
  readonly output: readonly string[];
}

/** How a program ended. */
export interface RunEnd {
  /** What ended it; `null` when it ended by itself. */
  readonly error: { readonly message: string; readonly line: number | null } | null;
  /** All calls that it made, with those that are not recorded. */
  readonly calls: number;
}

/** The calls of the worker that runs programs. It tells of each step at once: it may be ended at any time. */
export type TryCalls = {
  readonly run: { readonly ask: { readonly code: string }; readonly answer: RunEnd; readonly part: Recorded };
};
