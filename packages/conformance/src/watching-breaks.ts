import type { Level } from '@vmarea/core';
import type { Machine } from './machine.js';
import { BreakWatch, type FlushedRange, type ReachedTable } from './tools/break-watch.js';

/**
 * Watches the entries of some tables before a call, in each of its flushes and after it.
 *
 * @param addresses - the tables that walks of these addresses read, root and all, are watched: one for each leaf that the call may change.
 */
export function watchingBreaks(machine: Machine, addresses: readonly bigint[], call: () => void): void {
  const watch = new BreakWatch(machine.format, machine.memory);
  const look = (flushed?: FlushedRange): void => watch.look(tablesOf(machine, addresses), flushed);
  const { onFlush } = machine;
  look();
  machine.onFlush = (flush) => {
    onFlush(flush);
    look(flush);
  };
  try {
    call();
  } finally {
    machine.onFlush = onFlush;
  }
  look();
}

/** The tables that walks of addresses read, each once. */
function tablesOf(machine: Machine, addresses: readonly bigint[]): Iterable<ReachedTable> {
  const { levels, pageShift } = machine.format;
  const tables = new Map<number, ReachedTable>();
  for (const va of addresses) {
    for (const { level, address } of machine.reads(va)) {
      const { shift, bits } = levels[level] as Level;
      // A table stands at a multiple of its size.
      const pfn = Number((address - (address % (8n << BigInt(bits)))) >> BigInt(pageShift));
      if (!tables.has(pfn)) tables.set(pfn, { pfn, level, va: va - (va % (1n << BigInt(shift + bits))) });
    }
  }
  return tables.values();
}
