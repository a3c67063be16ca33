import { arm64 } from '@vmarea/arm64';
import { type Invalidation, PageTable } from '@vmarea/core';
import { RISCV64_INVALIDATIONS, riscv64 } from '@vmarea/riscv64';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { WRITE } from './support/cpu.js';
import { briefs, GLOBAL, KERNEL, stage } from './support/stage.js';

/*
 * Each test is a bug that a kernel, a hypervisor or an emulator had, as a small program on the public API: the report names it,
 * and the mended program is silent. Titles name the issue.
 */

function named(list: readonly Invalidation[], name: string): Invalidation {
  return list.find((one) => one.name === name) as Invalidation;
}
const INVLPG = named(X8664_INVALIDATIONS, 'INVLPG');

/** A program with the bug, or mended. */
type Program = (isMended: boolean) => string[];

/** Runs a program both ways. */
function both(program: Program, found: readonly string[]): void {
  expect(program(false)).toEqual(found);
  expect(program(true)).toEqual([]);
}

describe('a frame that is freed too early', () => {
  test('is found when other processors have not flushed yet (litebox #848)', () => {
    both(
      (isMended) => {
        const { sanitizer, table, frames, cpus, cpu0, cpu1, at, page } = stage({ queued: true });
        const pfn = frames.allocate();
        table.map(at(0), [pfn], KERNEL);
        for (const cpu of cpus) cpu.access(at(0));
        table.unmap(at(0), page);
        cpu0.pending();
        if (isMended) cpu1.pending();
        frames.free(pfn);
        cpu1.pending();
        return briefs(sanitizer);
      },
      ['error frame-freed not-done cpu1 0x40000000'],
    );
  });

  test('is found when its encryption changed without a flush (svsm #1188)', () => {
    const format = x8664({ paBits: 47, encryptionBit: 51 });
    const C = 1n << 51n;
    both(
      (isMended) => {
        const { sanitizer, table, frames, cpus, at, read, write } = stage({ format });
        const pfn = frames.allocate();
        table.map(at(3), [pfn], { ...KERNEL, extra: C });
        write(at(3), read(at(3)) & ~C);
        if (isMended) for (const cpu of cpus) cpu.invalidate(INVLPG, at(3));
        frames.free(pfn);
        return briefs(sanitizer);
      },
      ['error frame-freed no-flush cpu0 0x40003000'],
    );
  });

  test('is found when the program asks whether to flush after it wrote the entry (pKVM-IA #18)', () => {
    both(
      (isMended) => {
        const { sanitizer, table, frames, sink, at, page, entryOf, memory } = stage();
        const pfn = frames.allocate();
        table.map(at(0), [pfn], KERNEL);
        const entry = entryOf(at(0));
        let wasPresent = (memory.read64(entry) & 1n) !== 0n;
        memory.write64(entry, 0n);
        if (!isMended) wasPresent = (memory.read64(entry) & 1n) !== 0n;
        if (wasPresent) sink.flush(at(0), BigInt(page), 12, [], 0);
        frames.free(pfn);
        return briefs(sanitizer);
      },
      ['error frame-freed no-flush cpu0 0x40000000'],
    );
  });

  test('is found when a flush names the wrong address space (mimiker #76)', () => {
    both(
      (isMended) => {
        const { sanitizer, table, frames, cpus, at, write } = stage({ asid: 5 });
        const pfn = frames.allocate();
        table.map(at(0), [pfn], KERNEL);
        for (const cpu of cpus) cpu.access(at(0));
        write(at(0), 0n);
        for (const cpu of cpus) cpu.invalidate(INVLPG, at(0), isMended ? 5 : 5 & ~1);
        frames.free(pfn);
        return briefs(sanitizer);
      },
      ['error frame-freed wrong-asid cpu0 0x40000000'],
    );
  });
});

