import { collapseLeaves, hex, protection, splitLeaves, toBigint } from '@vmarea/core';
import { codeOf, ensure, same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { type Interval, Intervals, join } from '../intervals.js';
import { dataOf, Machine, type Size, sizesOf } from '../machine.js';
import { firstAddress, rangeBytes } from '../tools/addresses.js';
import { kindOf } from '../tools/entries.js';
import { SeededRandom } from '../tools/seeded-random.js';

/** Random calls against a plain list of intervals, at the boundaries and of the sizes of levels, blocks and runs. */
export const random: Group = {
  name: 'random',
  cases(subject, { seed, runs }): Case[] {
    const formed = new Map<number, ReadonlySet<string>>();
    const playOnce = (run: number): ReadonlySet<string> => {
      const names = formed.get(run) ?? new Game(subject, seed * 7919 + run, run).play();
      formed.set(run, names);
      return names;
    };
    return [
      ...Array.from({ length: runs }, (_, run) => ({
        id: `run=${run}`,
        run: () => void playOnce(run),
      })),
      {
        id: 'formed',
        run: () => {
          const all = new Set(Array.from({ length: runs }, (_, run) => [...playOnce(run)]).flat());
          const sizes = sizesOf(subject.format);
          for (const { name } of sizes.slice(Math.max(0, sizes.length - runs)))
            ensure(all.has(name), `no run of the group has formed ${name}: only ${[...all].join(', ')}`);
        },
      },
    ];
  },
};

const CALLS = 24;
/** Pages of a list of frames that do not follow each other, and of what is split to single pages. */
const FEW = 70;
/** Pages of a call that may be made of the smallest leaves. */
const MANY = 600;
/** The longest list of frames: a block of 64 KiB pages fits. */
const LISTED = 10_000;

/** One sequence of calls. */
class Game {
  readonly #subject: Checked;
  readonly #pick: SeededRandom;
  readonly #run: number;
  readonly #machine: Machine;
  readonly #model = new Intervals();
  readonly #sizes: readonly Size[];
  readonly #story: string[] = [];
  /** Names of the sizes that were seen in the bytes. */
  readonly #formed = new Set<string>();
  /** In base pages. */
  readonly #all: number;
  readonly #frames: number;

  constructor(subject: Checked, seed: number, run: number) {
    const { format } = subject;
    this.#subject = subject;
    this.#pick = new SeededRandom(seed);
    this.#run = run;
    // Each call may need tables at both ends of its range, and a list one or two in between.
    this.#machine = new Machine(format, 20 + CALLS * 2 * format.levels.length);
    this.#sizes = sizesOf(format);
    this.#all = Number(rangeBytes(format) / this.#machine.page);
    this.#frames = Number((1n << BigInt(format.paBits)) / this.#machine.page);
  }

  /** @returns the names of the sizes of leaves and runs that were formed. */
  play(): ReadonlySet<string> {
    const { table, frames } = this.#machine;
    for (let i = 0; i < CALLS; i++) {
      // The first calls of the runs form every size there is, the largest first; what comes then is chance.
      const size =
        i === 0 ? this.#sizes[this.#sizes.length - 1 - (this.#run % this.#sizes.length)] : undefined;
      if (size === undefined) this.#call();
      else this.#map({ first: this.#pagesOf(size), pages: this.#pagesOf(size) }, size, true);
    }
    this.#judgeAll();
    table.destroy();
    same(frames.stats().allocated, 0, 'frames that are left when the table is destroyed');
    return this.#formed;
  }

  #pagesOf({ shift }: Size): number {
    return 2 ** (shift - this.#subject.format.pageShift);
  }

  #call(): void {
    const { table } = this.#machine;
    const size = this.#pick.of(this.#sizes);
    const range = this.#range(size);
    const { first, pages } = range;
    const [va, bytes] = this.#bytesOf(range);
    const name = this.#pick.of([
      ...(['map', 'map', 'mapRange', 'mapRange', 'unmap', 'unmap'] as const),
      ...(['protect', 'protect', 'split', 'collapse', 'collapse'] as const),
    ]);
    if (name === 'map' || name === 'mapRange') {
      this.#map(range, size, name === 'mapRange');
      return;
    }
    this.#story.push(`${name} ${hex(va)} ${pages}`);
    if (name === 'unmap') {
      table.unmap(va, bytes, { reclaim: this.#pick.below(2) === 1 });
      this.#model.remove(first, pages);
    } else if (name === 'protect') {
      const write = this.#pick.below(2) === 1;
      table.protect(va, bytes, { write });
      this.#model.protect(first, pages, write);
    } else if (name === 'split') {
      // All of a large leaf would be too many tables.
      splitLeaves(table, va, BigInt(Math.min(pages, FEW)) * this.#machine.page);
    } else collapseLeaves(table, va, bytes);
    this.#judge(range);
  }

  /**
   * The first frame of a range: as far from a boundary of a size as its address, most often of the size that is wanted; `null`
   * where all that would be too many leaves, or frames.
   */
  #frameFor({ first, pages }: { first: number; pages: number }, size: Size): number | null {
    const pick = this.#pick;
    const roomOf = (step: number): number => this.#frames - pages - (first % step);
    const steps = this.#sizes
      .map((one) => this.#pagesOf(one))
      .filter((step) => pages <= step * MANY && roomOf(step) >= 0);
    if (steps.length === 0) return null;
    const wanted = this.#pagesOf(size);
    const isWanted = steps.includes(wanted) && (this.#story.length === 0 || pick.below(4) > 0);
    const step = isWanted ? wanted : pick.of(steps);
    return (first % step) + step * pick.below(Math.min(Math.floor(roomOf(step) / step) + 1, 2 ** 20));
  }

  /** Maps a range, to frames that follow each other or in no order. */
  #map(range: { first: number; pages: number }, size: Size, isRange: boolean): void {
    const { table, page } = this.#machine;
    const { first, pages } = range;
    const [va, bytes] = this.#bytesOf(range);
    const isScattered = !isRange && pages <= FEW && this.#pick.below(2) === 1;
    const pfn = this.#frameFor(range, size);
    if (pfn === null) return;
    const write = this.#pick.below(2) === 1;
    const wanted = protection({ ...dataOf(this.#subject), write, dirty: write });
    const isCapped = this.#story.length > 0 && pages <= MANY && this.#pick.below(3) === 0;
    const cap = isCapped ? { maxLeafShift: this.#subject.format.pageShift } : {};
    const isListed = !isRange && pages <= LISTED;
    this.#story.push(`${isListed ? 'map' : 'mapRange'} ${hex(va)} ${pages} from frame ${pfn}`);
    const frameOf = (i: number): number => pfn + (isScattered ? (i * 7) % pages : i);
    const call = isListed
      ? () =>
          table.map(
            va,
            Float64Array.from({ length: pages }, (_, i) => frameOf(i)),
            wanted,
            cap,
          )
      : () => table.mapRange(va, BigInt(pfn) * page, bytes, wanted, cap);
    const isTaken = this.#model.isTaken(first, pages);
    same(codeOf(call), isTaken ? 'EBUSY' : 'none', this.#story.join('; '));
    if (!isTaken && isScattered) {
      for (let i = 0; i < pages; i++) this.#model.add({ first: first + i, pages: 1, pfn: frameOf(i), write });
    } else if (!isTaken) this.#model.add({ first, pages, pfn, write });
    this.#judge(range);
  }

  #bytesOf({ first, pages }: { first: number; pages: number }): [va: bigint, bytes: bigint] {
    const { page } = this.#machine;
    return [firstAddress(this.#subject.format) + BigInt(first) * page, BigInt(pages) * page];
  }

  /** A few pages, or about one or two of a size, near the first boundaries of a size or at the end of all addresses. */
  #range(size: Size): { first: number; pages: number } {
    const pick = this.#pick;
    const step = this.#pagesOf(size);
    const near = (): number => pick.of([0, 0, 0, 1, 2, 3, -1, -2, -3]);
    const isLarge = pick.below(2) === 1;
    const wanted = isLarge
      ? step * (1 + pick.below(2)) + near()
      : 1 + pick.below(pick.of([3, 20, FEW, MANY]));
    const pages = Math.min(Math.max(1, wanted), this.#all, this.#frames - 1);
    const boundary = pick.of([0, step, step, 2 * step, 3 * step, this.#all]);
    const start = isLarge ? boundary + near() : boundary - pick.below(pages + 2);
    return { first: Math.min(Math.max(0, start), this.#all - pages), pages };
  }

  /** Looks at the ends of a range, what stands beside it, and every boundary of a size in it that comes first or last. */
  #judge({ first, pages }: { first: number; pages: number }): void {
    const { table, page } = this.#machine;
    const base = firstAddress(this.#subject.format);
    const looked = new Set([first - 1, first, first + 1, first + Math.floor(pages / 2)]);
    for (const at of [first + pages - 1, first + pages]) looked.add(at);
    for (const size of this.#sizes) {
      const step = this.#pagesOf(size);
      const start = Math.ceil(first / step) * step;
      if (start + step > first + pages) continue;
      for (const at of [start - 1, start, start + step - 1, start + step]) looked.add(at);
      if (this.#isFormed(size, base + BigInt(start) * page)) this.#formed.add(size.name);
    }
    for (const at of looked) {
      if (at < 0 || at >= this.#all) continue;
      const expected = this.#model.at(at);
      const va = base + BigInt(at) * page;
      const pa = expected === undefined ? null : BigInt(expected.pfn + at - expected.first) * page;
      const write = expected?.write;
      const found = table.translate(va);
      if (found === pa && table.walk(va).leaf?.protection.write === write) continue;
      const what = `${hex(va)} after ${this.#story.join('; ')}`;
      same(found, pa, what);
      same(table.walk(va).leaf?.protection.write, write, `write of ${what}`);
    }
  }

  /** True when a leaf or a run of a size stands at an address, by the bytes. */
  #isFormed({ level, entries }: Size, va: bigint): boolean {
    const { format } = this.#subject;
    const read = this.#machine.last(va);
    if (read.level !== level || kindOf(format, level, read.entry) !== 'leaf') return false;
    if (entries === 1) return true;
    const { run = null } = format.levels[level] ?? {};
    return run !== null && (read.entry & toBigint(run.set)) === toBigint(run.set);
  }

  /** All that is mapped, leaf by leaf: nothing more and nothing less. */
  #judgeAll(): void {
    const { format } = this.#subject;
    const { table, page } = this.#machine;
    const base = firstAddress(format);
    const found: Interval[] = [];
    for (const { va, count, leafShift, level, pfn, flags } of table.leaves(base, rangeBytes(format))) {
      const lo = Number(BigInt.asIntN(32, flags));
      const { write } = format.decode({ lo, hi: Number(BigInt.asIntN(32, flags >> 32n)) }, level);
      const pages = count * 2 ** (leafShift - format.pageShift);
      found.push({ first: Number((va - base) / page), pages, pfn, write });
    }
    same(join(found), this.#model.joined(), `all leaves after ${this.#story.join('; ')}`);
  }
}
