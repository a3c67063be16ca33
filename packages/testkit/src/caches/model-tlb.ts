import { addressMask } from '@vmarea/conformance';
import {
  attachFrames,
  type FlushSink,
  type FrameAllocator,
  hex,
  type PageTableFormat,
  type PhysicalMemory,
  type Protection,
  words,
} from '@vmarea/core';
import { type ByteWalk, walkBytes } from '../entries/walk-bytes.js';

/** A cached translation: the leaf that holds an address, and the page that was asked for. */
interface Cached {
  page: bigint;
  /** Of the page that was asked for. */
  pa: bigint;
  protection: Protection;
  /** First address and length of the leaf. */
  start: bigint;
  bytes: bigint;
}

/** Pages that are looked up again at every flush. */
const MOST_ASKED = 128;

/** Addresses for which a flush is still owed: what was cached may be stale there. */
export type OwedRanges = readonly { readonly va: bigint; readonly bytes: bigint }[];

/**
 * A plain model of a TLB, for tests to use as the flush sink of a page table. It shows a flush that is missing, too short, or of the
 * wrong stride.
 *
 * It is the laziest one that an architecture allows: what it has seen stays until a flush takes it away, and a flush takes no more
 * than it must. Of a range it visits one address per stride, and drops the leaves that hold one of them. It looks pages up by bytes,
 * with none of the engine's code. It models no processor's sizes, ways or timing.
 *
 * Each flush is also held against the contract: a range of the format, aligned, not across the hole, and with no table whose frame
 * is free already.
 *
 * @example
 * ```ts
 * const tlb = new ModelTlb(format);
 * const table = new PageTable({ format, memory, frames, sink: tlb });
 * Object.assign(tlb, { memory, frames, root: table.root });
 * tlb.fill([va]);
 * table.unmap(va, 4096);
 * tlb.expectFresh();
 * ```
 */
export class ModelTlb implements FlushSink {
  readonly #format: PageTableFormat;
  /** By page: what was found at different times, as long as no flush took it away. */
  readonly #cached = new Map<bigint, Cached[]>();
  /** Tables that flushes have named since the test last emptied it. */
  readonly named: Set<number> = new Set<number>();
  /**
   * True: it walks again inside the flush, right after dropping, every page that it was ever asked for. A processor may
   * walk at any moment, so what stands in the tables at that moment must be safe to keep.
   */
  refills = false;
  /** The ones asked for last, oldest first; never more than `MOST_ASKED`. */
  readonly #asked = new Set<bigint>();
  /** By level and entry without its address: what was decoded before. */
  readonly #decoded: Map<bigint, Protection>[] = [];
  /** By level: where the address of a leaf stands; of a block only what lies above its size. */
  readonly #fields: readonly bigint[];
  /** The memory of the tables, set once the table is made. */
  memory!: PhysicalMemory;
  /** The allocator of the tables, set once the table is made. */
  frames!: FrameAllocator;
  /** Physical address of the root table, set once the table is made. */
  root!: bigint;

  constructor(format: PageTableFormat) {
    this.#format = format;
    this.#fields = format.levels.map(({ shift }) => addressMask(format, shift));
  }

  flush(va: bigint, bytes: bigint, leafShift: number, tablesFreed: readonly number[]): void {
    this.#checkFlush(va, bytes, leafShift);
    this.#refuseFreeFrames(tablesFreed);
    for (const pfn of tablesFreed) this.named.add(pfn);
    const stride = 1n << BigInt(leafShift);
    for (const [page, all] of this.#cached) {
      const kept = all.filter(({ start, bytes: length }) => {
        if (start >= va + bytes || start + length <= va) return true;
        // The first address of the stride that is not below the leaf.
        const visited = start <= va ? va : va + ((start - va + stride - 1n) / stride) * stride;
        return visited >= start + length || visited >= va + bytes;
      });
      if (kept.length === 0) this.#cached.delete(page);
      else if (kept.length < all.length) this.#cached.set(page, kept);
    }
    if (this.refills) this.walkAgain();
  }

