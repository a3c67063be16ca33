import type { AccessBatch } from './access-batch.js';
import type { AccessCase } from './access-case.js';
import type { AccessRow } from './access-row.js';
import { mayCollapse } from './collapse.js';
import { PageStream } from './page-stream.js';
import type { TouchedPages } from './touched-pages.js';

/** The number of moments over all accesses. */
const MOMENTS = 60;

/** Cases that take the same accesses: the same pages and the same addresses. */
interface Group {
  readonly stream: PageStream;
  readonly cases: readonly AccessCase[];
  /** Moved addresses; `null` when they stay. */
  readonly moved: { readonly hi: Uint32Array; readonly lo: Uint32Array } | null;
}

/** The second look at accesses: all cases side by side. */
export class AccessSimulation {
  readonly #cases: readonly AccessCase[];
  readonly #groups: readonly Group[];
  readonly #accesses: number;
  #done = 0;
  #moments = 0;

  /**
   * @param cases - what is simulated: page tables on processors.
   * @param accesses - how many will come, as an `AccessSurvey` counts them. Sixty moments are spread over them.
   */
  constructor(cases: readonly AccessCase[], accesses: number) {
    this.#cases = cases;
    this.#groups = groupsOf(cases);
    this.#accesses = accesses;
  }

  /** Accesses so far. */
  get done(): number {
    return this.#done;
  }

  /** Simulates a batch. Batches come in order, and are those of the survey. */
  feed(batch: AccessBatch): void {
    const dueAt = (moment: number): number => Math.ceil((moment * this.#accesses) / MOMENTS);
    for (let at = 0; at < batch.length; ) {
      const next = dueAt(this.#moments + 1);
      // More accesses than were surveyed come after the last moment.
      const to = this.#moments >= MOMENTS ? batch.length : Math.min(batch.length, at + next - this.#done);
      for (const group of this.#groups) feed(group, batch, at, to);
      this.#done += to - at;
      at = to;
      if (this.#done < next || this.#moments >= MOMENTS) continue;
      while (this.#moments < MOMENTS && dueAt(this.#moments + 1) <= this.#done) this.#moments++;
      for (const group of this.#groups) note(group);
    }
  }

  /** The results, in the order of the cases. */
  rows(touched: TouchedPages): AccessRow[] {
    return this.#cases.map((one) => {
      const { stream } = this.#groups.find((group) => group.cases.includes(one)) as Group;
      return one.row(stream.accesses, stream.unmapped, touched.count(one.backing.format.pageShift));
    });
  }
}

function groupsOf(cases: readonly AccessCase[]): Group[] {
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
    if (known !== undefined) (known.cases as AccessCase[]).push(one);
    else {
      const stream = new PageStream({ pageShift: format.pageShift, isCollapsed, isMapped });
      const room = stream.out.hi.length;
      const moved = relocation === null ? null : { hi: new Uint32Array(room), lo: new Uint32Array(room) };
      groups.push({ stream, cases: [one], moved });
    }
  }
  return groups;
}

function isSameMove({ backing: a }: AccessCase, { backing: b }: AccessCase): boolean {
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
