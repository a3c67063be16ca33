import { words } from '@vmarea/core';
import { same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, Machine, placeOf, type Size, sizesOf } from '../machine.js';
import { firstAddress, rangeBytes } from '../tools/addresses.js';

/** Exact work: one visit for each table, one store for each entry, two where it is broken, one flush for a call that takes away. */
export const counters: Group = {
  name: 'counters',
  cases: (subject): Case[] => {
    const last = subject.format.levels[subject.format.levels.length - 1];
    const slots = Math.min(
      2 ** (last?.bits ?? 0),
      Number(rangeBytes(subject.format) >> BigInt(subject.format.pageShift)),
    );
    return [
      ...[...new Set([1, 2, Math.floor(slots / 2), slots])]
        .filter((pages) => pages > 0)
        .map((pages) => ({ id: `pages=${pages}`, run: () => work(subject, pages) })),
      ...sizesOf(subject.format).map((size) => ({
        id: `size=${size.name}`,
        run: () => workOf(subject, size),
      })),
    ];
  },
};

/** Tables read, entries written, tables made, and flushes of a call. */
type Work = readonly [number, number, number, number];

function counted({ table }: Machine, call: () => void): Work {
  table.resetCounters();
  call();
  const { tablesRead, entriesWritten, tablesAllocated, flushes } = table.counters;
  return [tablesRead, entriesWritten, tablesAllocated, flushes];
}

/** A leaf or a run: what a change costs that needs a break, and one that needs none. */
function workOf(subject: Checked, size: Size): void {
  const { format } = subject;
  const { level, entries, leafShift } = size;
  const machine = new Machine(format);
  const { table } = machine;
  const { va, pa } = placeOf(format, size);
  const bytes = 1n << BigInt(size.shift);
  const map = () => table.mapRange(va, pa, bytes, dataOf(subject), { maxLeafShift: size.shift });
  same(counted(machine, map), [level + 1, entries + level, level, 0], 'map into an empty root');
  const places = Array.from({ length: entries }, (_, i) => va + (BigInt(i) << BigInt(leafShift)));
  const before = places.map((place) => machine.last(place).entry);
  const protect = () => table.protect(va, bytes, { write: false });
  const changed = counted(machine, protect);
  const stores = places.map((place, i) =>
    format.needsBreak(words(before[i] as bigint), words(machine.last(place).entry), level) ? 2 : 1,
  );
  const written = stores.reduce((sum, count) => sum + count, 0);
  same(changed, [level + 1, written, 0, 1], 'protect');
  same(counted(machine, protect), [level + 1, 0, 0, 0], 'protect that changes nothing');
  same(
    counted(machine, () => table.unmap(va, bytes)),
    [level + 1, entries, 0, 1],
    'unmap',
  );
  same(counted(machine, map), [level + 1, entries, 0, 0], 'map into tables that are there');
}

function work(subject: Checked, pages: number): void {
  const { format } = subject;
  const levels = format.levels.length;
  const machine = new Machine(format);
  const { table } = machine;
  const va = firstAddress(format);
  const bytes = pages * 2 ** format.pageShift;
  // Scattered frames, which become no larger leaf.
  const frames = Uint32Array.from({ length: pages }, (_, i) => 3 * i + 1);
  same(
    counted(machine, () => table.map(va, frames, dataOf(subject))),
    [levels, pages + levels - 1, levels - 1, 0],
    'map into an empty root',
  );
  same(
    counted(machine, () => table.unmap(va, bytes)),
    [levels, pages, 0, 1],
    'unmap',
  );
  same(
    counted(machine, () => table.map(va, frames, dataOf(subject))),
    [levels, pages, 0, 0],
    'map into tables that are there',
  );
  same(
    counted(machine, () => table.protect(va, bytes, { write: true })),
    [levels, 0, 0, 0],
    'protect that changes nothing',
  );
  same(
    counted(machine, () => table.protect(va, bytes, { write: false })),
    [levels, pages, 0, 1],
    'protect',
  );
}
