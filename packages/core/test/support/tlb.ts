import type { FlushSink, PageTableFormat, PhysicalMemory } from '@vmarea/core';
import { FrameAllocator, hex } from '@vmarea/core';
import { expect } from 'vitest';
import { walkBytes } from './bytes-walk.js';

/** A cached translation: the leaf that holds an address, and the frame of the page that was asked for. */
interface Cached {
  pa: bigint;
  /** First address and length of the leaf. */
  start: bigint;
  bytes: bigint;
}

/**
 * A TLB that keeps what it has seen until a flush takes it away, and takes away no more than it must: of a range it
 * visits one address per stride, and drops the leaves that hold one of them.
 */
export class Tlb implements FlushSink {
  readonly #format: PageTableFormat;
  readonly #cached = new Map<bigint, Cached>();
  /** Tables that flushes have named since `named` was emptied. */
  readonly named = new Set<number>();
  memory!: PhysicalMemory;
  frames!: FrameAllocator;
  root!: bigint;

  constructor(format: PageTableFormat) {
    this.#format = format;
  }

  flush(va: bigint, bytes: bigint, leafShift: number, tablesFreed: readonly number[]): void {
    const what = `flush of ${hex(va)}, 0x${bytes.toString(16)} bytes`;
    expect(bytes > 0n, what).toBe(true);
    expect(va % (1n << BigInt(this.#format.pageShift)), what).toBe(0n);
    expect(this.#isTranslated(va) && this.#isTranslated(va + bytes - 1n), what).toBe(true);
    const top = BigInt(this.#format.range.bits - 1);
    if (this.#format.range.upper === 'sign') expect(va >> top, what).toBe((va + bytes - 1n) >> top);
    expect(
      this.#format.levels.some((level) => level.shift === leafShift),
      what,
    ).toBe(true);
    this.#refuseFreeFrames(tablesFreed);
    for (const pfn of tablesFreed) this.named.add(pfn);
    const stride = 1n << BigInt(leafShift);
    for (const [page, { start, bytes: length }] of this.#cached) {
      if (start >= va + bytes || start + length <= va) continue;
      // The first address of the stride that is not below the leaf.
      const visited = start <= va ? va : va + ((start - va + stride - 1n) / stride) * stride;
      if (visited < start + length && visited < va + bytes) this.#cached.delete(page);
    }
  }

  /** Every translation that is still cached is what the tables say now. */
  expectFresh(): void {
    for (const [page, { pa }] of this.#cached) {
      expect(walkBytes(this.#format, this.memory, this.root, page)?.pa, `cached ${hex(page)}`).toBe(pa);
    }
  }

  /** Looks pages up and keeps what was found. */
  fill(pages: Iterable<bigint>): void {
    for (const page of pages) {
      const found = walkBytes(this.#format, this.memory, this.root, page);
      if (found === null) continue;
      const bytes = 1n << BigInt(this.#format.levels[found.level]?.shift ?? 0);
      this.#cached.set(page, { pa: found.pa, start: page - (page % bytes), bytes });
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
    const { frames, root } = this;
    const copy = FrameAllocator.attach(frames.state.slice(0));
    const rootBytes = 8 * 2 ** (this.#format.levels[0]?.bits ?? 0);
    const rootOrder = Math.max(0, Math.log2(rootBytes) - frames.pageShift);
    for (const pfn of tables)
      copy.free(pfn, BigInt(pfn) << BigInt(frames.pageShift) === root ? rootOrder : 0);
  }
}
