import { oneOf, SEED, type ValuesOf, wholeNumber } from '@vmarea/cli';
import type { LinuxRelease } from '@vmarea/core';
import type { ArgsDef } from 'citty';
import { HTML_OPTION } from '../html/file.js';

/** The options of `vmarea-bench workload`. */
export const workloadArguments = {
  name: {
    type: 'positional',
    required: false,
    valueHint: 'NAME[,NAME]|all',
    description: 'Only these cases (default: those of --run-test-mask)',
  },
  'run-test-mask': {
    type: 'string',
    valueHint: 'N',
    description: 'Instead of NAME: a bit for each case, 1 to 8191 (default: 7, the first three)',
  },
  format: { type: 'string', valueHint: 'NAME[,NAME]', description: 'Only these formats (default: all)' },
  'sequential-test-order': {
    type: 'boolean',
    description: 'Run cases in the order of their bits (default: a random order)',
  },
  'test-repeat-count': {
    type: 'string',
    valueHint: 'N',
    description: 'Repetitions of each case, 1 to 1000 (default: 1)',
  },
  'test-loop-count': {
    type: 'string',
    valueHint: 'N',
    description: 'Loops of a case, 1 to 100000000 (default: 10000; in the module 1000000)',
  },
  'nr-pages': {
    type: 'string',
    valueHint: 'N',
    description:
      'Pages of an allocation where the case does not fix them, 0 to 262144 (default: 0, one page)',
  },
  'use-huge': { type: 'boolean', description: 'fix_size_alloc_test calls vmalloc_huge' },
  'nr-pcpu-objects': {
    type: 'string',
    valueHint: 'N',
    description: 'Objects of pcpu_alloc_test, 1 to 1000000 (default: 35000)',
  },
  release: {
    type: 'string',
    valueHint: '6.12|2026',
    description: 'The behaviour of Linux 6.12, or of Linux in mid-2026 (default: 6.12)',
  },
  cpus: {
    type: 'string',
    valueHint: 'N',
    description: 'Processors of the machine, 1 to 128 (default: 1)',
  },
  seed: { type: 'string', valueHint: 'N', description: 'Seed of sizes and of the order (default: 1)' },
  html: HTML_OPTION,
  json: { type: 'boolean', description: 'Print one JSON object instead of lines and a table' },
} as const satisfies ArgsDef;

/** The values of the options, unchecked. */
export type WorkloadArguments = ValuesOf<typeof workloadArguments>;

/** The parameters of lib/test_vmalloc.c and of its machine. */
export interface Parameters {
  /** True: cases run in the order of their bits. False: in a random order (sequential_test_order). */
  readonly sequentialTestOrder: boolean;
  readonly testRepeatCount: number;
  readonly testLoopCount: number;
  /** At least 1. An option of 0 means 1, as in the module. */
  readonly nrPages: number;
  readonly useHuge: boolean;
  readonly nrPcpuObjects: number;
  readonly seed: number;
  readonly release: LinuxRelease;
  readonly cpus: number;
}

const RELEASES: readonly LinuxRelease[] = ['6.12', '2026'];

/**
 * Checks the values of the options.
 *
 * @throws UsageError for a number out of range, or an unknown release.
 */
export function parametersOf(args: WorkloadArguments): Parameters {
  return {
    sequentialTestOrder: args['sequential-test-order'] === true,
    testRepeatCount: wholeNumber('test-repeat-count', args['test-repeat-count'], {
      min: 1,
      max: 1000,
      fallback: 1,
    }),
    testLoopCount: wholeNumber('test-loop-count', args['test-loop-count'], {
      min: 1,
      max: 100_000_000,
      fallback: 10_000,
    }),
    nrPages: Math.max(1, wholeNumber('nr-pages', args['nr-pages'], { min: 0, max: 2 ** 18, fallback: 0 })),
    useHuge: args['use-huge'] === true,
    nrPcpuObjects: wholeNumber('nr-pcpu-objects', args['nr-pcpu-objects'], {
      min: 1,
      max: 1_000_000,
      fallback: 35_000,
    }),
    seed: wholeNumber('seed', args.seed, SEED),
    release: oneOf('--release', args.release, RELEASES, '6.12'),
    cpus: wholeNumber('cpus', args.cpus, { min: 1, max: 128, fallback: 1 }),
  };
}
