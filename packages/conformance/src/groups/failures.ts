import { collapseLeaves, splitLeaves } from '@vmarea/core';
import { codeOf, ensure, same } from '../assert.js';
import type { Case, Checked, Group } from '../case.js';
import { dataOf, Machine, placeOf, type Size, sizesOf } from '../machine.js';
import { firstAddress, rangeBytes } from '../tools/addresses.js';

/** Calls that fail, at every place where they can, leave everything as it was. */
export const failures: Group = {
  name: 'failures',
  cases(subject): Case[] {
    const large = sizesOf(subject.format).filter(({ leafShift }) => leafShift > subject.format.pageShift);
    return [
      { id: 'map:frames', run: () => mapWithFrames(subject) },
      { id: 'map:occupied', run: () => occupied(subject) },
      ...large.map((size) => ({
        id: `split:frames:size=${size.name}`,
        run: () => splitWithFrames(subject, size),
      })),
      ...sizesOf(subject.format).flatMap((size) =>
        (Object.keys(CALLS) as (keyof typeof CALLS)[])
          .filter((name) => size.shift > subject.format.pageShift || name === 'unmap' || name === 'protect')
          .map((name) => ({
            id: `${name}:sink:size=${size.name}`,
            run: () => sink(subject, size, name),
          })),
      ),
    ];
  },
};

/** Takes frames until so many are left. */
function leave(machine: Machine, left: number): void {
  while (machine.frames.stats().free > left) ensure(machine.frames.tryAllocate() >= 0, 'no frame to take');
}

/** Pages on both sides of a boundary of the table above: two tables of each level below the root at most. */
function mapWithFrames(subject: Checked): void {
  const { format } = subject;
  const page = 1n << BigInt(format.pageShift);
  const second = format.levels[format.levels.length - 2];
  const span = second === undefined ? page : 1n << BigInt(second.shift);
  const va = rangeBytes(format) > span ? firstAddress(format) + span - page : firstAddress(format);
  const call = (machine: Machine) => machine.table.map(va, [5, 9], dataOf(subject));
  const whole = new Machine(format, 30);
  const root = whole.frames.stats().allocated;
  call(whole);
  const needed = whole.frames.stats().allocated - root;
  for (let left = 0; left < needed; left++) {
    const machine = new Machine(format, 30);
    leave(machine, left);
    const before = machine.state();
    same(
      codeOf(() => call(machine)),
      'ENOMEM',
      `map with ${left} of ${needed} frames`,
    );
    same(machine.state() === before, true, `all is as it was with ${left} frames`);
  }
  // As many as are needed are enough: none where there is one level.
  const machine = new Machine(format, 30);
  leave(machine, needed);
  call(machine);
  same(machine.table.translate(va), 5n * page, `translate after map with ${needed} frames`);
}

function occupied(subject: Checked): void {
  const { format } = subject;
  const page = 1n << BigInt(format.pageShift);
  const va = firstAddress(format);
  const count = Math.min(40, Number(rangeBytes(format) / page));
  for (const at of [0, 1, Math.floor(count / 2), count - 1]) {
    const machine = new Machine(format);
    machine.table.map(va + BigInt(at) * page, [77], dataOf(subject));
    const before = machine.state();
    const list = Array.from({ length: count }, (_, i) => i + 1);
    same(
      codeOf(() => machine.table.map(va, list, dataOf(subject))),
      'EBUSY',
      `map over page ${at}`,
    );
    same(machine.state() === before, true, `all is as it was when page ${at} is taken`);
  }
}

function splitWithFrames(subject: Checked, size: Size): void {
  const { va, pa } = placeOf(subject.format, size);
  const bytes = 1n << BigInt(size.shift);
  const needed = subject.format.levels.length - 1 - size.level;
  for (const name of ['split', 'unmap', 'protect'] as const) {
    for (let left = 0; left < needed; left++) {
      const machine = new Machine(subject.format, 30);
      machine.table.mapRange(va, pa, bytes, dataOf(subject), { maxLeafShift: size.shift });
      leave(machine, left);
      const before = machine.state();
      const { table, page } = machine;
      const call = {
        split: () => splitLeaves(table, va, page),
        unmap: () => table.unmap(va, page),
        protect: () => table.protect(va, page, { write: false }),
      }[name];
      same(codeOf(call), 'ENOMEM', `${name} with ${left} of ${needed} frames`);
      same(machine.state() === before, true, `all is as it was after ${name} with ${left} frames`);
    }
  }
}

/** Calls that flush; all but the first two need a leaf that is larger than a page. */
const CALLS = {
  unmap: ({ table }: Machine, va: bigint, bytes: bigint): void => table.unmap(va, bytes, { reclaim: true }),
  protect: ({ table }: Machine, va: bigint, bytes: bigint): void =>
    table.protect(va, bytes, { write: false }),
  'unmap-page': ({ table, page }: Machine, va: bigint): void => table.unmap(va + page, page),
  'protect-page': ({ table, page }: Machine, va: bigint): void =>
    table.protect(va + page, page, { write: false }),
  split: ({ table, page }: Machine, va: bigint): void => splitLeaves(table, va, page),
  collapse: ({ table }: Machine, va: bigint, bytes: bigint, { shift }: Size): void =>
    void collapseLeaves(table, va, bytes, { maxLeafShift: shift }),
} as const;

/** A sink that throws: the call is taken back, also where entries were made invalid for a break. */
function sink(subject: Checked, size: Size, name: keyof typeof CALLS): void {
  const { va, pa } = placeOf(subject.format, size);
  const bytes = 1n << BigInt(size.shift);
  const machine = new Machine(subject.format, 30);
  const { table } = machine;
  table.mapRange(va, pa, bytes, dataOf(subject), { maxLeafShift: size.shift });
  if (name === 'collapse') splitLeaves(table, va, machine.page);
  machine.flushes.length = 0;
  const before = machine.state();
  const places = [va, va + machine.page, va + bytes - machine.page];
  const entries = places.map((place) => machine.last(place));
  machine.onFlush = () => {
    machine.onFlush = () => {
      // What the second flush takes out of TLBs must not come back: the old entries are there already.
      for (const [i, { address, entry }] of entries.entries())
        same(machine.memory.read64(address), entry, `entry ${i} at the flush after it was put back`);
    };
    throw Object.assign(new Error('the sink fails'), { code: 'SINK' });
  };
  same(
    codeOf(() => CALLS[name](machine, va, bytes, size)),
    'SINK',
    'the error of the call',
  );
  machine.onFlush = () => {};
  same(machine.state() === before, true, 'all is as it was');
  // The flush that failed, and one after everything was put back.
  same(machine.flushes.length, 2, 'flushes');
  CALLS[name](machine, va, bytes, size);
  same(machine.flushes.length, 3, 'flushes after the call was made again');
}
