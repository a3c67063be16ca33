import { type Console, coloursFor, widthOf } from '../../console.js';
import { UsageError } from '../../errors.js';
import { choose, installedFormats } from '../../formats.js';
import { type Machine, machineLine, thisMachine } from '../../machine.js';
import { count } from '../../numbers.js';
import { SEED, wholeNumber } from '../../options.js';
import { progress } from '../../progress.js';
import { type Column, markdownTable, textTable, wrap } from '../../text-table.js';
import type { SpeedArguments } from '../arguments.js';
import { WORKS } from './job.js';
import { measureWorkers, type WorkersRow } from './measure.js';

/** What `vmarea-bench speed --workers N --json` prints. */
interface WorkersResult {
  readonly command: 'speed --workers';
  readonly schema: 1;
  readonly machine: Machine;
  readonly seed: number;
  readonly rows: readonly WorkersRow[];
  readonly warnings: readonly string[];
}

/** Options that say nothing about workers. */
const OTHERS = ['workload', 'variant', 'passes', 'warm-up', 'compare', 'quick'] as const;

/** Measures how workers scale, and writes the result. */
export async function runWorkers(args: SpeedArguments, io: Console): Promise<void> {
  const other = OTHERS.find((name) => args[name] !== undefined);
  if (other !== undefined)
    throw new UsageError(`--workers and --${other} exclude each other; give one of them`);
  const { script, cwd } = io;
  if (script === undefined) throw new Error('workers need the file of the app');
  const workers = wholeNumber('workers', args.workers, { min: 2, max: 16, fallback: 2 });
  const pages = wholeNumber('pages', args.pages, { min: 64, max: 2 ** 16, fallback: 2 ** 13 });
  if (pages % 64 !== 0) throw new UsageError(`--pages ${pages} is not a multiple of 64, the pages of a call`);
  const repeat = wholeNumber('repeat', args.repeat, { min: 1, max: 1000, fallback: 21 });
  const seed = wholeNumber('seed', args.seed, SEED);
  const installed = await installedFormats(cwd);
  const configurations = choose(installed, args.format);
  const shown = progress(io, configurations.length * WORKS.length);
  const rows: WorkersRow[] = [];
  try {
    for (const configuration of configurations) {
      const plan = { workers, pages, repeat, warmUp: 10, seed, script, cwd };
      rows.push(...(await measureWorkers(configuration, plan, shown)));
    }
  } finally {
    shown.end();
  }
  const machine = thisMachine();
  const few =
    machine.cores < workers
      ? [`${workers} workers share ${machine.cores} processors here: they cannot be ${workers} times as fast`]
      : [];
  const warnings = [...installed.warnings, ...few];
  const result: WorkersResult = { command: 'speed --workers', schema: 1, machine, seed, rows, warnings };
  if (args.json === true) io.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else io.stdout.write(args.markdown === true ? asMarkdown(result) : asText(result, io));
}

const COLUMNS: readonly Column<WorkersRow>[] = [
  { head: 'format', align: 'left', cell: ({ configuration }) => configuration },
  { head: 'work', align: 'left', cell: ({ work }) => work },
  { head: 'pages', align: 'right', cell: ({ pages }) => count(pages) },
  { head: '1 worker, ns', align: 'right', cell: ({ one }) => one.toFixed(1) },
  { head: 'all, ns', align: 'right', cell: ({ all }) => all.toFixed(1) },
  { head: 'scaling', align: 'right', cell: ({ scaling }) => scaling.toFixed(2) },
];

const LEGEND = [
  ['private', 'each worker maps and unmaps pages of a sparse area of its own, 64 pages a call'],
  [
    'sparse',
    'all workers populate one sparse area, page by page; neighbouring pages belong to different workers',
  ],
  ['pages', 'base pages of each worker in a round'],
  ['ns', 'nanoseconds by the pages of all workers that take part: the median of all rounds'],
  ['scaling', 'how many times as many pages all workers do in the same time as one'],
] as const;

function facts({ machine, seed, rows }: WorkersResult): string[] {
  const [first] = rows;
  return [
    `Machine: ${machineLine(machine)}`,
    `Seed ${seed}. ${first?.workers} workers over one address space. ${first?.rounds} rounds with one worker and as many with all, in turns.`,
  ];
}

function asText(result: WorkersResult, io: Console): string {
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const out = [
    ...facts(result).map((line) => wrap(line, width, '  ')),
    '',
    textTable(COLUMNS, result.rows),
    '',
    ...LEGEND.map(([what, text]) => wrap(`${colours.dim(what)}  ${text}`, width, '    ')),
    ...result.warnings.map((line) => wrap(colours.yellow(line), width, '  ')),
  ];
  return `${out.join('\n')}\n`;
}

function asMarkdown(result: WorkersResult): string {
  const out = [
    ...facts(result).map((line) => `- ${line}`),
    '',
    markdownTable(COLUMNS, result.rows),
    '',
    ...LEGEND.map(([what, text]) => `- \`${what}\`: ${text}`),
    ...result.warnings.map((line) => `- ${line}`),
  ];
  return `${out.join('\n')}\n`;
}
