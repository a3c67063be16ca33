import { type Arm64Half, type Arm64Registers, arm64, arm64FromRegisters } from '@vmarea/arm64';
import {
  AddressSpace,
  type Configuration,
  FrameAllocator,
  looksLike,
  type PageTableFormat,
  PageTableReader,
  PhysicalMemory,
} from '@vmarea/core';
import { riscv64, configurations as riscvs } from '@vmarea/riscv64';
import { loadGuest } from '@vmarea/testkit';
import { x8664, x8664FromRegisters, configurations as x8664s } from '@vmarea/x86-64';
import { configurations as la57s, x8664La57 } from '@vmarea/x86-64-la57';
import { describe, expect, test } from 'vitest';

/** A kernel with a direct map, a few hundred areas and data in its pages. */
function kernelOf({ format, linux }: Configuration) {
  const memory = PhysicalMemory.create({ bytes: 16 << 20 });
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
  const kernel = new AddressSpace({ format, linux, memory, frames });
  for (let i = 0; i < 200; i++) {
    const va = kernel.vmalloc(4096 * (1 + (i % 5)));
    const bytes = memory.bytesAt(kernel.table.translate(va) ?? 0n, 4096);
    for (let at = 0; at < bytes.length; at++) bytes[at] = at * 167 + i * 31 + (at >> 5) * 13;
  }
  for (let i = 0; i < 20; i++) kernel.ioremap(0x1_0000_0000n + BigInt(i) * 0x400_0000n, 0x200_0000);
  return { memory, root: kernel.table.root };
}

const judged = (format: PageTableFormat, memory: PhysicalMemory, root: bigint) =>
  looksLike(new PageTableReader({ format, memory, root }));

describe('tables of a kernel look like those of their format, and of no format with another number of levels', () => {
  test.each<[string, Configuration | undefined, PageTableFormat, PageTableFormat[]]>([
    ['x86-64', x8664s[0], x8664(), [x8664La57()]],
    ['x86-64-la57', la57s[0], x8664La57(), [x8664()]],
    [
      'riscv64-sv39',
      riscvs.find(({ name }) => name === 'riscv64-sv39'),
      riscv64({ mode: 'sv39' }),
      [riscv64({ mode: 'sv48' }), riscv64({ mode: 'sv57' })],
    ],
    [
      'riscv64-sv48',
      riscvs.find(({ name }) => name === 'riscv64-sv48'),
      riscv64({ mode: 'sv48' }),
      [riscv64({ mode: 'sv39' }), riscv64({ mode: 'sv57' })],
    ],
  ])('%s', (_, configuration, right, wrong) => {
    const { memory, root } = kernelOf(configuration as Configuration);
    expect(judged(right, memory, root)).toMatchObject({
      isLikely: true,
      reasons: [],
      reserved: 0,
      missing: 0,
    });
    for (const format of wrong) {
      const found = judged(format, memory, root);
      expect([format.name, found.isLikely, found.reasons.length > 0]).toEqual([format.name, false, true]);
    }
  });
});

describe('tables of a recorded kernel look like those of its registers, and of no other number of levels', () => {
  test('x86-64', () => {
    const { memory, machine } = loadGuest('linux-6.12-x86-64');
    const { cr0, cr3, cr4, efer } = machine.registers as Record<'cr0' | 'cr3' | 'cr4' | 'efer', bigint>;
    const { root } = x8664FromRegisters({ cr0, cr3, cr4, efer });
    for (const one of [root, root - 0x1000n]) {
      expect(judged(x8664(), memory, one).reasons).toEqual([]);
      expect(judged(x8664La57(), memory, one).isLikely).toBe(false);
    }
  });

  test.each(['linux-6.1-arm64-4k', 'linux-6.12-arm64-16k'] as const)('%s', (name) => {
    const { memory, machine } = loadGuest(name);
    const state = arm64FromRegisters(machine.registers as unknown as Arm64Registers);
    for (const half of ['ttbr0', 'ttbr1'] as const) {
      const { format, root } = state[half] as Arm64Half;
      const granule = format.pageShift === 12 ? 4 : 16;
      expect(judged(format, memory, root).reasons).toEqual([]);
      const fewer = arm64({ granule, vaBits: granule === 4 ? 39 : 36, half });
      expect([half, judged(fewer, memory, root).isLikely]).toEqual([half, false]);
    }
  });
});

test('a page of zeros looks like no root, and says why', () => {
  const memory = PhysicalMemory.create({ bytes: 4096 });
  expect(judged(x8664(), memory, 0n)).toEqual({
    isLikely: false,
    reasons: ['no entry of the root is present'],
    ...{ tables: 1, leaves: 0, reserved: 0, missing: 0 },
  });
});

test('a page of text looks like no root', () => {
  const bytes = new TextEncoder()
    .encode('What is no table is told from its reserved bits. '.repeat(2000))
    .slice(0, 65536);
  const memory = PhysicalMemory.over(bytes.buffer);
  expect(judged(x8664({ paBits: 46 }), memory, 0n).isLikely).toBe(false);
});
