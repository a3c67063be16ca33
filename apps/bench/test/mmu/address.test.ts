import { FrameAllocator, PageTable, PhysicalMemory, protection, wasmLoops } from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { installedFormats } from '../../src/formats.js';
import { addressBits, addressOf, inRange } from '../../src/mmu/batch/address.js';

const { configurations } = await installedFormats('/');

describe.each(configurations)('addresses in entries of $name', ({ format }) => {
  it('are where the engine puts them', () => {
    const page = 1n << BigInt(format.pageShift);
    const last = format.levels.length - 1;
    const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 16 * 2 ** format.pageShift });
    const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
    const table = new PageTable({ format, memory, frames });
    const va = inRange(format, page);
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << BigInt(format.paBits - format.pageShift)) - 1n), (pfn) => {
        table.mapRange(va, pfn * page, page, protection());
        const { entry } = table.walk(va).steps[last] ?? { entry: 0n };
        const bits = addressBits(format, pfn * page, format.pageShift);
        expect(addressOf(format, entry)).toBe(pfn * page);
        expect(entry & bits).toBe(bits);
        expect(addressOf(format, bits)).toBe(pfn * page);
        table.unmap(va, page);
      }),
    );
  });

  it('leave out the bits below a size', () => {
    const shift = format.pageShift + 3;
    const bits = addressBits(format, (1n << BigInt(format.paBits)) - 1n, shift);
    expect(addressOf(format, bits)).toBe((1n << BigInt(format.paBits)) - (1n << BigInt(shift)));
  });
});
