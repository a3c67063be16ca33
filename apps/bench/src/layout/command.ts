import type { Console } from '@vmarea/cli';
import {
  choose,
  memoryLimit,
  oneOf,
  plural,
  progress,
  SEED,
  UsageError,
  type ValuesOf,
  wholeNumber,
} from '@vmarea/cli';
import { printable } from '@vmarea/core';
import type { ArgsDef } from 'citty';
import { installedFormats } from '../formats.js';
import { readInput } from '../input/read-input.js';
import { readSkippingBad, readVmallocinfo, type SkippedLines } from '../input/vmallocinfo.js';
import { KINDS, type Workload, workload } from '../input/workload.js';
import { thisMachine } from '../machine.js';
import type { LeafPolicy } from './kernel.js';
import { checkPlans } from './limits.js';
import { type Plan, plan } from './plan.js';
import { lengthOf, rebuild, warmUpRounds } from './rebuild.js';
import { layoutReport } from './report.js';
import type { LayoutInput, LayoutResult, LayoutRow } from './result.js';

/** The options of `vmarea-bench layout`. */
export const layoutArguments = {
  vmallocinfo: {
    type: 'string',
    valueHint: 'FILE',
    description: 'A /proc/vmallocinfo, plain or gzip; - is standard input (default: the bundled guest)',
  },
  'skip-bad': {
    type: 'boolean',
    description:
      'Pass over lines that cannot be read; count and show them (default: the first one ends the run)',
  },
  'page-size': {
    type: 'string',
    valueHint: 'BYTES',
    description: 'Page size of the kernel that wrote the file (default: found from its lines)',
  },
  format: { type: 'string', valueHint: 'NAME[,NAME]', description: 'Only these formats (default: all)' },
  leaves: {
    type: 'string',
    valueHint: 'base|huge|both',
    description: 'Leaf policies to compare (default: both)',
  },
  repeat: {
    type: 'string',
    valueHint: 'N',
    description: 'Measured rounds of each row, 1 to 1000 (default: 11)',
  },
  seed: {
    type: 'string',
    valueHint: 'N',
    description: 'Seed of frames and sampled addresses (default: 1)',
  },
  json: { type: 'boolean', description: 'Print one JSON object instead of tables' },
} as const satisfies ArgsDef;

const NONE_SKIPPED: SkippedLines = { lines: 0, first: [] };

/** The values of the options, unchecked. */
export type LayoutArguments = ValuesOf<typeof layoutArguments>;

/** Runs `vmarea-bench layout` and writes its result. */
export async function runLayout(args: LayoutArguments, io: Console): Promise<void> {
  const repeat = wholeNumber('repeat', args.repeat, { min: 1, max: 1000, fallback: 11 });
  const seed = wholeNumber('seed', args.seed, SEED);
  const policies = leafPolicies(args.leaves);
  const pageSize = pageSizeOption(args['page-size']);
  const installed = await installedFormats(io.cwd);
  const configurations = choose(installed, args.format);

  if (args.vmallocinfo === '-' && io.stdin.isTTY === true) {
    io.stderr.write('Reading /proc/vmallocinfo from standard input; end it with Ctrl-D.\n');
  }
  const input = await readInput(args.vmallocinfo, io.stdin);
  const { lines, skipped } =
    args['skip-bad'] === true
      ? readSkippingBad(input.text, input.file)
      : { lines: readVmallocinfo(input.text, input.file), skipped: NONE_SKIPPED };
  const work = workload(lines, input.file, pageSize);
  const plans = configurations.flatMap((configuration) =>
    policies.map((policy) => plan(work.requests, configuration, policy)),
  );
  checkPlans(plans, input.file, memoryLimit());

  const rows: LayoutRow[] = [];
  const bar = progress(
    io,
    Math.max(
      1,
      plans.reduce((sum, one) => sum + lengthOf(one, warmUpRounds(one) + repeat), 0),
    ),
  );
  try {
    for (const one of plans) {
      const what = `${one.configuration.name}, ${one.leafPolicy} leaves`;
      const warmUp = warmUpRounds(one);
      rows.push(await rebuild(one, { seed, repeat, warmUp, step: (pages) => bar.step(what, pages) }));
    }
  } finally {
    bar.end();
  }

  const result: LayoutResult = {
    command: 'layout',
    schema: 1,
    machine: thisMachine(),
    input: { ...describe(work, input.file, input.title), skipped },
    seed,
    repeat,
    rows,
    warnings: [...installed.warnings, ...plans.flatMap(planWarnings)],
  };
  io.stdout.write(args.json === true ? `${JSON.stringify(result, null, 2)}\n` : layoutReport(result, io));
}

function leafPolicies(value: string | undefined): readonly LeafPolicy[] {
  const chosen = oneOf('--leaves', value, ['base', 'huge', 'both'], 'both');
  return chosen === 'both' ? ['base', 'huge'] : [chosen];
}

function pageSizeOption(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const bytes = /^\d{4,5}$/.test(value) ? Number(value) : Number.NaN;
  if (!(bytes >= 4096 && bytes <= 65536 && Number.isInteger(Math.log2(bytes)))) {
    throw new UsageError(
      `--page-size must be a power of two from 4096 to 65536, in bytes, not '${printable(value)}'`,
    );
  }
  return bytes;
}

function describe(work: Workload, file: string, title: string): Omit<LayoutInput, 'skipped'> {
  const areas = Object.fromEntries(
    KINDS.map(
      (kind) => [kind, work.requests.filter((request) => request.kind === kind).length] as const,
    ).filter(([, number]) => number > 0),
  );
  return {
    file,
    title,
    lines: work.lines,
    pageBytes: work.pageBytes,
    pageBytesFrom: work.pageBytesFrom,
    guardPages: work.guardPages,
    areas,
    unpurged: work.unpurged,
    hashedLines: work.hashed,
    unknownWords: Object.fromEntries(work.unknownWords),
  };
}

function planWarnings({ configuration, leafPolicy, doesNotFit, unreachable }: Plan): string[] {
  const who = `${configuration.name}, ${leafPolicy} leaves`;
  const lines = (requests: Plan['doesNotFit']): string => {
    const shown = requests.slice(0, 5).map((request) => request.line);
    return `line ${shown.join(', ')}${requests.length > shown.length ? ', …' : ''}`;
  };
  const warnings: string[] = [];
  if (doesNotFit.length > 0) {
    warnings.push(
      `${who}: the vmalloc window has no room for ${plural(doesNotFit.length, 'area')} (${lines(doesNotFit)})`,
    );
  }
  if (unreachable.length > 0) {
    warnings.push(
      `${who}: ${plural(unreachable.length, 'area')} left empty, since the physical addresses exceed ` +
        `${configuration.format.paBits} bits (${lines(unreachable)})`,
    );
  }
  return warnings;
}
