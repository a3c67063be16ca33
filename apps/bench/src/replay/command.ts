import { resolve } from 'node:path';
import type { ArgsDef } from 'citty';
import type { Console } from '../console.js';
import { CheckError } from '../errors.js';
import { choose, installedFormats } from '../formats.js';
import { plural } from '../numbers.js';
import { progress } from '../progress.js';
import { compareEndState, earlyAreas } from './end-state.js';
import { type OverFormat, runOver } from './over-format.js';
import { readTrace } from './read-trace.js';
import { type Difference, Replayer } from './replayer.js';
import { isSame, replayReport } from './report.js';
import type { ReplayResult } from './result.js';
import { compareSnapshot, type SnapshotResult } from './snapshot.js';
import { type Event, type Trace, traceFile } from './trace.js';

/** The options of `vmarea-bench replay`. */
export const replayArguments = {
  trace: {
    type: 'positional',
    required: true,
    valueHint: 'TRACE',
    description:
      'A folder with a recorded stream, its file (.tsv, .tsv.gz), or ftrace text with vmalloc events',
  },
  format: {
    type: 'string',
    valueHint: 'NAME[,NAME]|all',
    description: 'Also run the stream on these formats, and show its costs there',
  },
  json: { type: 'boolean', description: 'Print one JSON object instead of a table' },
} as const satisfies ArgsDef;

/** The values of the options, unchecked. */
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
  if (!isSame(result) && result.determined > 0) throw new CheckError('the replay differs from the recording');
}

/** Replays a trace and compares everything in it. */
export function replay(trace: Trace): ReplayResult {
  const replayer = new Replayer(trace, earlyAreas(trace));
  const snapshots: SnapshotResult[] = [];
  const missingSnapshots: string[] = [];
  let apart = 0;
  const start = performance.now();
  replayer.run((name) => {
    const before = performance.now();
    const text = traceFile(trace, `tree-${name}.txt.gz`);
    if (text === null) missingSnapshots.push(name);
    else snapshots.push(compareSnapshot(name, text, replayer, trace.pageShift));
    apart += performance.now() - before;
  });
  const seconds = (performance.now() - start - apart) / 1000;
  const { equal, different } = replayer.placements;
  // Several processors write rows after they release their locks. Only lock rows show the order.
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
    ...{ snapshots, missingSnapshots },
    endState: compareEndState(trace, replayer),
    formats: [],
    firstDifference: replayer.first === null ? [] : differenceLines(replayer.first, trace.pageShift),
  };
}

/** The kernel's events. Other rows are steps of these, or come from the recorder. */
const KERNELS: readonly Event['type'][] = ['allocation', 'free', 'purge done', 'percpu done'];

/** The placements that a stream does not determine, by cause. */
function undeterminedOf(trace: Trace, replayer: Replayer, isOrdered: boolean): Record<string, number> {
  const { equal, different } = replayer.placements;
  const why = whyUndetermined(trace, replayer, isOrdered);
  if (why !== null) return { [why]: equal + different };
  if (trace.cpus === 1 || replayer.unordered === 0) return {};
  return { 'since no row shows when their request held a lock': replayer.unordered };
}

/** Why a stream determines no placement at all; `null` when it does. */
function whyUndetermined(trace: Trace, { unknownAreas }: Replayer, isOrdered: boolean): string | null {
  if (trace.lostEvents > 0) return `since the recorder lost ${plural(trace.lostEvents, 'event')}`;
  if (trace.source === 'ftrace')
    return 'since ftrace has no event for per-cpu chunks, nor for areas before the recording';
  if (unknownAreas > 0) return `since it frees ${plural(unknownAreas, 'area')} from before the recording`;
  return isOrdered ? null : 'since the order of the locks is not recorded';
}

function differenceLines({ line, what, recorded, found, around }: Difference, pageShift: number): string[] {
  const hex = (page: number | null): string =>
    page === null ? 'nothing' : `0x${(BigInt(Math.floor(page)) << BigInt(pageShift)).toString(16)}`;
  return [
    `First difference, line ${line}: ${what}: recorded ${hex(recorded)}, here ${hex(found)}`,
    ...around.map(({ start, end }) => `    free ${hex(start)} to ${hex(end)}`),
  ];
}
