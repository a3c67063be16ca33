import type { Console } from '@vmarea/cli';
import { choose, progress, SEED, UsageError, wholeNumber } from '@vmarea/cli';
import { installedFormats } from '../../formats.js';
import { reportFile } from '../../html/file.js';
import { thisMachine } from '../../machine.js';
import type { SpeedArguments } from '../arguments.js';
import { CALL_PAGES, WORKS } from './job.js';
import { measureWorkers } from './measure.js';
import { workersPage } from './page.js';
import { workersMarkdown, workersReport } from './report.js';
import type { WorkersResult, WorkersRow } from './result.js';

/** Options that say nothing about workers. */
const OTHERS = ['workload', 'variant', 'passes', 'warm-up', 'quick', 'compare'] as const;
/** Rounds that are not measured, with one worker and with all: V8 compiles what has run often. */
const WARM_UP = 12;

/** Measures how workers scale, and writes the result. */
export async function runWorkers(args: SpeedArguments, io: Console): Promise<void> {
  const plan = planOf(args);
  const page = reportFile('--html', args.html, io);
  const installed = await installedFormats(io.cwd);
  const configurations = choose(installed, args.format);
  const { script, cwd } = io;
  if (script === undefined) throw new Error('workers need the file of the app');
  const shown = progress(io, configurations.length * WORKS.length);
  const rows: WorkersRow[] = [];
  try {
    for (const configuration of configurations)
      rows.push(...(await measureWorkers(configuration, { ...plan, script, cwd }, shown)));
  } finally {
    shown.end();
  }
  const machine = thisMachine();
  const result: WorkersResult = {
    ...{ command: 'speed --workers', schema: 1, machine, ...plan, rows },
    warnings: [...installed.warnings, ...fewProcessors(plan.workers, machine.cores)],
  };
  if (args.json === true) io.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  else io.stdout.write(args.markdown === true ? workersMarkdown(result) : workersReport(result, io));
  page?.write(workersPage(result));
}

function planOf(
  args: SpeedArguments,
): Pick<WorkersResult, 'seed' | 'workers' | 'pages' | 'repeat' | 'warmUp'> {
  const other = OTHERS.find((name) => args[name] !== undefined);
  if (other !== undefined)
    throw new UsageError(`--workers and --${other} exclude each other; give one of them`);
  const pages = wholeNumber('pages', args.pages, { min: CALL_PAGES, max: 2 ** 16, fallback: 2 ** 12 });
  if (pages % CALL_PAGES !== 0)
    throw new UsageError(`with --workers, --pages must be a multiple of ${CALL_PAGES}, not ${pages}`);
  return {
    seed: wholeNumber('seed', args.seed, SEED),
    workers: wholeNumber('workers', args.workers, { min: 2, max: 16, fallback: 2 }),
    pages,
    repeat: wholeNumber('repeat', args.repeat, { min: 1, max: 1000, fallback: 21 }),
    warmUp: WARM_UP,
  };
}

function fewProcessors(workers: number, cores: number): readonly string[] {
  if (cores >= workers) return [];
  return [`${workers} workers share ${cores} processors here: they cannot be ${workers} times as fast`];
}
