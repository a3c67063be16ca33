import { ARM64_INVALIDATIONS, arm64 } from '@vmarea/arm64';
import {
  type Invalidation,
  PageTable,
  type PageTableFormat,
  restoreSnapshot,
  takeSnapshot,
} from '@vmarea/core';
import { riscv64 } from '@vmarea/riscv64';
import { describe, expect, test } from 'vitest';
import { briefs, GLOBAL, KERNEL, stage } from './support/stage.js';

const A64: PageTableFormat = arm64({ granule: 4, vaBits: 39 });
const RUN = 16;

describe('break-before-make', () => {
  test('is demanded of a frame that changes in place on arm64', () => {
    const { sanitizer, table, frames, at, read, write } = stage({ format: A64 });
    table.map(at(0), [frames.allocate()], KERNEL);
    const before = read(at(0));
    const after = before ^ 0x10_0000n;
    write(at(0), after);
    expect(briefs(sanitizer)).toEqual([`error break-before-make in-place cpu0 0x${at(0).toString(16)}`]);
    expect(sanitizer.reports[0]).toMatchObject({ before, after, level: 'PTE', processors: [0, 1] });
  });

  test('is kept by an invalid entry and a flush in between', () => {
    const { sanitizer, table, frames, sink, at, page, read, write } = stage({ format: A64 });
    table.map(at(0), [frames.allocate()], KERNEL);
    const before = read(at(0));
    write(at(0), 0n);
    sink.flush(at(0), BigInt(page), 12, [], 0);
    write(at(0), before ^ 0x10_0000n);
    expect(briefs(sanitizer)).toEqual([]);
  });

  test('is not kept by an invalid entry alone', () => {
    const { sanitizer, table, frames, at, read, write } = stage({ format: A64 });
    table.map(at(0), [frames.allocate()], KERNEL);
    const before = read(at(0));
    write(at(0), 0n);
    write(at(0), before ^ 0x10_0000n);
    expect(briefs(sanitizer)).toEqual([`error address-reused no-flush cpu0 0x${at(0).toString(16)}`]);
  });

  test('is not demanded of x86-64, nor of a change of rights', () => {
    for (const format of [undefined, A64]) {
      const { sanitizer, table, frames, at, page } = stage(format === undefined ? {} : { format });
      table.map(at(0), [frames.allocate()], KERNEL);
      table.protect(at(0), page, { write: false });
      table.protect(at(0), page, { write: true });
      sanitizer.settle();
      expect(briefs(sanitizer)).toEqual([]);
    }
  });
});

describe('a run with the contiguous hint', () => {
  function withRun(format = A64) {
    const made = stage({ format });
    const pfn = made.frames.allocate(4);
    made.table.mapRange(made.at(0), BigInt(pfn) << BigInt(format.pageShift), RUN * made.page, KERNEL);
    expect(made.table.walk(made.at(0)).leaf?.runShift).toBe(16);
    return made;
  }

  test.each<[string, PageTableFormat]>([
    ['arm64', A64],
    ['riscv64', riscv64({ mode: 'sv39' })],
  ])('whose leaves differ is found on %s', (_name, format) => {
    const { sanitizer, at, page, read, write } = withRun(format);
    const other = withRun(format);
    // One leaf loses the mark, as after a change of one page.
    write(at(3), other.read(at(3)) & ~(format.name.startsWith('arm64') ? 1n << 52n : 1n << 63n) & ~0x2000n);
    const found = sanitizer.reports.find(({ code }) => code === 'mixed-run');
    expect(found).toMatchObject({ class: 'error', cause: 'mixed', va: at(3), bytes: BigInt(page) });
    expect(found?.before).toBe(read(at(0)));
    expect(found?.after).toBe(read(at(3)));
  });

  test('of which a part is missing is found at the next flush, and not while it is built', () => {
    const { sanitizer, sink, at, page, read, write } = withRun();
    const entries = Array.from({ length: RUN }, (_, i) => read(at(i)));
    for (let i = 0; i < RUN; i++) write(at(i), 0n);
    sink.flush(at(0), BigInt(RUN * page), 12, [], 0);
    for (const [i, entry] of entries.entries()) write(at(i), entry);
    sanitizer.checkpoint();
    expect(briefs(sanitizer)).toEqual([]);
    write(at(5), 0n);
    expect(briefs(sanitizer)).toEqual([]);
    sink.flush(at(5), BigInt(page), 12, [], 0);
    expect(briefs(sanitizer)).toEqual([`error mixed-run partial cpu0 0x${at(5).toString(16)}`]);
  });

  test('needs a flush of each leaf: one address is not enough', () => {
    const { sanitizer, sink, frames, table, memory, entryOf, at, page } = withRun();
    const pfn = Number((table.translate(at(1)) as bigint) >> 12n) - 1;
    sanitizer.checkpoint();
    memory.bytesAt(entryOf(at(0)), 8 * RUN).fill(0);
    sink.flush(at(0), BigInt(page), 12, [], 0);
    frames.free(pfn, 4);
    expect(briefs(sanitizer)).toEqual([`error frame-freed range cpu0 0x${at(1).toString(16)}`]);
    expect(sanitizer.reports[0]?.bytes).toBe(BigInt(15 * page));
  });
});

