import {
  type Column,
  type Console,
  chooseUsual,
  coloursFor,
  count,
  markdownTable,
  progress,
  textTable,
  UsageError,
  wholeNumber,
  widthOf,
  wrap,
} from '@vmarea/cli';
import type { Configuration } from '@vmarea/core';
import { installedFormats } from '../../formats.js';
import { type Machine, machineLine, thisMachine } from '../../machine.js';
import { type Spread, spread } from '../../spread.js';
import type { ArenaArguments } from '../arguments.js';
import { unitsOf, WORKS, type WorkName } from './job.js';
import { ArenaTeam } from './team.js';

/** How workers scale in one work and one configuration. */
interface ArenaWorkersRow {
  readonly configuration: string;
  readonly work: WorkName;
  /** Units that each worker does in a round. */
  readonly units: number;
  /** Nanoseconds for each unit of one worker by itself. */
  readonly one: Spread;
  /** The same for all workers together: the time of a round by the units of all. */
  readonly all: Spread;
  /** How many times as many units in the same time: the medians of `one` and `all`. */
  readonly scaling: number;
}

/** What `vmarea-bench arena --workers N --json` prints. The app's README documents the keys. */
interface ArenaWorkersResult {
  readonly command: 'arena --workers';
  /** Increases when a key changes its meaning or is removed. */
  readonly schema: 1;
  readonly machine: Machine;
  readonly workers: number;
  readonly repeat: number;
  readonly rows: readonly ArenaWorkersRow[];
  readonly warnings: readonly string[];
}

/** Rounds that are not measured: V8 compiles what has run often. */
const WARM_UP = 30;

const COLUMNS: readonly Column<ArenaWorkersRow>[] = [
  { head: 'format', align: 'left', cell: ({ configuration }) => configuration },
  { head: 'work', align: 'left', cell: ({ work }) => work },
  { head: '1 worker ns', align: 'right', cell: ({ one }) => one.median.toFixed(1) },
  { head: 'MAD', align: 'right', cell: ({ one }) => one.mad.toFixed(1) },
  { head: 'all ns', align: 'right', cell: ({ all }) => all.median.toFixed(1) },
  { head: 'MAD', align: 'right', cell: ({ all }) => all.mad.toFixed(1) },
  { head: 'scaling', align: 'right', cell: ({ scaling }) => scaling.toFixed(2) },
  { head: 'units', align: 'right', cell: ({ units }) => count(units) },
];

/** Measures how workers scale in one arena, and writes the result. */
export async function runArenaWorkers(args: ArenaArguments, io: Console): Promise<void> {
  for (const name of ['seed', 'warm-up', 'quick'] as const)
    if (args[name] !== undefined)
      throw new UsageError(`--workers and --${name} exclude each other; give one of them`);
  const workers = wholeNumber('workers', args.workers, { min: 2, max: 16, fallback: 2 });
  const repeat = wholeNumber('repeat', args.repeat, { min: 1, max: 1000, fallback: 21 });
  const installed = await installedFormats(io.cwd);
  const configurations = chooseUsual(installed, args.format);
  const { script, cwd } = io;
  if (script === undefined) throw new Error('workers need the file of the app');
  const shown = progress(io, configurations.length * WORKS.length);
  const rows: ArenaWorkersRow[] = [];
  try {
    for (const configuration of configurations) {
      const team = new ArenaTeam(configuration, workers, script, cwd);
      try {
        for (const [work] of WORKS) {
          await shown.step(`${configuration.name}, ${work}`);
          rows.push(await measureWork(team, work, configuration, workers, repeat));
        }
        await team.end();
      } finally {
        await team.stop();
      }
    }
  } finally {
    shown.end();
  }
  const machine = thisMachine();
  const few =
    machine.cores >= workers
      ? []
      : [
          `${workers} workers share ${machine.cores} processors here: they cannot be ${workers} times as fast`,
        ];
  const result: ArenaWorkersResult = {
    ...{ command: 'arena --workers', schema: 1, machine, workers, repeat, rows },
    warnings: [...installed.warnings, ...few],
  };
  io.stdout.write(
    args.json === true
      ? `${JSON.stringify(result, null, 2)}\n`
      : reportOf(result, io, args.markdown === true),
  );
}

/** One worker and all workers take turns, so that both see the same machine. */
async function measureWork(
  team: ArenaTeam,
  work: WorkName,
  { name }: Configuration,
  workers: number,
  repeat: number,
): Promise<ArenaWorkersRow> {
  const units = unitsOf(work);
  const one: number[] = [];
  const all: number[] = [];
  for (let round = 0; round < WARM_UP + repeat; round++) {
    const single = await team.round(work, 1);
    const together = await team.round(work, workers);
    if (round < WARM_UP) continue;
    one.push(single / units);
    all.push(together / (units * workers));
  }
  const times = { one: spread(one) as Spread, all: spread(all) as Spread };
  return { configuration: name, work, units, ...times, scaling: times.one.median / times.all.median };
}

const LEGEND: readonly (readonly [string, string])[] = [
  ...WORKS,
  ['ns', 'nanoseconds by the units of all workers that take part: the median of all rounds'],
  ['MAD', 'the median absolute deviation: half of the rounds are this close to the median'],
  ['scaling', 'how many times as many units all workers do in the same time as one'],
];

function reportOf(result: ArenaWorkersResult, io: Console, isMarkdown: boolean): string {
  const { machine, workers, repeat, rows, warnings } = result;
  const facts = [
    machineLine(machine),
    `${workers} workers; ${repeat} rounds with one and with all, in turns`,
  ];
  if (isMarkdown) {
    const legend = LEGEND.map(([what, text]) => `- \`${what}\`: ${text}`);
    return `${[...facts.map((line) => `- ${line}`), '', markdownTable(COLUMNS, rows), '', ...legend, ...warnings.map((line) => `- ${line}`)].join('\n')}\n`;
  }
  const colours = coloursFor(io.stdout, io.env);
  const width = widthOf(io.stdout, io.env);
  const out = [
    ...facts.map((line) => wrap(line, width, '  ')),
    '',
    textTable(COLUMNS, rows),
    '',
    ...LEGEND.map(([what, text]) => wrap(`${colours.dim(what)}  ${text}`, width, '  ')),
    ...warnings.map((line) => wrap(colours.yellow(line), width, '  ')),
  ];
  return `${out.join('\n')}\n`;
}
