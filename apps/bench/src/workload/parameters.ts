import type { LinuxRelease } from '@vmarea/core';
import type { ArgsDef } from 'citty';
import { oneOf, SEED, type ValuesOf, wholeNumber } from '../options.js';

/** The options of `vmarea-bench workload`. */
export const workloadArguments = {
  name: {
    type: 'positional',
    required: false,
    valueHint: 'NAME[,NAME]|all',
    description: 'Only these cases (those of --run-test-mask when absent)',
  },
  'run-test-mask': {
    type: 'string',
    valueHint: 'N',
    description: 'In place of NAME: a bit for each case, 1 to 8191 (7 when absent: the first three)',
  },
  format: { type: 'string', valueHint: 'NAME[,NAME]', description: 'Only these formats (all when absent)' },
  'sequential-test-order': {
    type: 'boolean',
    description: 'Run cases in the order of their bits, not in a drawn one',
  },
  'test-repeat-count': {
    type: 'string',
    valueHint: 'N',
    description: 'Repetitions of each case, 1 to 1000 (1 when absent)',
  },
  'test-loop-count': {
    type: 'string',
    valueHint: 'N',
    description: 'Loops of a case, 1 to 100000000 (10000 when absent; the module: 1000000)',
  },
  'nr-pages': {
    type: 'string',
    valueHint: 'N',
    description: 'Pages of an allocation where a case does not say, 0 to 262144 (0 when absent: one page)',
  },
  'use-huge': { type: 'boolean', description: 'fix_size_alloc_test takes vmalloc_huge' },
  'nr-pcpu-objects': {
    type: 'string',
    valueHint: 'N',
    description: 'Objects of pcpu_alloc_test, 1 to 1000000 (35000 when absent)',
  },
  release: {
    type: 'string',
    valueHint: '6.12|2026',
    description: "Whose behaviour: Linux 6.12's, or that of mid-2026 (6.12 when absent)",
  },
  cpus: {
    type: 'string',
    valueHint: 'N',
    description: 'Processors of the machine, 1 to 128 (1 when absent)',
  },
  seed: { type: 'string', valueHint: 'N', description: 'Seed of sizes and of the order (1 when absent)' },
  json: { type: 'boolean', description: 'Print one JSON object instead of lines and a table' },
} as const satisfies ArgsDef;

/** Values as the command line gives them. */
export type WorkloadArguments = ValuesOf<typeof workloadArguments>;

/** The parameters of lib/test_vmalloc.c, and of the machine under it. */
export interface Parameters {
  /** Cases in the order of their bits; else in a drawn one (sequential_test_order). */
  readonly sequentialTestOrder: boolean;
  readonly testRepeatCount: number;
  readonly testLoopCount: number;
  /** At least 1, also where 0 was given, as in the module. */
  readonly nrPages: number;
  readonly useHuge: boolean;
  readonly nrPcpuObjects: number;
  readonly seed: number;
  readonly release: LinuxRelease;
  readonly cpus: number;
}

const RELEASES: readonly LinuxRelease[] = ['6.12', '2026'];

/**
 * The checked values of the options.
 *
 * @throws UsageError for a number out of range, or a release that is not known.
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
