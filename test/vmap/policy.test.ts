import { arm64, arm64Linux } from '@vmarea/arm64';
import {
  AddressSpace,
  FrameAllocator,
  type LinuxPolicy,
  type PageTableFormat,
  PhysicalMemory,
  VmError,
} from '@vmarea/core';
import { riscv64, riscv64Linux } from '@vmarea/riscv64';
import { x8664, x8664FromRegisters, x8664Linux } from '@vmarea/x86-64';
import { x8664La57, x8664La57Linux } from '@vmarea/x86-64-la57';
import { describe, expect, test } from 'vitest';

const PAIRS: readonly (readonly [PageTableFormat, LinuxPolicy])[] = [
  [x8664(), x8664Linux()] as const,
  [x8664La57(), x8664La57Linux()] as const,
  ...(['sv39', 'sv48', 'sv57'] as const).map((mode) => [riscv64({ mode }), riscv64Linux({ mode })] as const),
  ...([4, 16, 64] as const).map(
    (granule) => [arm64({ granule, vaBits: 48 }), arm64Linux({ granule, vaBits: 48 })] as const,
  ),
].map(([format, linux]) => [format as PageTableFormat, linux]);

function make(format: PageTableFormat, linux: LinuxPolicy): AddressSpace {
  const memory = PhysicalMemory.create({ bytes: 64 << 16 });
  return new AddressSpace({
    format,
    linux,
    memory,
    frames: new FrameAllocator(memory, { pageShift: format.pageShift }),
  });
}

describe('an address space', () => {
  test.each(PAIRS.map(([format, linux]) => [format.name, format, linux] as const))(
    'of %s takes its own policy alone',
    (_, format, linux) => {
      expect(make(format, linux).linux).toBe(linux);
      for (const [, other] of PAIRS) {
        if (other === linux) continue;
        expect(() => make(format, other)).toThrow(VmError);
        expect(() => make(format, other)).toThrow(
          `EINVAL: the policy \`${other.name}\` is for ${other.formats.join(' or ')}, but the format is ${format.name}; pass`,
        );
      }
    },
  );

  test.each<[PageTableFormat, LinuxPolicy]>([
    [arm64({ granule: 4, vaBits: 48, outputBits: 52 }), arm64Linux({ granule: 4, vaBits: 48 })],
    [arm64({ granule: 64, vaBits: 52 }), arm64Linux({ granule: 64, vaBits: 52 })],
    [arm64({ granule: 64, vaBits: 52, outputBits: 52 }), arm64Linux({ granule: 64, vaBits: 52 })],
    // A kernel for 52 bits that found 48.
    [arm64({ granule: 4, vaBits: 48 }), arm64Linux({ granule: 4, vaBits: 52, actualVaBits: 48 })],
    [x8664({ paBits: 46, vendor: 'amd' }), x8664Linux({ pti: true })],
  ])('takes a format whatever its other options: %#', (format, linux) => {
    expect(make(format, linux).table.format).toBe(format);
  });

  test.each<[PageTableFormat, LinuxPolicy]>([
    [arm64({ granule: 4, vaBits: 52 }), arm64Linux({ granule: 4, vaBits: 52, actualVaBits: 48 })],
    [arm64({ granule: 4, vaBits: 48, half: 'ttbr0' }), arm64Linux({ granule: 4, vaBits: 48 })],
  ])('refuses another size or half of the same architecture: %#', (format, linux) => {
    expect(() => make(format, linux)).toThrow(`but the format is ${format.name}`);
  });

  test.each([undefined, null, 'x86-64', {}, ['x86_64']])(
    'refuses a policy whose formats are %o',
    (formats) => {
      expect(() => make(x8664(), { ...x8664Linux(), formats: formats as never })).toThrow(
        /^EINVAL: the policy `Linux x86-64` is for .+, but the format is x86-64; pass/,
      );
    },
  );
});

test('a space over the root of a machine walks with its controls', () => {
  const memory = PhysicalMemory.create({ bytes: 1 << 20 });
  const frames = new FrameAllocator(memory);
  const linux = x8664Linux();
  const first = new AddressSpace({ format: x8664(), linux, memory, frames });
  const address = first.vmalloc(4096);
  first.setMemoryRo(address, 1);
  const cpu = x8664FromRegisters({ cr0: 0x80040033, cr3: first.table.root, cr4: 0x750ef0, efer: 0xd01 });
  const again = new AddressSpace({ ...cpu, linux, memory, frames });
  // CR0.WP is clear: the kernel writes what is read-only.
  expect(first.table.walk(address).permissions?.kernel.write).toBe(false);
  expect(again.table.walk(address).permissions?.kernel.write).toBe(true);
});
