import {
  applyToRange,
  checkTables,
  collapseLeaves,
  diffTables,
  dumpTables,
  FrameAllocator,
  flushBatch,
  PageTable,
  PhysicalMemory,
  prepareTables,
  protection,
  restoreSnapshot,
  tablesNeeded,
  takeSnapshot,
} from '@vmarea/core';
import { x8664 } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 1 << 20 });
const frames = new FrameAllocator(memory);
const table = new PageTable({ format: x8664(), memory, frames });
const va = 0xffffc90000000000n;

// One block of 2 MiB. Four of its pages become read-only: the block is split, and the other pages keep their permissions.
table.mapRange(va, 0x40000000n, 2 << 20, protection({ write: true, global: true }));
const before = takeSnapshot(table);
table.protect(va + 0x1000n, 4 * 4096, { write: false });
console.log(dumpTables(table));
// x86-64, root 0x0000000000000000
// 0xffffc90000000000-0xffffc90000000fff          4K  PTE         1 x 4K    rw- k gad  normal           0x0000000040000000
// 0xffffc90000001000-0xffffc90000004fff         16K  PTE         4 x 4K    r-- k ga-  normal           0x0000000040001000
// 0xffffc90000005000-0xffffc900001fffff       2028K  PTE       507 x 4K    rw- k gad  normal           0x0000000040005000

// Made writable again the pages are one, and dirty where they were; a block takes the table's place.
table.protect(va, 2 << 20, { write: true });
console.log(collapseLeaves(table, va, 2 << 20), [...table.leaves()].length); // 1 1

// Tables for a range in advance: mapping it later needs no memory.
const far = va + (1n << 30n);
console.log(tablesNeeded(table, far, 64 << 10), prepareTables(table, far, 64 << 10)); // 2 2

// An entry at a time, as with Linux's apply_to_page_range; what is returned ends the call.
const full = applyToRange(table, far, 64 << 10, (slot) => {
  if (slot.page === 3) return slot.va;
  slot.setLeaf(0x1234 + slot.page, protection({ write: true }));
  return undefined;
});
console.log(full === far + 0x3000n); // true

// Several calls, one flush: nothing is served from a TLB, or handed out again, before done().
const batch = flushBatch(table);
table.unmap(far, 4096, { batch });
table.unmap(far + 0x1000n, 0x2000, { batch, reclaim: true });
console.log(batch.ranges.length, batch.tables); // 1 2
batch.done();

// What another table, of any format, translates differently.
const other = new PageTable({ format: x8664(), memory, frames });
other.mapRange(va, 0x40000000n, 4 << 20, protection({ write: true, global: true }));
console.log([...diffTables(table, other)].map(({ kind, bytes }) => [kind, bytes])); // [ [ 'only-there', 2097152n ] ]

// And back to the beginning.
restoreSnapshot(table, before);
console.log([...table.leaves()].map((run) => [run.count, run.leafShift])); // [ [ 1, 21 ] ]

// A check that changes nothing: entries that fault, lost tables, frames that somebody else freed, runs that are not whole.
const { tables, leaves, findings } = checkTables(table);
console.log(tables, leaves, findings); // 3 1 []
