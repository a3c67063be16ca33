import { FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { CHAMPSIM_WALK_CACHES, GOLDEN_COVE, TlbModel, walkSource } from '@vmarea/mmu';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 1 << 20 });
const frames = new FrameAllocator(memory);

// 16 MiB in pages of 4 KiB or blocks of 2 MiB. A program reads each page of it, ten times.
function run(maxLeafShift: number) {
  const table = new PageTable({ format: x8664(), memory, frames });
  table.mapRange(0x7f0000000000n, 1n << 30n, 16 << 20, protection({ user: true }), { maxLeafShift });
  const tlb = new TlbModel(GOLDEN_COVE, walkSource(table), { assume: { walkCaches: CHAMPSIM_WALK_CACHES } });
  for (let round = 0; round < 10; round++) {
    for (let page = 0; page < 4096; page++) tlb.access('read', 0x7f00, page << 12);
  }
  return tlb;
}

const small = run(12).stats;
console.log(small.accesses, small.walks, small.tableReads); // 40960 40960 40970
console.log(small.levels.map(({ name, reads }) => `${name} ${reads}`)); // [ 'PGD 1', 'PUD 1', 'PMD 8', 'PTE 40960' ]

const blocks = run(21);
const misses = blocks.stats.tlbs.map((unit) => unit.misses);
console.log(blocks.stats.walks, misses); // 8 [ 0, 8, 0, 8 ]

// What Intel did not publish is not made up: it is assumed, and said.
console.log(blocks.assumptions.at(-1)); // Walk caches are unknown; modelled as those that the caller gave.

// One INVLPG of any address in a block drops the block, and every walk-cache entry of the address space.
const invlpg = X8664_INVALIDATIONS.find(({ name }) => name === 'INVLPG');
if (invlpg !== undefined) blocks.invalidate(invlpg, { va: 0x7f0000012345n });
console.log(blocks.access('read', 0x7f00, 0), blocks.access('read', 0x7f00, 1 << 21)); // 3 1
