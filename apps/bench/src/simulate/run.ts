import type { Progress } from '@vmarea/cli';
import { UsageError } from '@vmarea/cli';
import type { Case } from './case.js';
import { PageStream } from './page-stream.js';
import { mayCollapse } from './presets.js';
import type { SimulateRow } from './result.js';
import { TouchedPages } from './touched-pages.js';
import type { AccessBatch } from './trace/access-batch.js';
import { readTrace, type TraceRead } from './trace/read-trace.js';
import type { TraceFormat } from './trace/recognize.js';
import { type TraceSource, TruncatedGzip } from './trace/source.js';

/** The number of moments over a trace. */
const MOMENTS = 60;
/** log2 of the bytes of the smallest page. */
const SMALLEST_SHIFT = 12;

/** What the first reading of a trace finds. */
export interface Survey {
  readonly read: TraceRead;
  /** Accesses of the trace, each once. */
  readonly accesses: number;
  readonly touched: TouchedPages;
}

/** Tells how far a reading of the trace is. */
class Steps {
  readonly #source: TraceSource;
  readonly #bar: Progress;
  readonly #weight: number;
  #told = 0;

  /** @param weight - the length of the run that a byte of the file stands for. */
  constructor(source: TraceSource, bar: Progress, weight: number) {
    this.#source = source;
    this.#bar = bar;
    this.#weight = weight;
  }

  async step(what: string): Promise<void> {
    const { read } = this.#source;
    await this.#bar.step(what, (read - this.#told) * this.#weight);
    this.#told = read;
  }
}

/**
 * Reads a trace for the first time: which pages does it touch? Gzip data that ends too early is read once more, up to its end.
 *
 * @throws UsageError as `readTrace`.
 */
export async function survey(
  source: TraceSource,
  format: TraceFormat | null,
  bar: Progress,
): Promise<Survey> {
  const steps = new Steps(source, bar, 1);
  const attempt = async (): Promise<Survey> => {
    const touched = new TouchedPages();
    const stream = new PageStream({ pageShift: SMALLEST_SHIFT, isCollapsed: true });
    const { out } = stream;
    let accesses = 0;
    const read = await readTrace(source, format, async (batch) => {
      accesses += batch.length;
      for (let at = 0; at < batch.length; ) {
        at = stream.fill(batch, at, batch.length);
        for (let i = 0; i < out.length; i++) touched.add(out.hi[i] as number, out.lo[i] as number);
      }
      await steps.step('reading the trace');
    });
    return { read, accesses, touched };
  };
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof TruncatedGzip)) throw error;
    return await attempt();
  }
}

/** Cases that take the same accesses: the same pages and the same addresses. */
interface Group {
  readonly stream: PageStream;
  readonly cases: readonly Case[];
  /** Moved addresses; `null` when they stay. */
  readonly moved: { readonly hi: Uint32Array; readonly lo: Uint32Array } | null;
}

/**
 * Reads a trace once more, and simulates all cases side by side.
 *
 * @throws UsageError when the file has changed since the first reading.
 */
export async function simulate(
  source: TraceSource,
  { read, accesses, touched }: Survey,
  cases: readonly Case[],
  bar: Progress,
): Promise<SimulateRow[]> {
  const groups = groupsOf(cases);
  const steps = new Steps(source, bar, cases.length);
  let done = 0;
  let moments = 0;
  const again = await readTrace(source, read.format, async (batch) => {
    for (let at = 0; at < batch.length; ) {
      const next = Math.ceil(((moments + 1) * accesses) / MOMENTS);
      const to = Math.min(batch.length, at + next - done);
      for (const group of groups) feed(group, batch, at, to);
      done += to - at;
      at = to;
      if (done < next) continue;
      while (Math.ceil(((moments + 1) * accesses) / MOMENTS) <= done && moments < MOMENTS) moments++;
      for (const group of groups) note(group);
    }
    await steps.step('simulating');
  });
  if (again.records !== read.records || done !== accesses)
    throw new UsageError(`${source.file} has changed while it was read; wait until its writer ends`);
  return rowsOf(cases, groups, touched);
}

function groupsOf(cases: readonly Case[]): Group[] {
  const groups: Group[] = [];
  for (const one of cases) {
    const { format, relocation, isMapped } = one.backing;
    const isCollapsed = mayCollapse(one.preset, format);
    const known = groups.find(
      ({ stream, cases: [first] }) =>
        stream.pageShift === format.pageShift &&
        stream.isCollapsed === isCollapsed &&
        first?.backing.isMapped === isMapped &&
        (first === undefined || isSameMove(first, one)),
    );
    if (known !== undefined) (known.cases as Case[]).push(one);
    else {
      const stream = new PageStream({ pageShift: format.pageShift, isCollapsed, isMapped });
      const room = stream.out.hi.length;
      const moved = relocation === null ? null : { hi: new Uint32Array(room), lo: new Uint32Array(room) };
      groups.push({ stream, cases: [one], moved });
    }
  }
  return groups;
}

function isSameMove({ backing: a }: Case, { backing: b }: Case): boolean {
  if (a.relocation === null || b.relocation === null) return a.relocation === b.relocation;
  const { range } = a.format;
  return range.bits === b.format.range.bits && range.upper === b.format.range.upper;
}

function feed({ stream, cases, moved }: Group, batch: AccessBatch, from: number, to: number): void {
  const { out } = stream;
  for (let at = from; at < to; ) {
    at = stream.fill(batch, at, to);
    if (moved !== null) cases[0]?.backing.relocation?.apply(out.hi, out.lo, out.length, moved);
    const { length, kind } = out;
    const accesses = moved === null ? out : { length, kind, ...moved };
    for (const one of cases) one.feed(accesses);
  }
}

function note({ stream, cases }: Group): void {
  const accesses = stream.accesses.reduce((sum, number) => sum + number, 0);
  for (const one of cases) one.moment(accesses);
}

function rowsOf(cases: readonly Case[], groups: readonly Group[], touched: TouchedPages): SimulateRow[] {
  return cases.map((one) => {
    const { stream } = groups.find((group) => group.cases.includes(one)) as Group;
    return one.row(stream.accesses, stream.unmapped, touched.count(one.backing.format.pageShift));
  });
}