describe('a stale translation that is used', () => {
  test('is found when an address is mapped again before the flush (scx #3826)', () => {
    both(
      (isMended) => {
        const { sanitizer, table, frames, cpus, cpu0, cpu1, at, page } = stage({ queued: true });
        const [old, next] = [frames.allocate(), frames.allocate()];
        table.map(at(0), [old], KERNEL);
        cpu1.access(at(0), WRITE);
        table.unmap(at(0), page);
        if (isMended) for (const cpu of cpus) cpu.pending();
        table.map(at(0), [next], KERNEL);
        for (const cpu of cpus) if (isMended || cpu === cpu0) cpu.pending();
        // It writes into the old frame.
        cpu1.access(at(0), WRITE);
        frames.free(old);
        cpu1.access(at(0), WRITE);
        for (const cpu of cpus) cpu.pending();
        return briefs(sanitizer);
      },
      [
        'error address-reused not-done cpu0 0x40000000',
        'error frame-freed not-done cpu1 0x40000000',
        'error stale-use not-done cpu1 0x40000000',
      ],
    );
  });

  test('is found when only the own processor is flushed (MicroV #7)', () => {
    both(
      (isMended) => {
        const { sanitizer, table, frames, cpu0, cpu1, at, write } = stage();
        table.map(at(1), [frames.allocate()], KERNEL);
        cpu0.access(at(1));
        cpu1.access(at(1));
        write(at(1), 0n);
        cpu0.invalidate(INVLPG, at(1));
        if (isMended) cpu1.invalidate(INVLPG, at(1));
        cpu1.access(at(1));
        return briefs(sanitizer);
      },
      ['error stale-use local-flush cpu1 0x40001000'],
    );
  });

  test('is found when a TLB drops one page of a large leaf (NEMU #1175)', () => {
    both(
      (isMended) => {
        const { sanitizer, table, sink, cpus, cpu0, at, page } = stage({ format: riscv64({ mode: 'sv39' }) });
        table.mapRange(at(0), 1n << 30n, 512 * page, KERNEL);
        for (let i = 0; i < 4; i++) cpu0.access(at(i));
        const drop = cpu0.drop.bind(cpu0);
        if (!isMended)
          cpu0.drop = (va) => {
            cpu0.dropPage(va);
          };
        table.unmap(at(0), 512 * page);
        cpu0.access(at(0));
        cpu0.access(at(3));
        cpu0.drop = drop;
        for (const cpu of cpus) cpu.pending();
        sink.flush(at(0), BigInt(512 * page), 12, [], 0);
        return briefs(sanitizer);
      },
      ['error stale-use kept cpu0 0x40000000'],
    );
  });

  test('is found when the root of the running thread changes without a flush (SVA #27)', () => {
    both(
      (isMended) => {
        const { sanitizer, table, frames, memory, cpu0, at, read, write } = stage({ cpus: 1 });
        const [secret, other] = [frames.allocate(), frames.allocate()];
        table.map(at(0), [secret], KERNEL);
        // A second tree, whose entry goes into the root of the first.
        const second = new PageTable({ format: table.format, memory, frames });
        second.map(at(0), [other], KERNEL);
        cpu0.access(at(0));
        write(at(0), memory.read64(second.walk(at(0)).steps[0]?.address as bigint), 0);
        if (isMended) cpu0.invalidate(named(X8664_INVALIDATIONS, 'MOV CR3'));
        expect(read(at(0), 0)).not.toBe(0n);
        cpu0.access(at(0));
        return briefs(sanitizer);
      },
      ['error stale-use no-flush cpu0 0x40000000'],
    );
  });

  test('is found when a virtual processor is not flushed after an unmap (gem5 #409)', () => {
    both(
      (isMended) => {
        const { sanitizer, table, frames, cpu0, at, page } = stage({
          cpus: 1,
          sink: (sink) => (isMended ? sink : { flush: () => {} }),
        });
        table.map(at(7), [frames.allocate()], KERNEL);
        cpu0.access(at(7));
        table.unmap(at(7), page);
        cpu0.access(at(7));
        return briefs(sanitizer);
      },
      ['error stale-use no-flush cpu0 0x40007000'],
    );
  });
});

