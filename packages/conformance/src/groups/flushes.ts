import { collapseLeaves, hex, splitLeaves } from '@vmarea/core';
import { ensure, same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, Machine, placeOf, type Size, sizesOf } from '../machine.js';
import { watchingBreaks } from '../watching-breaks.js';

/** Flushes: one a call, over all that was changed, before tables go and where the architecture demands a break. */
export const flushes: Group = {
  name: 'flushes',
  cases: (subject) =>
    sizesOf(subject.format).flatMap((size): Case[] =>
      Object.keys(CALLS)
        .filter((name) => size.shift > subject.format.pageShift || name === 'unmap' || name === 'protect')
        .map((name) => ({
          id: `${name}:size=${size.name}`,
          run: () => one(subject, size, name as keyof typeof CALLS),
        })),
    ),
};

/** Addresses of all leaves of a size. */
function leavesIn({ leafShift, entries }: Size, va: bigint): bigint[] {
  return Array.from({ length: entries }, (_, i) => va + (BigInt(i) << BigInt(leafShift)));
}

const CALLS = {
  unmap: ({ table }: Machine, va: bigint, bytes: bigint): void => table.unmap(va, bytes, { reclaim: true }),
  protect: ({ table }: Machine, va: bigint, bytes: bigint): void =>
    table.protect(va, bytes, { write: false }),
  'protect-page': ({ table, page }: Machine, va: bigint): void =>
    table.protect(va + page, page, { write: false }),
  split: ({ table, page }: Machine, va: bigint): void => splitLeaves(table, va, page),
  collapse: ({ table }: Machine, va: bigint, bytes: bigint, size: Size): void =>
    void collapseLeaves(table, va, bytes, { maxLeafShift: size.shift }),
} as const;

function one(subject: Checked, size: Size, name: keyof typeof CALLS): void {
  const { format } = subject;
  const machine = new Machine(format, 60);
  const { va, pa } = placeOf(format, size);
  const bytes = 1n << BigInt(size.shift);
  // Mapping into empty slots flushes nothing.
  machine.table.mapRange(va, pa, bytes, dataOf(subject), { maxLeafShift: size.shift });
  same(machine.flushes.length, 0, 'flushes of map');
  if (name === 'collapse') {
    splitLeaves(machine.table, va, machine.page);
    machine.flushes.length = 0;
  }
  const before = machine.last(va);
  const allocated = machine.frames.stats().allocated;
  machine.onFlush = ({ tablesFreed }) => {
    ensure(
      tablesFreed.every((pfn) => machine.frames.isAllocated(pfn)),
      'a table was given back before the flush that names it',
    );
  };
  watchingBreaks(machine, [...leavesIn(size, va), va + machine.page], () =>
    CALLS[name](machine, va, bytes, size),
  );
  same(machine.flushes.length, 1, 'flushes');
  const [flush] = machine.flushes;
  if (flush === undefined) return;
  const from =
    name === 'protect-page' && size.entries === 1 && machine.last(va + machine.page).level === before.level
      ? va + machine.page
      : va;
  ensure(flush.va <= from, `the flush starts at ${hex(flush.va)}, behind ${hex(from)}`);
  const isWhole = name === 'unmap' || name === 'protect' || name === 'collapse';
  const end = isWhole ? va + bytes : from + machine.page;
  ensure(
    flush.va + flush.bytes >= end,
    `the flush ends at ${hex(flush.va + flush.bytes)}, before ${hex(end)}`,
  );
  ensure(flush.leafShift <= size.leafShift, `the stride of the flush is ${flush.leafShift}`);
  const freed = name === 'unmap' || name === 'collapse' ? allocated - machine.frames.stats().allocated : 0;
  same(flush.tablesFreed.length, freed, 'tables that the flush names');
  // Nothing that changes nothing flushes.
  machine.flushes.length = 0;
  CALLS[name](machine, va, bytes, size);
  same(machine.flushes.length, 0, 'flushes of the same call once more');
}