describe('a flush', () => {
  test('with a stride that visits no address of the leaf does not cover it', () => {
    const { sanitizer, sink, table, frames, at, page, write } = stage();
    const pfn = frames.allocate();
    table.map(at(1), [pfn], KERNEL);
    write(at(1), 0n);
    sink.flush(at(0), BigInt(512 * page), 21, [], 0);
    frames.free(pfn);
    expect(briefs(sanitizer)).toEqual([`error frame-freed stride cpu0 0x${at(1).toString(16)}`]);
  });

  test('of any address of a large leaf covers all of it', () => {
    const { sanitizer, sink, table, at, page, write } = stage();
    table.mapRange(at(0), 1n << 30n, 512 * page, KERNEL);
    write(at(0), 0n, 2);
    sink.flush(at(77), BigInt(page), 12, [], 0);
    sanitizer.settle();
    expect(briefs(sanitizer)).toEqual([]);
  });

  test('that does not name a freed table leaves it in walk caches', () => {
    const { sanitizer, sink, table, frames, cpu0, at, page, read, write } = stage();
    table.map(at(0), [frames.allocate()], KERNEL);
    cpu0.access(at(0));
    const last = Number((read(at(0), 2) & 0xf_ffff_ffff_f000n) >> 12n);
    table.unmap(at(0), page);
    write(at(0), 0n, 2);
    sink.flush(at(0), BigInt(page), 12, [], 0);
    frames.free(last);
    expect(briefs(sanitizer)).toEqual([`error table-freed tables-not-named cpu0 0x${at(0).toString(16)}`]);
  });

  test('of a leaf alone keeps walk caches, one of the whole way does not, on arm64', () => {
    for (const [name, found] of [
      ['TLBI VALE1IS', ['table-freed']],
      ['TLBI VAE1IS', []],
    ] as const) {
      const { sanitizer, table, frames, cpus, cpu0, at, page, read, write } = stage({ format: A64 });
      table.map(at(0), [frames.allocate()], KERNEL);
      cpu0.access(at(0));
      const last = Number((read(at(0), 1) & 0xffff_ffff_f000n) >> 12n);
      table.unmap(at(0), page);
      write(at(0), 0n, 1);
      const tlbi = ARM64_INVALIDATIONS.find((one) => one.name === name) as Invalidation;
      for (const cpu of cpus) cpu.invalidate(tlbi, at(0));
      frames.free(last);
      expect(sanitizer.reports.map(({ code }) => code)).toEqual(found);
    }
  });
});

