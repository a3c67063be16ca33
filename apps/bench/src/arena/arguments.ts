import { SEED, UsageError, type ValuesOf, wholeNumber } from '@vmarea/cli';
import type { ArgsDef } from 'citty';
import type { Plan } from './result.js';

/** The options of `vmarea-bench arena`. */
export const arenaArguments = {
  format: {
    type: 'string',
    valueHint: 'NAME[,NAME]|all',
    description: 'Only these formats (default: one for each architecture and page size)',
  },
  repeat: { type: 'string', valueHint: 'N', description: 'Measured rounds, 1 to 1000 (default: 9)' },
  seed: {
    type: 'string',
    valueHint: 'N',
    description: 'Seed of the order of faults and frees, and of addresses (default: 1)',
  },
  'warm-up': {
    type: 'string',
    valueHint: 'MS',
    description: 'Minimum warm-up of each part in milliseconds, 0 to 60000; 0 means one round (default: 150)',
  },
  workers: {
    type: 'string',
    valueHint: 'N',
    description: 'Only measure how N workers scale in one arena, 2 to 16',
  },
  quick: { type: 'boolean', description: 'Only check the results: a small run without times' },
  json: { type: 'boolean', description: 'Print one JSON object instead of tables' },
  markdown: { type: 'boolean', description: 'Print Markdown instead of tables for a terminal' },
} as const satisfies ArgsDef;

/** The values of the options, unchecked. */
export type ArenaArguments = ValuesOf<typeof arenaArguments>;

/** V8 compiles code that has run often, and a round has few calls with many pages. */
const LEAST_WARM_UP = 4;

/**
 * Checks the values of the options.
 *
 * @throws UsageError for a number out of range, and for two kinds of output.
 */
export function planOf(args: ArenaArguments): Plan {
  if (args.json === true && args.markdown === true)
    throw new UsageError('--json and --markdown exclude each other; give one of them');
  const quick = args.quick === true;
  const warmUpMs = wholeNumber('warm-up', args['warm-up'], {
    min: 0,
    max: 60_000,
    fallback: quick ? 0 : 150,
  });
  return {
    seed: wholeNumber('seed', args.seed, SEED),
    repeat: wholeNumber('repeat', args.repeat, { min: 1, max: 1000, fallback: quick ? 2 : 9 }),
    warmUp: warmUpMs === 0 ? 1 : LEAST_WARM_UP,
    warmUpMs,
    quick,
  };
}
