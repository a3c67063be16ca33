import { collapseLeaves, splitLeaves, toBigint } from '@vmarea/core';
import { ensure, same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, Machine, placeOf, type Size, sizesOf } from '../machine.js';
import { kindOf } from '../tools/entries.js';
import { watchingBreaks } from '../watching-breaks.js';

/** Runs with a contiguous hint: whole or none, and never changed while they are valid where that is not allowed. */
export const runs: Group = {
  name: 'runs',
  cases: (subject) =>
    sizesOf(subject.format)
      .filter(({ entries }) => entries > 1)
      .flatMap((size): Case[] => {
        const { entries } = size;
        const at = `run=${entries}:level=${subject.format.levels[size.level]?.name}`;
        const offsets = [...new Set([0, 1, 3, entries / 2, entries - 1])];
        return [
          { id: `form:${at}`, run: () => forms(subject, size) },
          ...offsets.flatMap((offset) =>
            Object.keys(UNDO).map((name) => ({
              id: `${name}:${at}:offset=${offset}`,
              run: () => undone(subject, size, name as keyof typeof UNDO, offset),
            })),
          ),
        ];
      }),
};

/** Calls that change one leaf of a run. */
const UNDO = {
  unmap: ({ table }: Machine, va: bigint, bytes: bigint): void => table.unmap(va, bytes),
  protect: ({ table }: Machine, va: bigint, bytes: bigint): void =>
    table.protect(va, bytes, { write: false }),
  // A page of it: all of a large leaf would be too many tables.
  split: ({ table, page }: Machine, va: bigint): void => splitLeaves(table, va, page),
} as const;

interface Stage {
  readonly machine: Machine;
  readonly va: bigint;
  readonly pa: bigint;
  readonly leafBytes: bigint;
  readonly mark: bigint;
}

/** Two runs, one behind the other. */
function stage({ format, ...rest }: Checked, size: Size): Stage {
  const machine = new Machine(format, 60);
  const { va, pa } = placeOf(format, size);
  const bytes = 1n << BigInt(size.shift);
  const start = va - bytes;
  machine.table.mapRange(start, pa, 2n * bytes, dataOf({ format, ...rest }), { maxLeafShift: size.shift });
  machine.flushes.length = 0;
  const { run } = format.levels[size.level] as (typeof format.levels)[number];
  const leafBytes = 1n << BigInt(size.leafShift);
  return { machine, va: start, pa, leafBytes, mark: run === null ? 0n : toBigint(run.set) };
}

function entriesOf({ machine, va, leafBytes }: Stage, count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => machine.last(va + BigInt(i) * leafBytes).entry);
}

function isMarked({ mark }: Stage, entry: bigint): boolean {
  return (entry & mark) === mark;
}

function forms(subject: Checked, size: Size): void {
  const at = stage(subject, size);
  const { table } = at.machine;
  const { entries } = size;
  const all = entriesOf(at, 2 * entries);
  ensure(
    all.every((entry) => isMarked(at, entry)),
    'map forms two runs',
  );
  ensure(
    all.every((entry) => kindOf(subject.format, size.level, entry) === 'leaf'),
    'leaves of a run are leaves',
  );
  for (let i = 0; i < 2 * entries; i++) {
    same(
      table.translate(at.va + BigInt(i) * at.leafBytes),
      at.pa + BigInt(i) * at.leafBytes,
      `leaf ${i} of the runs`,
    );
  }
  // Not where they do not fit: one leaf less.
  table.unmap(at.va, 2n * BigInt(entries) * at.leafBytes);
  const cap = { maxLeafShift: size.shift };
  table.mapRange(
    at.va + at.leafBytes,
    at.pa + at.leafBytes,
    BigInt(entries - 1) * at.leafBytes,
    dataOf(subject),
    cap,
  );
  ensure(
    entriesOf(at, entries).every((entry) => entry === 0n || !isMarked(at, entry)),
    'a run that is not whole has a mark',
  );
}

function undone(subject: Checked, size: Size, name: keyof typeof UNDO, offset: number): void {
  const at = stage(subject, size);
  const { machine, va, pa, leafBytes } = at;
  const { entries } = size;
  const leaves = Array.from({ length: 2 * entries }, (_, i) => va + BigInt(i) * leafBytes);
  watchingBreaks(machine, leaves, () => UNDO[name](machine, va + BigInt(offset) * leafBytes, leafBytes));
  const after = entriesOf(at, 2 * entries);
  for (const [i, entry] of after.entries()) {
    const place = va + BigInt(i) * leafBytes;
    if (name === 'unmap' && i === offset) {
      same(machine.table.translate(place), null, 'the leaf that was unmapped');
      continue;
    }
    same(machine.table.translate(place), pa + BigInt(i) * leafBytes, `leaf ${i} of the runs`);
    same(
      isMarked(at, entry),
      i >= entries && machine.last(place).level === size.level,
      `the mark of leaf ${i}`,
    );
    const write = machine.table.walk(place).leaf?.protection.write;
    same(write, !(name === 'protect' && i === offset), `write of leaf ${i}`);
  }
  same(machine.flushes.length, 1, 'flushes');
  if (name !== 'unmap') {
    machine.table.protect(va, BigInt(2 * entries) * leafBytes, { write: true });
    watchingBreaks(machine, leaves, () =>
      ensure(
        collapseLeaves(machine.table, va, BigInt(2 * entries) * leafBytes, { maxLeafShift: size.shift }) > 0,
        'collapse makes no run',
      ),
    );
    same(
      entriesOf(at, 2 * entries).every((entry) => isMarked(at, entry)),
      true,
      'the marks after collapse',
    );
  }
}
