import { firstAddress } from '@vmarea/conformance';
import type { FlushSink, PageTable, WebAssemblyMemoryLike } from '@vmarea/core';
import { FrameAllocator, flushBatch, PhysicalMemory, protection, PageTable as Table } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { formats } from '../../formats/index.js';
import { riscv64 } from '../../formats/riscv64.js';
import { fingerprint } from '../../support/digest.js';

/** The part of WebAssembly that these tests use: core is compiled without the types of the DOM and Node. */
declare const WebAssembly: {
  Memory: new (o: { initial: number; maximum: number }) => WebAssemblyMemoryLike;
};

const WRITE = protection({ write: true, global: true });
const MiB = 1024 * 1024;
const arm = arm64({ granule: 4, vaBits: 48 });
const BASE = 0xffff000000000000n;

/** A sink that calls `next` at each flush. */
class Told implements FlushSink {
  next: () => void = () => {};
  calls = 0;
  flush(): void {
    this.calls++;
    this.next();
  }
}

describe('a sink that throws', () => {
  const broken = new Error('the sink is broken');
  const fail = () => {
    throw broken;
  };

  test.each([false, true])('undoes an unmap (reclaim %s)', (reclaim) => {
    const sink = new Told();
    const { table, memory, frames } = machine(arm, 64, 0n, sink);
    table.map(BASE, [1, 2, 3], WRITE);
    table.mapRange(BASE + BigInt(2 * MiB), 0n, 4 * MiB, WRITE);
    table.map(BASE + (1n << 30n) - 0x3000n, [7], WRITE);
    // An empty slot and an entry that the MMU ignores are as before as well.
    table.unmap(BASE + 0x1000n, 4096);
    memory.write64((table.walk(BASE + 0x5000n).steps[3] as { address: bigint }).address, 0x1234_5678_9000n);
    const before = fingerprint({ memory, frames });
    sink.next = fail;
    expect(() => table.unmap(BASE, 1n << 30n, { reclaim })).toThrow(broken);
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(table.translate(BASE + 0x2000n)).toBe(0x3000n);
    expect(table.walk(BASE + 0x5000n).steps[3]?.kind).toBe('absent');
    // The same call succeeds once the sink does.
    sink.next = () => {};
    table.unmap(BASE, 1n << 30n, { reclaim });
    expect([...table.leaves()]).toEqual([]);
    expect(frames.stats().allocated).toBe(reclaim ? 1 : 5);
  });

  test('keeps a table that a block would replace', () => {
    const sink = new Told();
    const { table, memory, frames } = machine(arm, 64, 0n, sink);
    table.map(BASE, [1], WRITE);
    table.unmap(BASE, 4096);
    const before = fingerprint({ memory, frames });
    sink.next = fail;
    expect(() => table.mapRange(BASE, 0n, 2 * MiB, WRITE)).toThrow(broken);
    expect(fingerprint({ memory, frames })).toBe(before);
    sink.next = () => {};
    table.map(BASE, [4], WRITE);
    expect(table.translate(BASE)).toBe(0x4000n);
  });

  test('while a call is undone does not hide the first error, and the frames are freed', () => {
    const sink = new Told();
    const { table, memory, frames } = machine(arm, 64, 0n, sink);
    table.map(BASE + BigInt(2 * MiB), [1], WRITE);
    const before = fingerprint({ memory, frames });
    sink.next = fail;
    sink.calls = 0;
    expect(thrown(() => table.mapRange(BASE, 0n, 4 * MiB, WRITE, { maxLeafShift: 12 }))).toMatch(
      /^EBUSY at 0xffff000000200000/,
    );
    expect(sink.calls).toBe(1);
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('keeps a table from being destroyed', () => {
    const sink = new Told();
    const { table, memory, frames } = machine(riscv64(3), 64, 0n, sink);
    table.map(0x1000n, [1], WRITE);
    table.map(0xffffffc000000000n, [2], WRITE);
    const before = fingerprint({ memory, frames });
    // In the flush of the lower half, and in that of the upper.
    for (const good of [0, 1]) {
      sink.calls = 0;
      sink.next = () => {
        if (sink.calls > good) fail();
      };
      expect(() => table.destroy()).toThrow(broken);
      expect(sink.calls).toBe(good + 1);
      expect(fingerprint({ memory, frames })).toBe(before);
      expect(table.translate(0x1000n)).toBe(0x1000n);
    }
    sink.next = () => {};
    table.destroy();
    expect(frames.stats().allocated).toBe(0);
  });
});

describe('a sink that calls back', () => {
  const busy = /^EBUSY: this page table is in the middle of a change/;
  const callbacks: [string, (table: PageTable) => void][] = [
    ['map', (table) => table.map(BASE + 0x9000n, [9], WRITE)],
    ['mapRange', (table) => table.mapRange(BASE, 0n, 4096, WRITE)],
    ['unmap', (table) => table.unmap(BASE, 4096)],
    ['destroy', (table) => table.destroy()],
  ];

  test.each(callbacks)('may not %s on the table that called it', (_what, call) => {
    const sink = new Told();
    const { table, frames } = machine(arm, 64, 0n, sink);
    const seen: string[] = [];
    sink.next = () => seen.push(thrown(() => call(table)));
    // In the flush of an unmap, of a replaced table, of a call that is undone, and of a destroy.
    table.map(BASE, [1], WRITE);
    table.unmap(BASE, 4096);
    table.mapRange(BASE, 0n, 2 * MiB, WRITE);
    table.map(BASE + BigInt(4 * MiB), [1], WRITE);
    expect(
      thrown(() => table.mapRange(BASE + BigInt(2 * MiB), 0n, 4 * MiB, WRITE, { maxLeafShift: 12 })),
    ).toMatch(/^EBUSY at/);
    table.destroy();
    expect(seen).toHaveLength(4);
    for (const message of seen) expect(message).toMatch(busy);
    expect(frames.stats().allocated).toBe(0);
  });

  test('may read, and change another table with the same allocator', () => {
    const sink = new Told();
    const { table, memory, frames } = machine(arm, 64, 0n, sink);
    const other = new Table({ format: arm, memory, frames });
    table.map(BASE, [1, 2], WRITE);
    const seen: unknown[] = [];
    sink.next = () => {
      other.map(BASE, [5], WRITE);
      seen.push(table.translate(BASE), table.translate(BASE + 0x1000n), [...table.leaves()].length);
    };
    table.unmap(BASE, 4096, { reclaim: true });
    expect(seen).toEqual([null, 0x2000n, 1]);
    expect(other.translate(BASE)).toBe(0x5000n);
    sink.next = () => {};
    table.destroy();
    expect(frames.stats().allocated).toBe(4);
    expect(other.translate(BASE)).toBe(0x5000n);
  });

  test('leaves the table usable after a refused call', () => {
    const sink = new Told();
    const { table } = machine(arm, 64, 0n, sink);
    table.map(BASE, [1], WRITE);
    sink.next = () => table.unmap(BASE, 4096);
    expect(thrown(() => table.unmap(BASE, 4096))).toMatch(busy);
    expect(table.translate(BASE)).toBe(0x1000n);
    sink.next = () => {};
    table.unmap(BASE, 4096);
    expect(table.translate(BASE)).toBeNull();
  });
});

describe('a WebAssembly.Memory may grow', () => {
  function growing() {
    const wasm = new WebAssembly.Memory({ initial: 16, maximum: 64 });
    const memory = PhysicalMemory.over(wasm);
    const frames = new FrameAllocator(memory);
    const sink = new Told();
    const table = new Table({ format: arm, memory, frames, sink });
    return { wasm, memory, frames, sink, table };
  }

  test('between two results of leaves', () => {
    const { wasm, table } = growing();
    for (const page of [0n, 2n, 4n, 0x200n, 0x40000n])
      table.map(BASE + page * 4096n, [Number(page) + 1], WRITE);
    const listed: number[] = [];
    for (const { pfn } of table.leaves()) {
      listed.push(pfn);
      wasm.grow(1);
    }
    expect(listed).toEqual([1, 3, 5, 0x201, 0x40001]);
  });

  test('in the flush of an unmap, of a replaced table and of a destroy', () => {
    const { wasm, sink, table, frames } = growing();
    sink.next = () => wasm.grow(1);
    table.map(BASE, [1, 2], WRITE);
    table.map(BASE + BigInt(2 * MiB), [3], WRITE);
    table.unmap(BASE, 8192);
    expect(table.translate(BASE)).toBeNull();
    // The block is written to the new buffer, and so are the pages after it.
    table.mapRange(BASE, 0x40000000n, 2 * MiB, WRITE);
    expect(table.walk(BASE)).toMatchObject({ pa: 0x40000000n, leaf: { leafShift: 21 } });
    table.unmap(BASE + BigInt(2 * MiB), 4096, { reclaim: true });
    expect([...table.leaves()].map((run) => run.leafShift)).toEqual([21]);
    expect(frames.stats().allocated).toBe(3);
    table.destroy();
    expect(sink.calls).toBe(4);
    expect(frames.stats().allocated).toBe(0);
  });

  test('in the flush of a replaced table, in a call that then fails', () => {
    const { wasm, memory, frames, sink, table } = growing();
    table.map(BASE, [1], WRITE);
    table.unmap(BASE, 4096);
    table.map(BASE + BigInt(2 * MiB), [3], WRITE);
    const before = fingerprint({ memory, frames });
    sink.next = () => wasm.grow(1);
    expect(thrown(() => table.mapRange(BASE, 0n, 4 * MiB, WRITE))).toMatch(/^EBUSY at 0xffff000000200000/);
    expect(fingerprint({ memory, frames })).toBe(before);
  });

  test('in the flush of an unmap whose sink then throws', () => {
    const { wasm, memory, frames, sink, table } = growing();
    table.map(BASE, [1, 2, 3], WRITE);
    const before = fingerprint({ memory, frames });
    sink.next = () => {
      wasm.grow(1);
      throw new Error('after growth');
    };
    expect(() => table.unmap(BASE, 8192, { reclaim: true })).toThrow('after growth');
    expect(fingerprint({ memory, frames })).toBe(before);
    expect(table.translate(BASE + 0x1000n)).toBe(0x2000n);
  });

  test('between calls', () => {
    const { wasm, table } = growing();
    table.map(BASE, [1], WRITE);
    wasm.grow(1);
    table.map(BASE + 0x1000n, [2], WRITE);
    wasm.grow(1);
    expect(table.translateWords(0xffff0000, 0x1000)).toBe(2);
    expect(table.walk(BASE).pa).toBe(0x1000n);
  });
});

describe.each(formats.map((format) => [format.name, format] as const))('the flush of %s', (_name, format) => {
  test('covers the root at destroy, in two calls where the range has two halves', () => {
    const { table, frames, flushes } = machine(format);
    const { bits, upper } = format.range;
    table.map(firstAddress(format), [1], WRITE);
    const tables = table
      .walk(firstAddress(format))
      .steps.map((step) => Number(step.table >> BigInt(format.pageShift)));
    const leafShift = format.pageShift;
    table.destroy();
    const bytes = 1n << BigInt(upper === 'sign' ? bits - 1 : bits);
    const halves = upper === 'sign' ? [0n, (1n << 64n) - bytes] : [firstAddress(format)];
    expect(flushes).toEqual(halves.map((va) => ({ va, bytes, leafShift, tablesFreed: tables })));
    expect(frames.stats().allocated).toBe(0);
  });
});

describe('a sink that asks to be told more', () => {
  /** Calls of the sink, each with what an address translates to at that moment. */
  function told(asid?: number) {
    const calls: string[] = [];
    const memory = PhysicalMemory.create({ bytes: 64 * 4096 });
    const frames = new FrameAllocator(memory);
    const note = (what: string): void => {
      calls.push(`${what}: ${table.translate(BASE) ?? 'nothing'}`);
    };
    const sink: FlushSink = {
      flush: () => note('flush'),
      changing: () => note('changing'),
      deferred: (va, bytes, until, id) => note(`deferred ${va - BASE} +${bytes} to ${until}, asid ${id}`),
    };
    const table: PageTable = new Table({
      ...{ format: arm, memory, frames, sink },
      ...(asid === undefined ? {} : { asid }),
    });
    return { table, calls };
  }

  test('hears of a call before it removes anything', () => {
    const { table, calls } = told();
    table.map(BASE, [1, 2], WRITE);
    calls.length = 0;
    table.unmap(BASE, 4096);
    expect(calls).toEqual(['changing: 4096', 'flush: nothing']);
  });

  test('hears of unmapWords, too', () => {
    const { table, calls } = told();
    table.map(BASE, [1], WRITE);
    calls.length = 0;
    table.unmapWords(Number(BASE >> 32n), 0);
    expect(calls).toEqual(['changing: 4096', 'flush: nothing']);
  });

  test('hears what is left to a batch, and of the flush when the batch is done', () => {
    const { table, calls } = told(7);
    table.map(BASE, [1, 2, 3], WRITE);
    const batch = flushBatch(table);
    calls.length = 0;
    table.unmap(BASE, 3 * 4096, { batch });
    expect(calls).toEqual(['changing: 4096', 'deferred 0 +12288 to batch, asid 7: nothing']);
    batch.done();
    expect(calls.at(-1)).toBe('flush: nothing');
  });
});
