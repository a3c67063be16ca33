import { firstAddress } from '@vmarea/conformance';
import type { PageTableFormat } from '@vmarea/core';
import {
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  protection,
  restoreSnapshot,
  takeSnapshot,
  wasmLoops,
} from '@vmarea/core';
import { ModelTlb, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { digest } from '../../support/digest.js';
import { entryAt } from '../../support/entries.js';

/*
 * During a restore that fails, the tables hold the snapshot's entries for a while. Each page table here has a TLB that walks
 * again inside its flush: it keeps stale entries unless it is flushed once more.
 */

const WRITE = protection({ write: true, global: true });
/** Bytes that one PTE table translates. */
const SPAN = 0x200000n;

interface Heard {
  name: string;
  va: bigint;
  tables: readonly number[];
}

function world(format: PageTableFormat) {
  const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 128 * 4096 });
  const frames = new FrameAllocator(memory);
  const base = firstAddress(format, 'lower');
  const heard: Heard[] = [];
  const tlbs: ModelTlb[] = [];
  let failing: (call: number) => boolean = () => false;
  let onFlush = (): void => {};
  const process = (name: string): PageTable => {
    const tlb = new ModelTlb(format);
    const flush: ModelTlb['flush'] = (va, bytes, leafShift, tables) => {
      heard.push({ name, va, tables: [...tables] });
      if (failing(heard.length)) throw new Error(`stuck at ${heard.length}`);
      // Tables that are free by now do not count.
      const held = tables.filter((pfn) => frames.isAllocated(pfn));
      tlb.flush(va, bytes, leafShift, held);
      onFlush();
    };
    const table = new PageTable({ format, memory, frames, sink: { flush } });
    Object.assign(tlb, { memory, frames, root: table.root, refills: true });
    tlbs.push(tlb);
    return table;
  };
  const first = process('first');
  const second = process('second');
  first.map(base, [1, 2], WRITE);
  first.map(base + SPAN, [3], WRITE);
  second.map(base, [4], WRITE);
  const back = Number(entryAt(first, base + SPAN).table >> 12n);
  const snapshot = takeSnapshot(first);
  first.map(base + 4n * SPAN, [5], WRITE);
  const there = Number(entryAt(first, base + 4n * SPAN).table >> 12n);
  first.unmap(base, 4096);
  first.unmap(base + SPAN, 4096, { reclaim: true });
  second.protect(base, 4096, { write: false });
  const late = process('late');
  late.map(base, [6], WRITE);
  const pages = [0n, 4096n, SPAN, 4n * SPAN].map((offset) => base + offset);
  for (const tlb of tlbs) tlb.fill(pages);
  heard.length = 0;
  return {
    ...{ memory, frames, first, second, snapshot, heard, lost: { there, back } },
    expectFresh: () => {
      for (const tlb of tlbs) tlb.expectFresh();
    },
    fail: (when: (call: number) => boolean) => {
      failing = when;
      heard.length = 0;
    },
    meddle: (call: () => void) => {
      onFlush = call;
    },
  };
}

const NEVER = (): boolean => false;

function message(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
}

describe.each([
  ['of one range', arm64({ granule: 4, vaBits: 48 }), 1],
  ['of two halves', riscv64(4), 2],
] as const)('a restore %s that fails', (_name, format, parts) => {
  const calls = 3 * parts;

  test.each(Array.from({ length: calls }, (_, i) => i + 1))(
    'at flush %i undoes everything and leaves no stale entry',
    (at) => {
      const all = world(format);
      const before = digest(all);
      all.fail((call) => call === at);
      expect(message(() => restoreSnapshot(all.first, all.snapshot))).toBe(`stuck at ${at}`);
      all.fail(NEVER);
      expect(digest(all)).toBe(before);
      all.expectFresh();
      restoreSnapshot(all.first, all.snapshot);
      expect(all.heard.map(({ name }) => name)).toEqual(
        ['first', 'second', 'late'].flatMap((name) => Array.from({ length: parts }, () => name)),
      );
    },
  );

  test('flushes all page tables again, even when their sinks throw', () => {
    for (let again = 1; again <= calls; again++) {
      const all = world(format);
      all.fail((call) => call === calls || call === calls + again);
      expect(message(() => restoreSnapshot(all.first, all.snapshot))).toBe(`stuck at ${calls}`);
      const [there, back] = [all.heard.slice(0, calls), all.heard.slice(calls)];
      expect(back.map(({ name, va }) => [name, va])).toEqual(there.map(({ name, va }) => [name, va]));
    }
  });

  test('names the tables that go, both in the first flush and in the flush that undoes', () => {
    const { first, snapshot, heard, fail, lost } = world(format);
    fail((call) => call === calls);
    expect(message(() => restoreSnapshot(first, snapshot))).toBe(`stuck at ${calls}`);
    const told = heard.filter(({ name }) => name === 'first').map(({ tables }) => tables);
    expect(told).toEqual([...Array(parts).fill([lost.there]), ...Array(parts).fill([lost.back])]);
  });

  test('because a sink took frames leaves no stale entry', () => {
    const all = world(format);
    let taken = -1;
    all.meddle(() => {
      if (taken < 0) taken = all.frames.allocate();
    });
    expect(thrown(() => restoreSnapshot(all.second, all.snapshot))).toMatch(
      /^EBUSY: a flush sink took or gave back/,
    );
    all.expectFresh();
    expect(all.heard).toHaveLength(2 * calls);
    all.frames.free(taken);
    restoreSnapshot(all.second, all.snapshot);
    expect(all.first.translate(firstAddress(format, 'lower'))).toBe(0x1000n);
  });
});
