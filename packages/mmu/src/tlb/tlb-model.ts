import { type FlushSink, type Invalidation, optionsOf } from '@vmarea/core';
import type { WalkSource } from '../walk-source.js';
import { integer, refused } from './check-values.js';
import { statsOf } from './count-stats.js';
import type { AccessKind, TlbDescription } from './description.js';
import { type Doomed, dropFrom } from './drop.js';
import type { Filling } from './holding-array.js';
import type { InvalidationTarget, TlbModelOptions } from './options.js';
import { KINDS, resolve } from './resolve.js';
import type { Resolved } from './resolved.js';
import type { TlbStats } from './stats.js';
import { LineCache } from './table-cache.js';
import { checked, doomedBy, MOST_ASID, unitsOf } from './targets.js';
import { EVERY_ASID, type TlbArray } from './tlb-array.js';
import { Unit } from './unit.js';
import { WalkCaches } from './walk-caches.js';
import { CurrentSource, Walker } from './walker.js';

const OPTIONS = ['seed', 'asid', 'tableCache', 'assume', 'flushWith'] as const;

/** The TLBs that serve one kind of access, and how often it came. */
interface Path {
  readonly l1: Unit;
  readonly l2: Unit | null;
  accesses: number;
}

/**
 * What the TLBs and walk caches of one processor would do with a program's accesses: for cost, not for results. It counts; the
 * physical address of an access comes from the tables or from an `Mmu`.
 *
 * - An access is looked up in level 1, then in level 2, then the tables are walked. What was found is taken into
 *   the levels that missed. Levels evict by themselves: neither includes the other.
 * - A walk begins at the table that the deepest walk-cache entry names. It takes each entry that it reads and that names a table
 *   into the walk caches. Two upper entries that name one table have an entry each.
 * - It judges no permission and sets no bit: the walker of a real processor sets the accessed bit of an entry before it keeps it.
 * - As in a processor, a translation stays until it is evicted, or until `invalidate` or `flush` names it. Where the tables
 *   changed and nothing was flushed, it counts hits all the same.
 *
 * It is a flush sink, so a `PageTable` or `AddressSpace` can tell it what changed.
 *
 * Source: SDM vol. 3A, 4.10 (what may be cached, what an invalidation drops); the description says where its numbers are from.
 *
 * @example
 * ```ts
 * const tlb = new TlbModel(ZEN_5, walkSource(table));
 * for (let page = 0; page < 1000; page++) tlb.access('read', 0xffffc900, page << 12);
 * console.log(tlb.stats.walks, tlb.stats.tableReads);
 * ```
 */
