import { same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, firstAddress, Machine, rangeBytes } from '../machine.js';

/** Exact work: one visit for each table, one store for each entry. */
export const counters: Group = {
  name: 'counters',
  cases: (subject): Case[] => {
    const last = subject.format.levels[subject.format.levels.length - 1];
    const slots = Math.min(
      2 ** (last?.bits ?? 0),
      Number(rangeBytes(subject.format) >> BigInt(subject.format.pageShift)),
    );
    return [...new Set([1, 2, Math.floor(slots / 2), slots])]
      .filter((pages) => pages > 0)
      .map((pages) => ({ id: `pages=${pages}`, run: () => work(subject, pages) }));
  },
};

function work(subject: Checked, pages: number): void {
  const { format } = subject;
  const levels = format.levels.length;
  const machine = new Machine(format);
  const { table } = machine;
  const va = firstAddress(format);
  const bytes = pages * 2 ** format.pageShift;
  // Scattered frames, which become no larger leaf.
  const frames = Uint32Array.from({ length: pages }, (_, i) => 3 * i + 1);
  const counted = (call: () => void): readonly [number, number, number] => {
    table.resetCounters();
    call();
    const { tablesRead, entriesWritten, tablesAllocated } = table.counters;
    return [tablesRead, entriesWritten, tablesAllocated];
  };
  same(
    counted(() => table.map(va, frames, dataOf(subject))),
    [levels, pages + levels - 1, levels - 1],
    'map into an empty root',
  );
  same(
    counted(() => table.unmap(va, bytes)),
    [levels, pages, 0],
    'unmap',
  );
  same(
    counted(() => table.map(va, frames, dataOf(subject))),
    [levels, pages, 0],
    'map into tables that are there',
  );
  same(
    counted(() => table.protect(va, bytes, { write: true })),
    [levels, 0, 0],
    'protect that changes nothing',
  );
}
