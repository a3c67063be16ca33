import { type Arm64Half, type Arm64Registers, arm64FromRegisters } from '@vmarea/arm64';
import {
  AddressSpace,
  type Configuration,
  checkTables,
  FrameAllocator,
  PageTableReader,
  PhysicalMemory,
} from '@vmarea/core';
import { configurations as riscvs } from '@vmarea/riscv64';
import { loadGuest } from '@vmarea/testkit';
import { x8664, x8664FromRegisters, configurations as x8664s } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';

/** arch/x86/kernel/espfix_64.c, ESPFIX_BASE_ADDR: the PGD slot of the espfix stacks, whose tables are cloned many times. */
const ESPFIX = { start: 0xffffff0000000000n, end: 0xffffff8000000000n };

describe('checkTables finds in the tables of a recorded kernel', () => {
  test('of x86-64 the clones of espfix, and nothing else', () => {
    const { memory, machine } = loadGuest('linux-6.12-x86-64');
    const { cr0, cr3, cr4, efer } = machine.registers as Record<'cr0' | 'cr3' | 'cr4' | 'efer', bigint>;
    const { root } = x8664FromRegisters({ cr0, cr3, cr4, efer });
    // With page-table isolation, the root of the kernel is in the frame before that of user mode.
    for (const [one, tables, leaves] of [
      [root, 46, 513],
      [root - 0x1000n, 157, 14583],
    ] as const) {
      const check = checkTables(new PageTableReader({ format: x8664(), memory, root: one }));
      expect(check).toMatchObject({ tables, leaves, total: 514 });
      for (const { kind, va } of check.findings) {
        expect(kind).toBe('again');
        expect(va !== null && va >= ESPFIX.start && va < ESPFIX.end).toBe(true);
      }
    }
  });

  test.each([
    ['linux-6.1-arm64-4k', [14, 1703], [276, 131969]],
    ['linux-6.12-arm64-16k', [9, 4561], [29, 36391]],
  ] as const)('of %s nothing', (name, ...counts) => {
    const { memory, machine } = loadGuest(name);
    const state = arm64FromRegisters(machine.registers as unknown as Arm64Registers);
    (['ttbr0', 'ttbr1'] as const).forEach((half, i) => {
      const { format, root } = state[half] as Arm64Half;
      const [tables, leaves] = counts[i] as readonly [number, number];
      const check = checkTables(new PageTableReader({ format, memory, root }));
      expect(check).toEqual({ tables, leaves, total: 0, findings: [] });
    });
  });
});

describe('checkTables of an address space', () => {
  test.each<[string, Configuration | undefined]>([
    ['x86-64', x8664s[0]],
    ['riscv64-sv39', riscvs.find(({ name }) => name === 'riscv64-sv39')],
  ])('of %s also looks at its records, and finds a frame that somebody else freed', (_, configuration) => {
    const { format, linux } = configuration as Configuration;
    const memory = PhysicalMemory.create({ bytes: 16 << 20 });
    const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
    const kernel = new AddressSpace({ format, linux, memory, frames });
    const list = Array.from({ length: 200 }, (_one, i) => kernel.vmalloc(4096 * (1 + (i % 5))));
    for (const va of list.filter((_one, i) => i % 3 === 0)) kernel.vfree(va);
    expect(checkTables(kernel.table)).toMatchObject({ total: 0, findings: [] });
    const { table, address } = kernel.table.walk(list[1] as bigint).steps.at(-1) as {
      table: bigint;
      address: bigint;
    };
    expect(address - table).toBeLessThan(4096n);
    frames.free(Number(table >> 12n));
    const { findings } = checkTables(kernel.table);
    expect(findings).toMatchObject([{ kind: 'free', pfn: Number(table >> 12n) }]);
  });
});
