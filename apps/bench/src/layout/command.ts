import type { Console } from '@vmarea/cli';
import {
  choose,
  memoryLimit,
  oneOf,
  progress,
  SEED,
  UsageError,
  type ValuesOf,
  wholeNumber,
} from '@vmarea/cli';
import {
  type LayoutRow as ComparedRow,
  type LeafPolicy,
  lengthOf,
  type Plan,
  planLayout,
  planWarnings,
  readAreas,
  rebuildLayout,
  warmUpRounds,
} from '@vmarea/compare';
import { printable } from '@vmarea/core';
import type { ArgsDef } from 'citty';
import { installedFormats } from '../formats.js';
import { HTML_OPTION, reportFile } from '../html/file.js';
import { readInput } from '../input/read-input.js';
import { refusingInput } from '../input/refusals.js';
import { thisMachine } from '../machine.js';
import { checkPlans } from './limits.js';
import { mapFile } from './map.js';
import { layoutPage } from './page.js';
import { ranking } from './ranking.js';
import { layoutReport } from './report.js';
import { type LayoutResult, layoutRow } from './result.js';

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
    description:
      'Rounds of each row, 1 to 1000 (default: 11 where times are shown: --details, --json, --html; else 1)',
  },
  seed: {
    type: 'string',
    valueHint: 'N',
    description: 'Seed of frames and sampled addresses (default: 1)',
  },
  details: {
    type: 'boolean',
    description: 'Also show all counts and times of each row (default: the ranking alone)',
  },
  html: HTML_OPTION,
  svg: {
    type: 'string',
    valueHint: 'FILE',
    description: 'Also write the areas of the cheapest row as an image to this file',
  },
  json: { type: 'boolean', description: 'Print one JSON object instead of tables' },
} as const satisfies ArgsDef;

/** The values of the options, unchecked. */
export type LayoutArguments = ValuesOf<typeof layoutArguments>;

/** Runs `vmarea-bench layout` and writes its result. */
export async function runLayout(args: LayoutArguments, io: Console): Promise<void> {
  // The ranking alone has no times. Eleven rounds of all formats take four times as long as one.
  const isTimed = args.details === true || args.json === true || args.html !== undefined;
  const repeat = wholeNumber('repeat', args.repeat, { min: 1, max: 1000, fallback: isTimed ? 11 : 1 });
  const seed = wholeNumber('seed', args.seed, SEED);
  const policies = leafPolicies(args.leaves);
  const pageSize = pageSizeOption(args['page-size']);
  const page = reportFile('--html', args.html, io);
  const image = reportFile('--svg', args.svg, io);
  const installed = await installedFormats(io.cwd);
  const configurations = choose(installed, args.format);

  if (args.vmallocinfo === '-' && io.stdin.isTTY === true) {
    io.stderr.write('Reading /proc/vmallocinfo from standard input; end it with Ctrl-D.\n');
  }
  const input = await readInput(args.vmallocinfo, io.stdin);
  const { summary, requests } = refusingInput(() =>
    readAreas(input.text, {
      ...{ name: input.file, pageSizeName: '--page-size', skipBad: args['skip-bad'] === true },
      ...(pageSize === undefined ? {} : { pageSize }),
    }),
  );
  const plans = configurations.flatMap((configuration) =>
    policies.map((policy) => planLayout(requests, configuration, policy)),
  );
  checkPlans(plans, input.file, memoryLimit());

  const warmUpOf = (plan: Plan): number => (isTimed ? warmUpRounds(plan) : 0);
  const compared: ComparedRow[] = [];
  const bar = progress(
    io,
    Math.max(
      1,
      plans.reduce((sum, one) => sum + lengthOf(one, warmUpOf(one) + repeat), 0),
    ),
  );
  try {
    for (const one of plans) {
      const what = `${one.configuration.name}, ${one.leafPolicy} leaves`;
      const warmUp = warmUpOf(one);
      const step = (pages: number): Promise<void> => bar.step(what, pages);
      const now = (): number => performance.now();
      compared.push(await rebuildLayout(one, { seed, repeat, warmUp, now, step }));
    }
  } finally {
    bar.end();
  }

  const result: LayoutResult = {
    command: 'layout',
    schema: 1,
    machine: thisMachine(),
    input: { file: input.file, title: input.title, ...summary },
    seed,
    repeat,
    rows: compared.map(layoutRow),
    warnings: [...installed.warnings, ...plans.flatMap(planWarnings)],
  };
  io.stdout.write(
    args.json === true
      ? `${JSON.stringify(result, null, 2)}\n`
      : layoutReport(result, compared, io, args.details === true),
  );
  page?.write(layoutPage(result, compared));
  const [cheapest] = ranking(compared)[0]?.rows ?? [];
  if (cheapest !== undefined) image?.write(mapFile(cheapest));
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