describe('a table', () => {
  test('that is freed while it is linked is found', () => {
    const { sanitizer, table, frames, at, read } = stage();
    table.map(at(0), [frames.allocate()], KERNEL);
    sanitizer.checkpoint();
    frames.free(Number((read(at(0), 2) & 0xf_ffff_ffff_f000n) >> 12n));
    expect(briefs(sanitizer)).toEqual([`error table-freed linked cpu0 0x${at(0).toString(16)}`]);
  });

  test('that two roots share is followed at both', () => {
    const { sanitizer, table, frames, memory, sink, at, page, write } = stage({ asid: 1 });
    table.map(at(0), [frames.allocate()], GLOBAL);
    const second = new PageTable({ format: table.format, memory, frames, asid: 2 });
    memory.write64(second.root, memory.read64(table.root));
    sanitizer.watch({ table: second, asid: 2 });
    write(at(0), 0n);
    expect(sanitizer.windows().map(({ asid }) => asid)).toEqual([1, 2]);
    // Global translations go whatever the address space is.
    sink.flush(at(0), BigInt(page), 12, [], 1);
    expect(sanitizer.windows()).toEqual([]);
  });

  test('that points to itself is compared once for each level', () => {
    const { sanitizer, table, frames, memory, at, write } = stage();
    table.map(at(0), [frames.allocate()], KERNEL);
    memory.write64(table.root + 8n * 510n, table.root | 0x63n);
    sanitizer.checkpoint();
    write(at(0), 0n);
    // The leaf itself, and its table as a page of the map of tables.
    expect(sanitizer.windows().some(({ va }) => va === at(0))).toBe(true);
    expect(sanitizer.errors).toEqual([]);
  });
});

describe('an address space', () => {
  test('that goes to another root before its flush is found', () => {
    const { sanitizer, table, frames, memory, cpu0, at } = stage({
      asid: 3,
      sink: () => ({ flush: () => {} }),
    });
    table.map(at(0), [frames.allocate()], KERNEL);
    cpu0.access(at(0));
    sanitizer.unwatch(table.root);
    const next = new PageTable({ format: table.format, memory, frames, asid: 3 });
    sanitizer.watch({ table: next, asid: 3 });
    expect(briefs(sanitizer)[0]).toBe(`error asid-reused no-flush cpu0 0x${at(0).toString(16)}`);
  });

  test('that is destroyed is watched no longer, and leaves nothing', () => {
    const { sanitizer, table, frames, cpu0, at } = stage();
    table.map(at(0), [frames.allocate()], KERNEL);
    cpu0.access(at(0));
    table.destroy();
    frames.allocateMany(50);
    sanitizer.settle();
    expect(briefs(sanitizer)).toEqual([]);
    expect(String(sanitizer)).toContain('FlushSanitizer of 0 roots');
  });
});

test('an entry that gets its old value back is not stale', () => {
  const { sanitizer, table, frames, at, read, write } = stage();
  table.map(at(0), [frames.allocate()], KERNEL);
  const entry = read(at(0));
  write(at(0), 0n);
  expect(sanitizer.windows()).toHaveLength(1);
  write(at(0), entry);
  expect(sanitizer.windows()).toEqual([]);
  expect(briefs(sanitizer)).toEqual([]);
});

test('accessed and dirty bits are no change', () => {
  for (const format of [undefined, A64, riscv64({ mode: 'sv39' })]) {
    const { sanitizer, table, frames, at, read, write } = stage(format === undefined ? {} : { format });
    const { encode, levels } = table.format;
    table.map(at(0), [frames.allocate()], { ...KERNEL, accessed: false, dirty: false });
    const last = levels.length - 1;
    const set = encode({ ...KERNEL, accessed: true, dirty: true }, last);
    const clear = encode({ ...KERNEL, accessed: false, dirty: false }, last);
    const flip = (BigInt((set.hi ^ clear.hi) >>> 0) << 32n) | BigInt((set.lo ^ clear.lo) >>> 0);
    expect(flip).not.toBe(0n);
    write(at(0), read(at(0)) ^ flip);
    expect(sanitizer.windows()).toEqual([]);
  }
});

test('a restored snapshot is taken as it is when nobody watches', () => {
  const { sanitizer, table, frames, at, page } = stage({ format: A64 });
  table.map(at(0), [frames.allocate()], KERNEL);
  const snapshot = takeSnapshot(table);
  table.unmap(at(0), page);
  table.map(at(0), [frames.allocate()], KERNEL);
  sanitizer.unwatched(() => restoreSnapshot(table, snapshot));
  sanitizer.checkpoint();
  table.unmap(at(0), page);
  sanitizer.settle();
  expect(briefs(sanitizer)).toEqual([]);
});
