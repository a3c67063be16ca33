import { resolve } from 'node:path';
import type { Console } from '@vmarea/cli';
import { CheckError, choose, plural, progress, UsageError } from '@vmarea/cli';
import { type OverFormat, runOver } from '@vmarea/compare';
import type { ArgsDef } from 'citty';
import { installedFormats } from '../formats.js';
import type { Difference } from './differences.js';
import { earlyOf, endAreas } from './early-areas.js';
import { compareEndState } from './end-state.js';
import { readTrace } from './read-trace.js';
import { Replayer } from './replayer.js';
import { isSame, replayReport } from './report.js';
import type { ReplayResult } from './result.js';
import { compareSnapshot, type SnapshotResult } from './snapshot.js';
import { type Damage, eventsOf, type Trace, traceFile } from './trace.js';

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
  tolerant: {
    type: 'boolean',
    description: 'End with exit code 0 when the recording is damaged, and nothing else differs',
  },
  json: { type: 'boolean', description: 'Print one JSON object instead of a table' },
} as const satisfies ArgsDef;

/** The values of the options, unchecked. */
export interface ReplayArguments {
  readonly trace: string;
  readonly format?: string | undefined;
  readonly tolerant?: boolean | undefined;
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
  if (result.damage.count > 0 && args.tolerant !== true)
    throw new CheckError(
      `the recording is damaged in ${plural(result.damage.count, 'place')}; --tolerant lets that pass`,
    );
}

/**
 * Replays a trace and compares everything in it.
 *
 * @throws UsageError when the state at its start is damaged.
 */
export function replay(trace: Trace): ReplayResult {
  const early = earlyOf(trace);
  const replayer = new Replayer(trace, {
    ...{ early: early?.areas ?? [], earlyChunks: early?.chunks ?? [] },
    end: endAreas(trace),
  });
  const { snapshots, missing, damage, milliseconds } = runWithSnapshots(trace, replayer);
  const endState = orDamage(damage, () => compareEndState(trace, replayer));
  const { counts } = replayer;
  const { equal, different } = counts.placements;
  const placements = equal + different + counts.ambiguous.length;
  const undetermined = undeterminedOf(trace, replayer, early !== null);
  const unknown = Object.values(undetermined).reduce((sum, number) => sum + number, 0);
  const events = eventsOf(trace);
  return {
    ...{ command: 'replay', schema: 1, set: trace.name, pageBytes: 2 ** trace.pageShift, cpus: trace.cpus },
    ...{ events, eventsPerSecond: Math.round((1000 * events) / milliseconds) },
    ...{ placements, determined: placements - unknown, equal, different },
    ...{ ambiguous: counts.ambiguous.length, ambiguousLines: counts.ambiguous.slice(0, MOST_LINES) },
    undetermined,
    ...{ lostEvents: trace.lostEvents, otherLines: trace.otherLines, damagedLines: trace.damagedLines },
    damage: { count: damage.length, first: damage.slice(0, MOST_LINES) },
    fromPools: counts.fromPools,
    failingRequests: counts.failures,
    percpu: counts.percpu,
    lazyPages: counts.lazyPages,
    lazyMaxPages: counts.lazyMaxPages,
    purges: counts.purges,
    flushes: counts.flushes,
    ...{ snapshots, missingSnapshots: missing },
    earlyAreas: early === null ? null : early.areas.length + early.chunks.length,
    endState,
    formats: [],
    firstDifference: counts.first === null ? [] : differenceLines(counts.first, trace.pageShift),
  };
}

/** The most lines that a result names of one kind. */
const MOST_LINES = 10;

interface Ran {
  readonly snapshots: readonly SnapshotResult[];
  readonly missing: readonly string[];
  /** All damage, in the order of lines; that of files at the end. */
  readonly damage: Damage[];
  /** The time of the replay, without comparing snapshots. */
  readonly milliseconds: number;
}

function runWithSnapshots(trace: Trace, replayer: Replayer): Ran {
  const snapshots: SnapshotResult[] = [];
  const missing: string[] = [];
  const files: Damage[] = [];
  let apart = 0;
  const start = performance.now();
  replayer.run((name) => {
    const before = performance.now();
    orDamage(files, () => {
      const text = traceFile(trace, `tree-${name}.txt.gz`);
      if (text === null) missing.push(name);
      else {
        const result = compareSnapshot(name, text, replayer, trace.pageShift);
        snapshots.push(result);
        if (result.first !== null) replayer.putRight();
      }
    });
    apart += performance.now() - before;
  });
  const milliseconds = performance.now() - start - apart;
  // A free of an address from before the recording is no damage where the recording cannot know such areas.
  const rows = trace.source === 'ftrace' ? [] : replayer.counts.damage;
  return { snapshots, missing, damage: [...rows, ...(trace.damage ?? []), ...files], milliseconds };
}

/** The answer, or `null` and an entry in the damage when a file is damaged. */
function orDamage<T>(damage: Damage[], read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    damage.push({ line: null, what: error.message });
    return null;
  }
}

/** The placements that a stream does not determine, by cause. */
function undeterminedOf(trace: Trace, replayer: Replayer, hasStart: boolean): Record<string, number> {
  const { placements, ambiguous, unordered, ambiguousUnordered, ambiguousShape, aligned } = replayer.counts;
  const why = whyUndetermined(trace);
  if (why !== null) return { [why]: placements.equal + placements.different + ambiguous.length };
  const counts = {
    'since no row shows when their request held a lock': trace.cpus === 1 ? 0 : unordered,
    'since no row shows when their request looked at its pool':
      ambiguous.length - ambiguousShape - (trace.cpus === 1 ? 0 : ambiguousUnordered),
    'since their alignment is above a page, and a row is lost that changes the shape of the free tree':
      ambiguousShape,
    'since their alignment is above a page, and areas from before the recording are unknown':
      hasStart || aligned.different === 0 ? 0 : aligned.equal + aligned.different,
  };
  return Object.fromEntries(Object.entries(counts).filter(([, number]) => number > 0));
}

/** Why a stream determines no placement at all; `null` when it does. */
function whyUndetermined(trace: Trace): string | null {
  if (trace.lostEvents > 0) return `since the recorder lost ${plural(trace.lostEvents, 'event')}`;
  if (trace.source === 'ftrace')
    return 'since ftrace has no event for per-cpu chunks, nor for areas before the recording';
  // Several processors write rows after they release their locks. Only lock rows show the order.
  return trace.cpus === 1 || trace.hasLocks ? null : 'since the order of the locks is not recorded';
}

function differenceLines({ line, what, recorded, found, around }: Difference, pageShift: number): string[] {
  const hex = (page: number | null): string =>
    page === null ? 'nothing' : `0x${(BigInt(Math.floor(page)) << BigInt(pageShift)).toString(16)}`;
  return [
    `First difference, line ${line}: ${what}: recorded ${hex(recorded)}, here ${hex(found)}`,
    ...around.map(({ start, end }) => `    free ${hex(start)} to ${hex(end)}`),
  ];
}
