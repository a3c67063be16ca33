import type { FlushSink } from '@vmarea/core';
import { flushBatch, PageTable, protection, restoreSnapshot, takeSnapshot } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { TableRecords } from '../../../src/table/state/table-records.js';
import { arm64 } from '../../formats/arm64.js';
import { digest } from '../../support/digest.js';

const WRITE = protection({ write: true, global: true });
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;
/** Bytes that one PTE table translates. */
const SPAN = 0x200000n;
const GONE = 'EINVAL: this page table was made after the snapshot that was restored; make or open a new one';

describe('page tables that a restore takes away or brings back', () => {
  function late() {
    const made = machine(arm);
    const { memory, frames, table } = made;
    const snapshot = takeSnapshot(table);
    const gone = new PageTable({ format: arm, memory, frames });
    gone.map(BASE, [1], WRITE);
    return { ...made, snapshot, gone };
  }

  test('refuse every call once they are gone', () => {
    const { table, gone, snapshot, memory, frames } = late();
    const opened = new PageTable({ format: arm, memory, root: table.root, frames });
    opened.map(BASE, [4], WRITE);
    const leaves = gone.leaves();
    restoreSnapshot(table, snapshot);
    const before = digest({ memory, frames });
    for (const one of [gone, opened]) {
      for (const call of [
        () => one.map(BASE + SPAN, [2], WRITE),
        () => one.mapRange(BASE + SPAN, 0n, 4096, WRITE),
        () => one.unmap(BASE, 4096),
        () => one.walk(BASE),
        () => one.translate(BASE),
        () => one.leaves(),
        () => flushBatch(one),
        () => takeSnapshot(one),
        () => one.destroy(),
      ]) {
        expect(thrown(call)).toBe(GONE);
      }
      expect(thrown(() => one.translateWords(0xffff0000, 0))).toMatch(/^EINVAL: this page table was /);
      expect(thrown(() => restoreSnapshot(one, snapshot))).toBe(
        'EINVAL: this page table was made after the snapshot, or destroyed before it; ' +
          'restore it through a page table that the snapshot holds',
      );
    }
    expect(thrown(() => leaves.next())).toMatch(/^EINVAL: this page table was /);
    expect(digest({ memory, frames })).toBe(before);
  });

  test('stay gone when others take their frames, and do not touch those', () => {
    const { table, gone, snapshot, memory, frames } = late();
    restoreSnapshot(table, snapshot);
    const heir = new PageTable({ format: arm, memory, frames });
    heir.map(BASE, [2], WRITE);
    expect(heir.root).toBe(gone.root);
    expect(thrown(() => gone.destroy())).toBe(GONE);
    expect(thrown(() => gone.translate(BASE))).toBe(GONE);
    expect(heir.translate(BASE)).toBe(0x2000n);
    heir.destroy();
    expect(frames.stats().allocated).toBe(1);
  });

  test('are gone even when their first call comes after the restore', () => {
    const { table, snapshot, memory, frames } = late();
    const unused = new PageTable({ format: arm, memory, frames });
    restoreSnapshot(table, snapshot);
    const before = digest({ memory, frames });
    expect(thrown(() => unused.map(BASE, [1], WRITE))).toBe(GONE);
    expect(digest({ memory, frames })).toBe(before);
    // A snapshot that is taken after it went does not hold it either.
    const never = new PageTable({ format: arm, memory, frames });
    restoreSnapshot(table, snapshot);
    expect(thrown(() => restoreSnapshot(never, takeSnapshot(table)))).toMatch(
      /^EINVAL: this page table was made after/,
    );
    // A later snapshot, taken after the number of the unused one was given out.
    const later = takeSnapshot(table);
    const next = new PageTable({ format: arm, memory, frames });
    restoreSnapshot(table, later);
    expect(thrown(() => unused.translate(BASE))).toBe(GONE);
    expect(thrown(() => next.translate(BASE))).toBe(GONE);
  });

  test('come back with a snapshot that holds them, restored through themselves or others', () => {
    const { table, gone, snapshot } = late();
    const later = takeSnapshot(table);
    for (const through of [gone, table]) {
      restoreSnapshot(table, snapshot);
      expect(thrown(() => gone.translate(BASE))).toBe(GONE);
      restoreSnapshot(through, later);
      expect(gone.translate(BASE)).toBe(0x1000n);
      expect(gone.translateWords(0xffff0000, 0)).toBe(1);
      gone.map(BASE + SPAN, [2], WRITE);
    }
    // The snapshot brings a destroyed one back as well.
    for (const through of [gone, table]) {
      gone.destroy();
      expect(thrown(() => gone.translate(BASE))).toBe('EINVAL: this page table was destroyed');
      restoreSnapshot(through, later);
      expect(gone.translate(BASE)).toBe(0x1000n);
    }
    gone.destroy();
    const without = takeSnapshot(table);
    restoreSnapshot(table, later);
    restoreSnapshot(table, without);
    expect(thrown(() => gone.translate(BASE))).toBe('EINVAL: this page table was destroyed');
    expect(thrown(() => restoreSnapshot(gone, without))).toMatch(
      /^EINVAL.*made after the snapshot, or destroyed before/,
    );
  });

  test('are not flushed when they come back, since they were when they went', () => {
    const { table, memory, frames } = machine(arm);
    const log: string[] = [];
    const sink: FlushSink = { flush: () => void log.push('ended') };
    const ended = new PageTable({ format: arm, memory, frames, sink });
    ended.map(BASE, [1], WRITE);
    const snapshot = takeSnapshot(table);
    for (const through of [ended, table]) {
      ended.destroy();
      expect(log).toEqual(['ended']);
      restoreSnapshot(through, snapshot);
      expect(log).toEqual(['ended']);
      expect(ended.translate(BASE)).toBe(0x1000n);
      log.length = 0;
    }
    restoreSnapshot(table, snapshot);
    expect(log).toEqual(['ended']);
  });

  test('are all told, however many there are', () => {
    const { table, memory, frames } = machine(arm, 512);
    const early = Array.from({ length: 100 }, () => new PageTable({ format: arm, memory, frames }));
    const snapshot = takeSnapshot(table);
    const late = Array.from({ length: 150 }, () => new PageTable({ format: arm, memory, frames }));
    restoreSnapshot(table, snapshot);
    expect(new Set(early.map((one) => thrown(() => one.translate(BASE))))).toEqual(new Set(['none']));
    expect(new Set(late.map((one) => thrown(() => one.translate(BASE))))).toEqual(new Set([GONE]));
  });

  test('never share an owner number', () => {
    const { table, snapshot, memory, frames } = late();
    const owners = new Set<number>();
    for (let i = 0; i < 5; i++) {
      const { root } = new PageTable({ format: arm, memory, frames });
      const records = TableRecords.of(frames);
      owners.add(records.ownerOf(records.find(Number(root >> 12n))));
      restoreSnapshot(table, snapshot);
    }
    expect(owners.size).toBe(5);
    expect(TableRecords.of(frames).bytes.gone, 'as one range').toHaveLength(2);
    // Nor when each snapshot is taken right after a restore.
    for (let i = 0; i < 5; i++) {
      const again = takeSnapshot(table);
      new PageTable({ format: arm, memory, frames });
      restoreSnapshot(table, again);
    }
    expect(TableRecords.of(frames).bytes.gone).toHaveLength(2);
  });
});

describe('a page table that has only translated so far', () => {
  test('is gone when it was made after the snapshot', () => {
    const { table, memory, frames } = machine(arm);
    const snapshot = takeSnapshot(table);
    const late = new PageTable({ format: arm, memory, frames });
    restoreSnapshot(table, snapshot);
    expect(thrown(() => late.translateWords(-65536, 0))).toMatch(/^EINVAL: this page table was /);
    expect(thrown(() => late.translate(BASE))).toBe(GONE);
  });

  test('is flushed by a restore', () => {
    const { table, memory, frames } = machine(arm);
    table.map(BASE, [1], WRITE);
    const flushed: bigint[] = [];
    const sink = { flush: (va: bigint) => void flushed.push(va) };
    const other = new PageTable({ format: arm, memory, root: table.root, frames, sink });
    const snapshot = takeSnapshot(table);
    table.unmap(BASE, 4096);
    expect(other.translateWords(-65536, 0)).toBe(-1);
    restoreSnapshot(table, snapshot);
    expect(flushed).toEqual([BASE]);
    expect(other.translateWords(-65536, 0)).toBe(1);
  });
});