describe('a walk cache', () => {
  test('that still names a freed table is found (nanvix #2244)', () => {
    both(
      (isMended) => {
        const { sanitizer, table, frames, cpus, at, page, read, write } = stage();
        table.map(at(0), [frames.allocate()], KERNEL);
        const pmd = Number((read(at(0), 2) & 0xf_ffff_ffff_f000n) >> 12n);
        table.unmap(at(0), page);
        write(at(0), 0n, 2);
        if (isMended) for (const cpu of cpus) cpu.invalidate(INVLPG, at(0));
        frames.free(pmd);
        return briefs(sanitizer);
      },
      ['error table-freed no-flush cpu0 0x40000000'],
    );
  });

  test('that names a table which was freed is found by its own fill', () => {
    const { sanitizer, table, frames, cpu0, at, page, read } = stage({
      ...{ cpus: 1, sink: () => ({ flush: () => {} }) },
    });
    table.map(at(0), [frames.allocate()], KERNEL);
    cpu0.access(at(0));
    const last = Number((read(at(0), 2) & 0xf_ffff_ffff_f000n) >> 12n);
    table.unmap(at(0), page, { reclaim: true });
    sanitizer.processor(0).walkCacheFill(0, 0, Number(at(0)), 2, last);
    expect(briefs(sanitizer)).toContain('error stale-walk no-flush cpu0 0x40000000');
  });

  test('that holds an upper entry from before it allowed more is found (litebox #769)', () => {
    const RW = 2n;
    both(
      (isMended) => {
        const { sanitizer, table, frames, cpus, cpu1, at, read, write } = stage();
        table.map(at(0), [frames.allocate()], KERNEL);
        write(at(0), read(at(0), 2) & ~RW, 2);
        for (const cpu of cpus) cpu.invalidate(INVLPG, at(0));
        expect(cpu1.access(at(0), WRITE)).toBeNull();
        write(at(0), read(at(0), 2) | RW, 2);
        if (isMended) for (const cpu of cpus) cpu.invalidate(INVLPG, at(0));
        // It still walks through the old entry.
        if (!isMended) sanitizer.processor(1).fault(0, 0, Number(at(0)), WRITE);
        else cpu1.access(at(0), WRITE);
        return briefs(sanitizer);
      },
      ['error stale-fault no-flush cpu1 0x40000000'],
    );
  });
});

describe('a mapping that was missing', () => {
  const SFENCE = named(RISCV64_INVALIDATIONS, 'SFENCE.VMA');

  test('is found when a hart keeps that it was missing (keystone #341)', () => {
    both(
      (isMended) => {
        const format = riscv64({ mode: 'sv39' });
        const { sanitizer, table, frames, cpus, cpu1, at } = stage({ format, cachesNotPresent: true });
        expect(cpu1.access(at(0))).toBeNull();
        table.map(at(0), [frames.allocate()], KERNEL);
        if (isMended) for (const cpu of cpus) cpu.invalidate(SFENCE);
        if (isMended) cpu1.access(at(0));
        else sanitizer.processor(1).fault(0, 0, Number(at(0)), { kind: 'read', user: false });
        return briefs(sanitizer);
      },
      ['error stale-fault no-flush cpu1 0x40000000'],
    );
  });

  test.each([
    ['x86-64', x8664()],
    ['arm64', arm64({ granule: 4, vaBits: 39 })],
  ])('needs no flush on %s', (_name, format) => {
    const { sanitizer, table, frames, cpu1, at } = stage({ format });
    expect(cpu1.access(at(0))).toBeNull();
    table.map(at(0), [frames.allocate()], KERNEL);
    expect(cpu1.access(at(0))).not.toBeNull();
    sanitizer.settle();
    expect(briefs(sanitizer)).toEqual([]);
  });
});

test('a flush that keeps global translations does not cover one', () => {
  const { sanitizer, table, frames, cpu0, cpu1, at, write } = stage();
  const pfn = frames.allocate();
  table.map(at(0), [pfn], GLOBAL);
  write(at(0), 0n);
  for (const cpu of [cpu0, cpu1]) cpu.invalidate(named(X8664_INVALIDATIONS, 'MOV CR3'));
  frames.free(pfn);
  expect(briefs(sanitizer)).toEqual(['error frame-freed keeps-global cpu0 0x40000000']);
});
