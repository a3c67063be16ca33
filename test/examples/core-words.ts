import {
  FrameAllocator,
  PageTable,
  PhysicalMemory,
  protection,
  translateMany,
  translationCursor,
} from '@vmarea/core';
import { x8664 } from '@vmarea/x86-64';

const memory = PhysicalMemory.create({ bytes: 1 << 20 });
const table = new PageTable({ format: x8664(), memory, frames: new FrameAllocator(memory) });
const rw = protection({ write: true, global: true });

// One page at a time, its address as two 32-bit words: nothing is allocated on the way.
table.mapWords(0xffffc900, 0x00001000, 0x1234, rw);
table.mapWords(0xffffc900, 0x00002000, 0x99, rw);
console.log(table.translateWords(0xffffc900, 0x00002abc)); // 153

// Addresses near to each other: a cursor keeps the last table.
const cursor = translationCursor(table);
console.log(cursor.translateWords(0xffffc900, 0x00001000) === 0x1234); // true

// Many addresses at once: frames of base pages (-1 for none) and log2 of the leaf sizes.
const addresses = BigUint64Array.of(0xffffc90000001000n, 0xffffc90000002008n, 0xffffc90000003000n);
const pfns = new Float64Array(addresses.length);
const leafShifts = new Uint8Array(addresses.length);
console.log(translateMany(table, addresses, pfns, leafShifts), [...pfns], [...leafShifts]); // 2 [ 4660, 153, -1 ] [ 12, 12, 0 ]

// What was mapped comes back; one flush went to the sink, had there been one.
console.log(table.unmapWords(0xffffc900, 0x00001000) === 0x1234, table.counters.flushes); // true 1
