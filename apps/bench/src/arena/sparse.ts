import { type Arena, type ArenaRelease, createArena } from '@vmarea/arena';
import type { AddressSpace } from '@vmarea/core';
import { type Bed, USER_START } from './bed.js';
import type { SparseTables } from './result.js';

/** With pages of 4 KiB, each page needs a table of its own. */
const EVERY = 512;
const ARENA_BYTES = 2 ** 32;

/** Counts the tables of an arena of 4 GiB with few pages. */
export function sparseTables(bed: Bed): SparseTables {
  const prepared = withPages(bed, 'three-state', (arena, kernel) => processTables(bed, arena, kernel));
  const needed = withPages(bed, '6.14', () => 0);
  return {
    ...{ every: EVERY, pages: pagesOf(bed) },
    preparedBytes: prepared.window * bed.pageBytes,
    neededBytes: needed.window * bed.pageBytes,
    processBytes: prepared.result * bed.pageBytes,
  };
}

/** Frames that the pages need. */
export function pagesOf({ pageBytes }: { readonly pageBytes: number }): number {
  return ARENA_BYTES / pageBytes / EVERY;
}

/** Makes an arena with its pages, and counts the tables of its window. Ends it and its kernel. */
function withPages(
  bed: Bed,
  release: ArenaRelease,
  action: (arena: Arena, kernel: AddressSpace) => number,
): { readonly window: number; readonly result: number } {
  const { pageBytes, tables, ram } = bed;
  const kernel = bed.kernel();
  const before = tables.stats().allocated;
  const arena = createArena(kernel, {
    ...{ maxEntries: ARENA_BYTES / pageBytes, mapExtra: USER_START, release },
  });
  const scratch = ram.stats().allocated;
  for (let i = 0; i < pagesOf(bed); i++) {
    const at = addressOf(bed, i);
    bed.require('sparse', 'an address', arena.allocPages(at, 1) ?? -1n, at);
  }
  bed.require('sparse', 'allocated frames', ram.stats().allocated - scratch, pagesOf(bed));
  const window = tables.stats().allocated - before;
  const result = action(arena, kernel);
  arena.destroy();
  kernel.destroy();
  return { window, result };
}

/** A process touches all pages. @returns the tables that it needs beside its root. */
function processTables(bed: Bed, arena: Arena, kernel: AddressSpace): number {
  const process = bed.process(kernel);
  arena.mmap(process);
  const before = bed.tables.stats().allocated;
  for (let i = 0; i < pagesOf(bed); i++)
    if (process.handleFault(addressOf(bed, i), 'write') !== 'mapped')
      bed.require('sparse', 'pages that a process touched', i, pagesOf(bed));
  const made = bed.tables.stats().allocated - before;
  process.destroy();
  return made;
}

function addressOf({ pageBytes }: Bed, i: number): bigint {
  return USER_START + BigInt(i * EVERY * pageBytes);
}
