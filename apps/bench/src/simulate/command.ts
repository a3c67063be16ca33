import { resolve } from 'node:path';
import type { Console } from '@vmarea/cli';
import {
  chooseUsual,
  count,
  type Installed,
  memoryLimit,
  oneOf,
  progress,
  SEED,
  UsageError,
  type ValuesOf,
  wholeNumber,
} from '@vmarea/cli';
import { AccessCase, type FrameOrder, TableBudget, type WalkCacheChoice } from '@vmarea/compare';
import { printable } from '@vmarea/core';
import type { ArgsDef } from 'citty';
import { appFile } from '../app-root.js';
import { installedFormats } from '../formats.js';
import { HTML_OPTION, reportFile } from '../html/file.js';
import { type BackingChoice, backingsFor, checkedBacking } from './backing-choice.js';
import { leafChoices } from './leaf-choices.js';
import { simulatePage } from './page.js';
import { presetChoice } from './presets.js';
import { refusing } from './refusing.js';
import { simulateReport } from './report.js';
import type { SimulateResult } from './result.js';
import { simulate, survey } from './run.js';
import { TRACE_FORMATS, type TraceFormat } from './trace/recognize.js';
import { openTrace, type TraceSource } from './trace/source.js';

/** The options of `vmarea-bench simulate`. */
export const simulateArguments = {
  trace: {
    type: 'positional',
    required: false,
    valueHint: 'TRACE',
    description: 'A trace, plain or gzip; - is standard input (default: the bundled one)',
  },
  'trace-format': {
    type: 'string',
    valueHint: TRACE_FORMATS.join('|'),
    description: 'The format of the trace (default: told by its content)',
  },
  format: {
    type: 'string',
    valueHint: 'NAME[,NAME]|all',
    description: 'Only these formats (default: one for each architecture and page size)',
  },
  leaves: {
    type: 'string',
    valueHint: 'base|runs|huge[,…]',
    description: 'Leaves that back the pages (default: base,huge)',
  },
  preset: {
    type: 'string',
    valueHint: 'NAME[,NAME]|all',
    description: 'Processors whose TLBs are simulated (default: one or two for each architecture)',
  },
  dense: {
    type: 'string',
    valueHint: 'PERCENT',
    description: 'Touched pages that make a larger leaf, 1 to 100 (default: 50)',
  },
  frames: {
    type: 'string',
    valueHint: 'adjacent|scattered',
    description: 'Frames in the order of first touches, or at random (default: adjacent)',
  },
  pagemap: {
    type: 'string',
    valueHint: 'FILE',
    description: 'The frames of the process: lines ADDRESS COUNT FRAME, or a v2p.textproto',
  },
  image: {
    type: 'string',
    valueHint: 'FILE',
    description:
      'An image of memory (PTIMAGE1, ELF core) with the process’s own table; needs --root and --format',
  },
  root: {
    type: 'string',
    valueHint: 'ADDRESS',
    description: 'The root table in the image: its physical address, or a name that the image has',
  },
  'walk-caches': {
    type: 'string',
    valueHint: 'champsim|none',
    description: 'Walk caches where those of a preset are unknown (default: champsim)',
  },
  'assume-runs': {
    type: 'boolean',
    description:
      'Where a preset does not say it, an entry of a TLB holds a whole run (default: single pages)',
  },
  seed: {
    type: 'string',
    valueHint: 'N',
    description: 'Seed of frames and of random replacement (default: 1)',
  },
  html: HTML_OPTION,
  json: { type: 'boolean', description: 'Print one JSON object instead of tables and charts' },
} as const satisfies ArgsDef;

/** The values of the options, unchecked. */
export type SimulateArguments = ValuesOf<typeof simulateArguments>;

/** The bundled trace: apps/bench/traces/README.md says how it was recorded. */
const BUNDLED = 'traces/shuf.lackey.gz';

