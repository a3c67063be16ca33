import { arm64, arm64Linux } from '@vmarea/arm64';
import { AddressSpace, FrameAllocator, PhysicalMemory } from '@vmarea/core';
import { CORTEX_A76, TlbModel, walkSource } from '@vmarea/mmu';

const options = { granule: 4, vaBits: 48, contiguous: true } as const;
const linux = arm64Linux(options);
const MIB = 1 << 20;
const PAGES = (64 * MIB) / 4096;

/** Maps 64 MiB of adjacent frames with a page_shift, and reads a byte of each page of it four times. */
function cost(pageShift: number) {
  const memory = PhysicalMemory.create({ bytes: 4 * MIB });
  const frames = new FrameAllocator(memory);
  const kernel = new AddressSpace({ format: arm64(options), linux, memory, frames });
  const area = kernel.getVmAreaNode({ size: 64 * MIB, align: 2n << 20n });
  const { addr, bytes } = area;
  const list = Array.from({ length: PAGES }, (_, page) => 0x40000 + page);
  kernel.vmapPagesRange(addr, addr + bytes, linux.protections.PAGE_KERNEL, list, pageShift);
  const written = kernel.counters.entriesWritten;
  const tables = frames.stats().allocated;

  const tlb = new TlbModel(CORTEX_A76, walkSource(kernel.table), { assume: { runs: true } });
  for (let pass = 0; pass < 4; pass++)
    for (let page = 0; page < PAGES; page++)
      tlb.access('read', Number(addr >> 32n), Number(addr & 0xffff_ffffn) + page * 4096);

  // A large leaf has its price when a part of it goes: it is split, with break-before-make on arm64.
  kernel.vunmapRange(addr, addr + 4096n);
  const split = kernel.counters.entriesWritten - written;
  return { tables, written, walks: tlb.stats.walks, split };
}

const rows = [12, 16, 21].map((pageShift) => {
  const { tables, written, walks, split } = cost(pageShift);
  return `${pageShift}: ${tables} tables, ${written} entries, ${walks} walks; to unmap one page: ${split} entries`;
});
console.log(rows.join('\n'));
// 12: 35 tables, 16418 entries, 16384 walks; to unmap one page: 1 entries
// 16: 35 tables, 16418 entries, 1025 walks; to unmap one page: 31 entries
// 21: 3 tables, 34 entries, 32 walks; to unmap one page: 515 entries
