import type { Random } from '@vmarea/compare';
import type { Configuration } from '@vmarea/core';
import type { Parameters } from './parameters.js';
import type { Run } from './run.js';

/** A case of lib/test_vmalloc.c. Its bit in a mask is its place in the list. */
export interface TestCase {
  readonly name: string;
  /** True when a failure counts as expected (test_xfail). */
  readonly isExpectedToFail: boolean;
  /** The most frames that it holds at the same time. */
  readonly frames: (parameters: Parameters, configuration: Configuration) => number;
  /** True when it neither reads nor writes pages. Then its frames have no bytes. */
  readonly isBlind?: boolean;
  /** Runs the case once. Returns false where the module's function returns an error. */
  readonly test: (context: Context) => boolean;
}

/** The context of a case. */
export interface Context {
  readonly run: Run;
  readonly parameters: Parameters;
  readonly random: Random;
}

/** Bytes of a pointer in the tested kernels. */
export const POINTER_BYTES = 8;

/** The frames for pages of vmalloc. The array of the pages is vmalloc memory too, if it exceeds a page. */
export function vmallocFrames(pages: number, pageBytes: number): number {
  const array = pages * POINTER_BYTES;
  return array <= pageBytes ? pages : pages + vmallocFrames(Math.ceil(array / pageBytes), pageBytes);
}