  /**
   * Every translation that is still cached is what the tables say now, unless a flush is owed for its page.
   *
   * @throws Error naming the page that is stale.
   */
  expectFresh(owed: OwedRanges = []): void {
    for (const [page, all] of this.#cached) {
      if (owed.some(({ va, bytes }) => page >= va && page < va + bytes)) continue;
      const found = walkBytes(this.#format, this.memory, this.root, page);
      const now = found === null ? null : this.#seenBy(found);
      for (const { pa, protection } of all) {
        if (found?.pa === pa && now !== null && isSame(now, protection)) continue;
        const cached = `${hex(pa)} with ${textOf(protection)}`;
        const says = found === null ? 'nothing' : `${hex(found.pa)} with ${textOf(now)}`;
        throw new Error(`cached ${hex(page)}: ${cached}, but the tables say ${says}`);
      }
    }
  }

  /** Looks pages up and keeps what was found, beside what is kept of them already. */
  fill(pages: Iterable<bigint>): void {
    for (const page of pages) {
      if (this.refills) this.#ask(page);
      const found = walkBytes(this.#format, this.memory, this.root, page);
      if (found === null) continue;
      const bytes = 1n << BigInt(this.#format.levels[found.level]?.shift ?? 0);
      const protection = this.#seenBy(found);
      const start = page - (page % bytes);
      const all = this.#cached.get(page) ?? [];
      const isKnown = all.some((one) => {
        return one.pa === found.pa && one.bytes === bytes && isSame(one.protection, protection);
      });
      if (!isKnown) this.#cached.set(page, [...all, { page, pa: found.pa, protection, start, bytes }]);
    }
  }

  /** Looks up every page again that it was ever asked for, as a processor may at any moment. */
  walkAgain(): void {
    this.fill([...this.#asked]);
  }

  /** Forgets everything: the test has changed the tables by itself and flushed. */
  clear(): void {
    this.#cached.clear();
  }

  /** What a TLB keeps of a leaf: software's bits mean nothing to it. */
  #seenBy({ entry, level }: ByteWalk): Protection {
    const flags = entry & ~(this.#fields[level] as bigint);
    const known = this.#decoded[level] ?? new Map<bigint, Protection>();
    this.#decoded[level] = known;
    let seen = known.get(flags);
    if (seen === undefined) {
      seen = { ...this.#format.decode(words(entry), level), extra: 0n };
      known.set(flags, seen);
    }
    return seen;
  }

  #ask(page: bigint): void {
    this.#asked.delete(page);
    this.#asked.add(page);
    for (const oldest of this.#asked) {
      if (this.#asked.size <= MOST_ASKED) break;
      this.#asked.delete(oldest);
    }
  }

  /** Refuses a flush that no page table of the format may ask for. */
  #checkFlush(va: bigint, bytes: bigint, leafShift: number): void {
    const { range, pageShift, levels } = this.#format;
    const last = va + bytes - 1n;
    const isAcrossHole =
      range.upper === 'sign' && va >> BigInt(range.bits - 1) !== last >> BigInt(range.bits - 1);
    const wrong = [
      bytes <= 0n && 'it is empty',
      va % (1n << BigInt(pageShift)) !== 0n && 'it begins inside a page',
      !(this.#isTranslated(va) && this.#isTranslated(last)) && 'it is outside the range of the format',
      isAcrossHole && 'it crosses the canonical hole',
      !levels.some(({ shift }) => shift === leafShift) && `no level has leaves of 2^${leafShift} bytes`,
    ].filter((one) => one !== false);
    if (wrong.length > 0) {
      throw new Error(`flush of ${hex(va)}, 0x${bytes.toString(16)} bytes: ${wrong.join(', ')}`);
    }
  }

  #isTranslated(va: bigint): boolean {
    const { bits, upper } = this.#format.range;
    if (va < 0n || va >= 1n << 64n) return false;
    if (upper === 'zeros') return va < 1n << BigInt(bits);
    if (upper === 'ones') return va >= (1n << 64n) - (1n << BigInt(bits));
    return BigInt.asUintN(64, BigInt.asIntN(bits, va)) === va;
  }

  /** A frame that goes back only after the flush can still be freed here: tried on a copy of the allocator. */
  #refuseFreeFrames(tables: readonly number[]): void {
    if (tables.length === 0) return;
    const { frames, root } = this;
    const copy = attachFrames(frames.state.slice(0));
    const rootBytes = 8 * 2 ** (this.#format.levels[0]?.bits ?? 0);
    const rootOrder = Math.max(0, Math.log2(rootBytes) - frames.pageShift);
    for (const pfn of tables) {
      copy.free(pfn, BigInt(pfn) << BigInt(frames.pageShift) === root ? rootOrder : 0);
    }
  }
}

function textOf(protection: Protection | null): string {
  return JSON.stringify(protection, (_, value) => (typeof value === 'bigint' ? hex(value) : value));
}

function isSame(a: Protection, b: Protection): boolean {
  return a === b || (Object.keys(a) as (keyof Protection)[]).every((member) => a[member] === b[member]);
}
