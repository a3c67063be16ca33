import type { Access, FlushSink, Invalidation, ReadableTable } from '@vmarea/core';
import type { ProcessorObserver } from '../../../src/index.js';

/** A translation that a processor holds: the page that was asked for, and its leaf. */
interface Held {
  readonly pfn: number;
  readonly start: bigint;
  readonly bytes: bigint;
}

/** A read by the kernel. */
export const READ: Access = { kind: 'read', user: false };
/** A write by the kernel. */
export const WRITE: Access = { kind: 'write', user: false };

/**
 * A processor as a test needs it: a TLB without limits that tells an observer what it does. A flush from a sink
 * waits in its queue until it runs `pending`, as an interrupt does.
 */
export class Cpu implements FlushSink {
  readonly #observer: ProcessorObserver;
  /** By access and page: what was allowed. */
  readonly #held = new Map<string, Held>();
  readonly #queue: (() => void)[] = [];
  table: ReadableTable;
  asid: number;
  /** A flush is done at once, and does not wait. */
  isPrompt: boolean;

  constructor(observer: ProcessorObserver, table: ReadableTable, { asid = 0, isPrompt = true } = {}) {
    this.#observer = observer;
    this.table = table;
    this.asid = asid;
    this.isPrompt = isPrompt;
  }

  /** Accesses an address; returns the physical address, or `null` for a fault. */
  access(va: bigint, access: Access = READ): bigint | null {
    const shift = BigInt(this.table.format.pageShift);
    const page = va >> shift;
    const [hi, lo] = [Number(va >> 32n), Number(va & 0xffff_ffffn)];
    const key = `${access.kind} ${page}`;
    let held = this.#held.get(key);
    if (held === undefined) {
      const { leaf, fault, pa } = this.table.walk(va, access);
      if (leaf === null || fault !== null || pa === null) {
        this.#observer.fault(this.asid, hi, lo, access);
        return null;
      }
      const bytes = 1n << BigInt(leaf.leafShift);
      held = { pfn: Number(pa >> shift), start: va - (va % bytes), bytes };
      this.#held.set(key, held);
      this.#observer.fill(this.asid, hi, lo, held.pfn, leaf.leafShift);
    }
    this.#observer.use(this.asid, hi, lo, held.pfn, access);
    return (BigInt(held.pfn) << shift) | (va & ((1n << shift) - 1n));
  }

  flush(va: bigint, bytes: bigint, leafShift: number, tablesFreed: readonly number[], asid: number): void {
    const tables = [...tablesFreed];
    this.#queue.push(() => {
      this.drop(va, bytes);
      this.#observer.flushDone(va, bytes, leafShift, tables, asid);
    });
    if (this.isPrompt) this.pending();
  }

  /** Does the flushes that wait. */
  pending(): void {
    for (const flush of this.#queue.splice(0)) flush();
  }

  /** Executes an invalidation for one page, or for all. */
  invalidate(invalidation: Invalidation, va = 0n, asid = this.asid): void {
    const page = 1n << BigInt(this.table.format.pageShift);
    if (invalidation.addresses === 'all') this.#held.clear();
    else this.drop(va, page);
    this.#observer.invalidated(invalidation, asid, va, 0n);
  }

  /** Forgets the leaves that overlap a range. */
  drop(va: bigint, bytes: bigint): void {
    for (const [key, { start, bytes: length }] of this.#held)
      if (start < va + bytes && start + length > va) this.#held.delete(key);
  }

  /** Forgets single pages, also of a larger leaf: what an emulator must not do. */
  dropPage(va: bigint): void {
    for (const kind of ['read', 'write', 'execute'])
      this.#held.delete(`${kind} ${va >> BigInt(this.table.format.pageShift)}`);
  }
}

/** A sink that passes a flush on to several processors. */
export function shootdown(cpus: readonly Cpu[]): FlushSink {
  return {
    flush: (...flush) => {
      for (const cpu of cpus) cpu.flush(...flush);
    },
  };
}
