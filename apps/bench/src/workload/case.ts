import type { Configuration } from '@vmarea/core';
import type { Random } from '../random.js';
import type { Parameters } from './parameters.js';
import type { Run } from './run.js';

/** A case of lib/test_vmalloc.c. Its bit in a mask is its place in the list. */
export interface TestCase {
  readonly name: string;
  /** A failure counts as one that was expected (test_xfail). */
  readonly isExpectedToFail: boolean;
  /** The most frames that it holds at one time. */
  readonly frames: (parameters: Parameters, configuration: Configuration) => number;
  /** True when it reads and writes no page: it gets frames without bytes. */
  readonly isBlind?: boolean;
  /** Makes the case once; false where the module's function returns an error. */
  readonly test: (context: Context) => boolean;
}

/** What a case gets. */
export interface Context {
  readonly run: Run;
  readonly parameters: Parameters;
  readonly random: Random;
}

/** Bytes of a pointer of the kernels under test. */
export const POINTER_BYTES = 8;

/** Frames of so many pages of vmalloc: the array of its pages is vmalloc memory too where it is longer than a page. */
export function vmallocFrames(pages: number, pageBytes: number): number {
  const array = pages * POINTER_BYTES;
  return array <= pageBytes ? pages : pages + vmallocFrames(Math.ceil(array / pageBytes), pageBytes);
}
