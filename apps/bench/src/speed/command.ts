import type { Console } from '@vmarea/cli';
import { choose, SEED, UsageError, unknown, wholeNumber } from '@vmarea/cli';
import { installedFormats } from '../formats.js';
import { reportFile } from '../html/file.js';
import { thisMachine } from '../machine.js';
import type { SpeedArguments } from './arguments.js';
import { compareResults, differences, readEarlier } from './compare.js';
import { measureAll } from './measure.js';
import { speedPage } from './page.js';
import { inProcess, spawning } from './processes.js';
import { speedMarkdown, speedReport } from './report.js';
import type { SpeedResult } from './result.js';
import { COLUMNS, type ColumnName } from './rows.js';
import type { Plan } from './schedule.js';
import { runWorkers } from './workers/command.js';
import { chooseWorkloads } from './workloads/registry.js';

/** Pages of a quick run. Their tables fit into the second-level cache, so its times vary less than those of larger ones. */
const QUICK_PAGES = 2 ** 14;

/** Runs `vmarea-bench speed` and writes its result. */
export async function runSpeed(args: SpeedArguments, io: Console): Promise<void> {
  if (args.json === true && args.markdown === true) {
    throw new UsageError('--json and --markdown exclude each other; give one of them');
  }
  if (args.workers !== undefined) return runWorkers(args, io);
  const quick = args.quick === true;
  if (quick && args.compare !== undefined) {
    throw new UsageError('the times of --quick are too rough to compare; leave out --quick or --compare');
  }
  const page = reportFile('--html', args.html, io);
  const plan = planOf(args, quick);
  const workloads = chooseWorkloads(args.workload);
  const columns = chooseColumns(args.variant);
  // Read it first: a mistake should not show after minutes.
  const earlier = args.compare === undefined ? null : readEarlier(args.compare);
  const installed = await installedFormats(io.cwd);
  const configurations = choose(installed, args.format);
  const runner = io.script === undefined ? inProcess(configurations) : spawning(io.script, io.cwd);
  const measured = await measureAll({ configurations, workloads, columns, plan }, runner, io);

  const { repeat, passes, warmUp, warmUpMs, pages, seed } = plan;
  const machine = thisMachine();
  const { compiler, skipped } = measured;
  const { rows } = measured;
  const result: SpeedResult = {
    command: 'speed',
    schema: 4,
    machine,
    compiler,
    seed,
    pages,
    repeat,
    warmUp,
    warmUpMs,
    passes,
    quick,
    rows,
    skipped,
    comparison: earlier === null ? null : compareResults(args.compare as string, earlier, { rows }),
    warnings: [
      ...installed.warnings,
      ...measured.warnings,
      ...(earlier === null
        ? []
        : differences(earlier, { machine, compiler, quick, seed, repeat, passes, warmUp, warmUpMs, rows })),
    ],
  };
  if (args.json === true) io.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else io.stdout.write(args.markdown === true ? speedMarkdown(result) : speedReport(result, io));
  page?.write(speedPage(result));
}

function planOf(args: SpeedArguments, quick: boolean): Plan {
  const warmUpMs = wholeNumber('warm-up', args['warm-up'], {
    min: 0,
    max: 60_000,
    // V8 has compiled what runs in a loop after a tenth of a second.
    fallback: quick ? 100 : 300,
  });
  return {
    pages: wholeNumber('pages', args.pages, {
      min: 64,
      max: 2 ** 20,
      fallback: quick ? QUICK_PAGES : 2 ** 18,
    }),
    repeat: wholeNumber('repeat', args.repeat, { min: 1, max: 1000, fallback: quick ? 5 : 7 }),
    passes: wholeNumber('passes', args.passes, { min: 1, max: 100, fallback: quick ? 1 : 4 }),
    seed: wholeNumber('seed', args.seed, SEED),
    // V8 compiles code that has run often, and a round is few calls. C warms up as long.
    warmUp: warmUpMs === 0 ? 1 : 24,
    warmUpMs,
  };
}

function chooseColumns(names: string | undefined): readonly ColumnName[] {
  if (names === undefined) return COLUMNS;
  const wanted = names.split(',').map((name) => name.trim());
  for (const name of wanted) {
    if (!COLUMNS.some((column) => column === name)) throw unknown('variant', name, COLUMNS);
  }
  return COLUMNS.filter((column) => wanted.includes(column));
}