export class TlbModel implements FlushSink {
  /** What is modelled. */
  readonly description: TlbDescription;
  /** A sentence for each value that the description lacks, and what was taken for it. */
  readonly assumptions: readonly string[];
  readonly #source: CurrentSource;
  readonly #resolved: Resolved;
  readonly #units: readonly Unit[];
  readonly #read: Path;
  readonly #write: Path;
  readonly #execute: Path;
  readonly #walker: Walker;
  readonly #flushWith: Invalidation | null;
  /** All arrays of TLBs and walk caches. */
  readonly #arrays: readonly TlbArray[];
  readonly #filling: Filling = {
    vaHi: 0,
    vaLo: 0,
    asid: 0,
    leafShift: 0,
    cover: 0,
    pfn: 0,
    groupPages: 1,
    groupMask: 0,
  };
  #asid: number;
  #invalidations = 0;
  #dropped = 0;

  /**
   * @param description - a preset, or any other.
   * @param source - the tables: `walkSource(table)`.
   * @throws VmError `EINVAL` for a description or option that makes no sense; the message names the value and its place.
   */
  constructor(description: TlbDescription, source: WalkSource, options?: TlbModelOptions) {
    const given = optionsOf(options, OPTIONS, 'TlbModel') as TlbModelOptions;
    const seed = integer('seed', given.seed ?? 1, 0, 2 ** 32 - 1);
    const assume = optionsOf(given.assume, ['runs', 'walkCaches'], 'assume', 'member');
    this.#asid = integer('asid', given.asid ?? 0, 0, MOST_ASID);
    this.#resolved = resolve(description, assume as TlbModelOptions['assume']);
    this.description = description;
    this.assumptions = this.#resolved.assumptions;
    const now = new CurrentSource(source);
    this.#source = now;
    this.#units = this.#resolved.units.map((shape, i) => new Unit(shape, now, seed + 16 * i));
    [this.#read, this.#write, this.#execute] = KINDS.map((kind) => this.#pathOf(kind)) as [Path, Path, Path];
    const caches = new WalkCaches(this.#resolved.walkCaches, this.#units, now, seed);
    const lines = given.tableCache === undefined ? null : new LineCache(given.tableCache);
    this.#walker = new Walker(now, caches, lines, this.#resolved.dropsOnFault);
    this.#flushWith = given.flushWith === undefined ? null : checked(given.flushWith);
    this.#arrays = [...this.#units.flatMap(({ arrays }) => arrays.map(({ array }) => array)), ...caches.own];
  }

  /** The current address-space id: 0 to 65535. To set it drops nothing, as a switch that names an ASID. */
  get asid(): number {
    return this.#asid;
  }

  /** A number that is no ASID throws `EINVAL`. */
  set asid(asid: number) {
    this.#asid = integer('asid', asid, 0, MOST_ASID);
    this.#forgetLast();
  }

  /**
   * Goes on with other tables, as a write of CR3 with bit 63, of TTBR or of satp does: nothing is dropped, and the ASID tells whose
   * translations are whose.
   *
   * @param source - tables with the levels of those before.
   * @param asid - the address-space id from now on: 0 to 65535.
   * @throws VmError `EINVAL` for tables with other levels, or a number that is no ASID. Then nothing is switched.
   */
  switchTo(source: WalkSource, asid: number): void {
    integer('asid', asid, 0, MOST_ASID);
    this.#source.switchTo(source);
    this.asid = asid;
  }

  /**
   * Counts one access to an address that comes as two 32-bit words. An access over the end of a page is two.
   *
   * @param kind - what it does.
   * @param vaHi - bits 63..32, signed or unsigned.
   * @param vaLo - bits 31..0, signed or unsigned.
   * @returns what served it: 1 or 2 for a TLB of that level, 3 for a walk, 0 when there is no translation.
   * @throws VmError `EINVAL` for another kind.
   */
  access(kind: AccessKind, vaHi: number, vaLo: number): number {
    const path =
      kind === 'read'
        ? this.#read
        : kind === 'write'
          ? this.#write
          : kind === 'execute'
            ? this.#execute
            : badKind(kind);
    path.accesses++;
    const { l1 } = path;
    const leaf = l1.lastLeaf;
    if (leaf !== 0 && ((vaHi ^ l1.lastHi) | ((vaLo ^ l1.lastLo) >>> 12)) === 0) {
      (l1.hits[leaf] as number)++;
      return 1;
    }
    if (l1.look(vaHi, vaLo, this.#asid)) return 1;
    return this.#missL1(path, vaHi, vaLo);
  }

  #missL1({ l1, l2 }: Path, vaHi: number, vaLo: number): number {
    const filling = this.#filling;
    if (l2?.look(vaHi, vaLo, this.#asid)) {
      l2.readHit(vaHi, vaLo, filling);
      l1.missed(filling.leafShift);
      l1.fill(filling, false);
      return 2;
    }
    const found = this.#walker.walk(vaHi, vaLo, this.#asid);
    const leafShift = found ? this.#walker.record.leafShift : 0;
    l1.missed(leafShift);
    l2?.missed(leafShift);
    if (!found) return 0;
    this.#describeWalk(vaHi, vaLo);
    l2?.fill(filling, true);
    l1.fill(filling, true);
    return 3;
  }

  /** The translation that the last walk found, for the TLBs. */
  #describeWalk(vaHi: number, vaLo: number): void {
    const { record } = this.#walker;
    const filling = this.#filling;
    filling.vaHi = vaHi;
    filling.vaLo = vaLo;
    filling.asid = record.isGlobal ? EVERY_ASID : this.#asid;
    filling.leafShift = record.leafShift;
    filling.cover = Math.max(record.leafShift, record.runShift);
    filling.pfn = record.pfn;
    filling.groupPages = 1;
    filling.groupMask = 0;
  }

  /**
   * Forgets what an instruction of the architecture names, in TLBs and walk caches. Format packages have these
   * instructions as data.
   *
   * A leaf that is held in pieces goes whole. Of an entry that covers a group of pages, the named pages go. Operands that
   * the instruction does not take are ignored.
   *
   * @param target - the operands that it takes: address, length, ASID.
   * @throws VmError `EINVAL` when an operand is missing or wrong; `ERANGE` when the range runs past 2^64.
   */
  invalidate(invalidation: Invalidation, target?: InvalidationTarget): void {
    this.#drop(doomedBy(invalidation, target, this.#asid));
  }

  /**
   * Forgets the translations of a range, as a flush sink. It does what the instruction of the option `flushWith` does, repeated
   * for each page of the range when it names one page, on a processor on which the flush's address space is the current one.
   *
   * @throws VmError as `invalidate`.
   */
  flush(va: bigint, bytes: bigint, _leafShift: number, tablesFreed: readonly number[], asid: number): void {
    const how = this.#flushWith;
    const tables = how?.tables ?? 'none';
    this.#drop({
      addresses: how?.addresses === 'all' ? unitsOf('a flush', 0n, 1n << 64n) : unitsOf('a flush', va, bytes),
      asid: how?.asids === 'all' ? null : integer('the ASID of a flush', asid, 0, MOST_ASID),
      globals: how?.globals ?? true,
      tables: tables === 'none' && tablesFreed.length > 0 ? 'addresses' : tables,
    });
  }

  /** What was counted, as a copy. */
  get stats(): TlbStats {
    return statsOf({
      accesses: [this.#read.accesses, this.#write.accesses, this.#execute.accesses],
      units: this.#units,
      resolved: this.#resolved,
      source: this.#source,
      walker: this.#walker,
      invalidations: this.#invalidations,
      dropped: this.#dropped,
    });
  }

  /** Sets all counters to 0. Translations stay. */
  resetStats(): void {
    for (const path of [this.#read, this.#write, this.#execute]) path.accesses = 0;
    for (const unit of this.#units) unit.resetStats();
    this.#walker.resetStats();
    this.#invalidations = 0;
    this.#dropped = 0;
  }

  /** What is modelled, and how often it missed. */
  toString(): string {
    const { accesses, walks, tableReads } = this.stats;
    return `TlbModel of ${this.description.title}: ${accesses} accesses, ${walks} walks, ${tableReads} table reads`;
  }

  #pathOf(kind: AccessKind): Path {
    const serving = this.#units.filter(({ shape }) => shape.kinds.includes(kind));
    return {
      l1: serving.find(({ shape }) => shape.level === 1) as Unit,
      l2: serving.find(({ shape }) => shape.level === 2) ?? null,
      accesses: 0,
    };
  }

  #drop(doomed: Doomed): void {
    this.#invalidations++;
    for (const array of this.#arrays) this.#dropped += dropFrom(array, doomed);
    this.#forgetLast();
  }

  #forgetLast(): void {
    for (const unit of this.#units) unit.forgetLast();
  }
}

function badKind(kind: unknown): never {
  throw refused('the kind of access', kind, "'read', 'write' or 'execute'");
}
