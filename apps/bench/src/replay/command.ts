import { resolve } from 'node:path';
import type { ArgsDef } from 'citty';
import type { Console } from '../console.js';
import { CheckError } from '../errors.js';
import { choose, installedFormats } from '../formats.js';
import { plural } from '../numbers.js';
import { progress } from '../progress.js';
import { compareEndState, earlyAreas } from './end-state.js';
import { type OverFormat, runOver } from './over-format.js';
import { comparePhotograph, type PhotographResult } from './photograph.js';
import { readTrace } from './read-trace.js';
import { type Difference, Replayer } from './replayer.js';
import { isSame, replayReport } from './report.js';
import type { ReplayResult } from './result.js';
import { type Event, type Trace, traceFile } from './trace.js';

/** The options of `vmarea-bench replay`. */
export const replayArguments = {
  trace: {
    type: 'positional',
    required: true,
    valueHint: 'TRACE',
    description:
      'A folder with a recorded stream, its file (.tsv, .tsv.gz), or a text of ftrace with vmalloc events',
  },
  format: {
    type: 'string',
    valueHint: 'NAME[,NAME]|all',
    description: 'Run the same stream on these formats, too, and show what it costs there',
  },
  json: { type: 'boolean', description: 'Print one JSON object instead of a table' },
} as const satisfies ArgsDef;

/** Values as the command line gives them. */
export interface ReplayArguments {
  readonly trace: string;
  readonly format?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Runs `vmarea-bench replay` and writes its result. */
export async function runReplay(args: ReplayArguments, io: Console): Promise<void> {
  const configurations =
    args.format === undefined
      ? []
      : choose(await installedFormats(io.cwd), args.format === 'all' ? undefined : args.format);
  const trace = readTrace(resolve(io.cwd, args.trace));
  const bar = progress(io, configurations.length);
  const formats: OverFormat[] = [];
  try {
    for (const configuration of configurations) {
      await bar.step(configuration.name);
      formats.push(runOver(trace, configuration));
    }
  } finally {
    bar.end();
  }
  const result = { ...replay(trace), formats };
  io.stdout.write(args.json === true ? `${JSON.stringify(result, null, 2)}\n` : replayReport(result, io));
  if (!isSame(result) && result.determined > 0)
    throw new CheckError('the replay differs from what was recorded');
}

/** Replays a trace and compares all that it holds. */
export function replay(trace: Trace): ReplayResult {
  const replayer = new Replayer(trace, earlyAreas(trace));
  const photographs: PhotographResult[] = [];
  const missingPhotographs: string[] = [];
  let apart = 0;
  const start = performance.now();
  replayer.run((name) => {
    const before = performance.now();
    const text = traceFile(trace, `tree-${name}.txt.gz`);
    if (text === null) missingPhotographs.push(name);
    else photographs.push(comparePhotograph(name, text, replayer, trace.pageShift));
    apart += performance.now() - before;
  });
  const seconds = (performance.now() - start - apart) / 1000;
  const { equal, different } = replayer.placements;
  // With several processors rows are written after the locks were released: without lock rows their order is not known.
  const isOrdered = trace.cpus === 1 || trace.hasLocks;
  const undetermined = undeterminedOf(trace, replayer, isOrdered);
  const unordered = Object.values(undetermined).reduce((sum, number) => sum + number, 0);
  const events = trace.rows.filter(({ event }) => KERNELS.includes(event.type)).length;
  return {
    ...{ command: 'replay', schema: 1, set: trace.name, pageBytes: 2 ** trace.pageShift, cpus: trace.cpus },
    ...{ events, eventsPerSecond: Math.round(events / seconds) },
    ...{ placements: equal + different, determined: equal + different - unordered, equal, different },
    undetermined,
    ...{ lostEvents: trace.lostEvents, otherLines: trace.otherLines, damagedLines: trace.damagedLines },
    fromPools: replayer.fromPools,
    failingRequests: replayer.failures,
    percpu: replayer.percpu,
    lazyPages: replayer.lazyPages,
    lazyMaxPages: replayer.lazyMaxPages,
    purges: replayer.purges,
    flushes: replayer.flushes,
    ...{ photographs, missingPhotographs },
    endState: compareEndState(trace, replayer),
    formats: [],
    firstDifference: replayer.first === null ? [] : differenceLines(replayer.first, trace.pageShift),
  };
}

/** Events of the kernel's own; what else a row may tell is a step of one, or the recorder's. */
const KERNELS: readonly Event['type'][] = ['allocation', 'free', 'purge done', 'percpu done'];

/** Placements that cannot be told from a stream, by cause. */
function undeterminedOf(trace: Trace, replayer: Replayer, isOrdered: boolean): Record<string, number> {
  const { equal, different } = replayer.placements;
  const why = whyUndetermined(trace, replayer, isOrdered);
  if (why !== null) return { [why]: equal + different };
  if (trace.cpus === 1 || replayer.unordered === 0) return {};
  return { 'since no row tells when their request held a lock': replayer.unordered };
}

/** Why no placement of a stream can be told from it; `null` when there is no such reason. */
function whyUndetermined(trace: Trace, { unknownAreas }: Replayer, isOrdered: boolean): string | null {
  if (trace.lostEvents > 0) return `since ${plural(trace.lostEvents, 'event')} were lost`;
  if (trace.source === 'ftrace')
    return 'since Linux has no event for per-cpu chunks, nor for what was there before it was asked';
  if (unknownAreas > 0)
    return `since ${plural(unknownAreas, 'area')} that it frees were there before it began`;
  return isOrdered ? null : 'since the order in which processors took the locks is not recorded';
}

function differenceLines({ line, what, recorded, found, around }: Difference, pageShift: number): string[] {
  const hex = (page: number | null): string =>
    page === null ? 'nothing' : `0x${(BigInt(Math.floor(page)) << BigInt(pageShift)).toString(16)}`;
  return [
    `First difference, line ${line}: ${what}: recorded ${hex(recorded)}, here ${hex(found)}`,
    ...around.map(({ start, end }) => `    free ${hex(start)} to ${hex(end)}`),
  ];
}
