import type { ValuesOf } from '@vmarea/cli';
import type { ArgsDef } from 'citty';
import { HTML_OPTION } from '../html/file.js';

/** The options of `vmarea-bench speed`. */
export const speedArguments = {
  workload: {
    type: 'string',
    valueHint: 'ID[,ID]',
    description: 'Only these workloads; W4 means W4.random, W4.cursor and so on (default: all)',
  },
  format: { type: 'string', valueHint: 'NAME[,NAME]', description: 'Only these formats (default: all)' },
  variant: {
    type: 'string',
    valueHint: 'wasm|array|c[,…]',
    description: 'Only these columns (default: all)',
  },
  pages: {
    type: 'string',
    valueHint: 'N',
    description:
      'Base pages that scale all workloads, 64 to 1048576 (default: 262144); with --workers those of each, a multiple of 64 up to 65536 (default: 4096)',
  },
  repeat: {
    type: 'string',
    valueHint: 'N',
    description: 'Measured rounds of each process, 1 to 1000 (default: 7; with --workers 21)',
  },
  passes: {
    type: 'string',
    valueHint: 'N',
    description: 'New processes for each column, 1 to 100 (default: 4)',
  },
  seed: { type: 'string', valueHint: 'N', description: 'Seed of frames and addresses (default: 1)' },
  'warm-up': {
    type: 'string',
    valueHint: 'MS',
    description:
      'Minimum warm-up of each process in milliseconds, 0 to 60000; 0 means one round (default: 300)',
  },
  quick: {
    type: 'boolean',
    description:
      'Small and rough, in seconds: 16384 pages, one process for each column, and which columns agree',
  },
  compare: {
    type: 'string',
    valueHint: 'FILE',
    description: 'Compare with an earlier result of speed --json, with a verdict for each time',
  },
  workers: {
    type: 'string',
    valueHint: 'N',
    description: 'Only measure how N workers scale over one address space, 2 to 16',
  },
  html: HTML_OPTION,
  json: { type: 'boolean', description: 'Print one JSON object instead of tables' },
  markdown: { type: 'boolean', description: 'Print Markdown instead of tables for a terminal' },
} as const satisfies ArgsDef;

/** The values of the options, unchecked. */
export type SpeedArguments = ValuesOf<typeof speedArguments>;