/** Runs `vmarea-bench simulate` and writes its result. */
export async function runSimulate(args: SimulateArguments, io: Console): Promise<void> {
  const seed = wholeNumber('seed', args.seed, SEED);
  const dense = wholeNumber('dense', args.dense, { min: 1, max: 100, fallback: 50 });
  const frames = oneOf<FrameOrder>('--frames', args.frames, ['adjacent', 'scattered'], 'adjacent');
  const walkCaches = oneOf<WalkCacheChoice>(
    '--walk-caches',
    args['walk-caches'],
    ['champsim', 'none'],
    'champsim',
  );
  const page = reportFile('--html', args.html, io);
  const format = traceFormat(args['trace-format']);
  const choices = leafChoices(args.leaves);
  const presets = presetChoice(args.preset);
  const installed = await installedFormats(io.cwd);
  const configurations = chooseUsual(installed, args.format);
  const backing = await checkedBacking(args, configurations, io);
  try {
    if (args.trace === '-' && io.stdin.isTTY === true)
      io.stderr.write('Reading a trace from standard input; end it with Ctrl-D.\n');
    const source = await opened(args.trace, io);
    try {
      const assumeRuns = args['assume-runs'] === true;
      const options = { seed, dense, frames, walkCaches, assumeRuns };
      const run = { source, format, backing, choices, presets, configurations, options, installed };
      const result = await resultOf(run, io);
      io.stdout.write(
        args.json === true ? `${JSON.stringify(result, null, 2)}\n` : simulateReport(result, io),
      );
      page?.write(simulatePage(result));
    } finally {
      source.close();
    }
  } finally {
    await backing.close();
  }
}

interface Run {
  readonly source: TraceSource;
  readonly format: TraceFormat | null;
  readonly backing: BackingChoice;
  readonly choices: ReturnType<typeof leafChoices>;
  readonly presets: ReturnType<typeof presetChoice>;
  readonly configurations: Installed['configurations'];
  readonly options: Pick<
    SimulateResult['options'],
    'seed' | 'dense' | 'frames' | 'walkCaches' | 'assumeRuns'
  >;
  readonly installed: Installed;
}

/** Reads the trace twice: what it touches, then what that costs. */
async function resultOf(run: Run, io: Console): Promise<SimulateResult> {
  const { source, backing, options, configurations, choices, presets } = run;
  // How many cases there are is known after the first reading; its share of the work is small.
  const first = progress(io, Math.max(1, source.size));
  const found = await refusing(() => survey(source, run.format, first)).finally(() => first.end());
  const touch = { touched: found.found.touched, budget: new TableBudget(memoryLimit()), ...options };
  const { backings, warnings } = await refusing(() =>
    backingsFor(backing, configurations, choices, presets, touch),
  );
  const cases = backings.map(({ backing: one, preset }) => new AccessCase(one, preset, options));
  if (cases.length === 0)
    throw new UsageError(['no format can be simulated', ...warnings, NO_PRESET].join('\n'));
  const second = progress(io, Math.max(1, source.size * cases.length));
  const rows = await simulate(source, found, cases, second).finally(() => second.end());
  for (const [i, one] of cases.entries()) one.backing.close(rows[i]?.touchedPages ?? 0);
  return {
    ...{ command: 'simulate', schema: 1 },
    trace: { file: source.file, ...found.read },
    options: { ...options, pagemap: backing.pagemap?.file ?? null, image: backing.image?.file ?? null },
    rows,
    warnings: [...run.installed.warnings, ...warnings],
  };
}

const NO_PRESET = 'A format without a preset of its architecture needs --preset';

function traceFormat(value: string | undefined): TraceFormat | null {
  return value === undefined ? null : oneOf('--trace-format', value, TRACE_FORMATS, 'lackey');
}

function opened(trace: string | undefined, io: Console): Promise<TraceSource> {
  const path = trace === undefined ? appFile(BUNDLED) : trace === '-' ? '-' : resolve(io.cwd, trace);
  const copying = progress(io, 1);
  const step = (bytes: number): Promise<void> =>
    copying.step(`copying ${count(bytes / 2 ** 20)} MiB to a temporary file`, 0);
  return openTrace(
    path,
    io.stdin,
    step,
    trace === undefined ? 'the bundled trace' : printable(trace),
  ).finally(() => copying.end());
}
