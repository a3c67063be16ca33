import { applyToRange, collapseLeaves, hex, prepareTables, protection, splitLeaves } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { attach, firstSide, type Side, tablesOf, wrongCounts } from './pair.js';

/*
 * A thread dies at each of its accesses to shared memory in turn: all of them go through `Atomics`. The bytes of that moment are
 * kept, the call goes on, and then the bytes are put back: as if it had ended there. A recovery must leave the call made, or not
 * made at all.
 */

const RW = protection({ write: true });
const VA = 0xffffc90000000000n;
const PAGE = 4096n;
const MIB2 = 1n << 21n;

interface Deed {
  readonly name: string;
  /** By another thread, before. */
  prepare?(side: Side): void;
  run(side: Side): void;
}

const pages = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => 7 * i + 1);

const deeds: readonly Deed[] = [
  { name: 'a map with new tables', run: ({ table }) => table.map(VA, pages(5), RW) },
  {
    name: 'a map of pages and a block',
    run: ({ table }) => table.mapRange(VA + MIB2 - PAGE, MIB2 - PAGE, MIB2 + 2n * PAGE, RW),
  },
  {
    name: 'a map that is refused in the end',
    prepare: ({ table }) => table.map(VA + 4n * PAGE, [9], RW),
    run: ({ table }) => {
      try {
        table.mapMany([
          { va: VA, frames: pages(3), protection: RW },
          { va: VA + 4n * PAGE, frames: [1], protection: RW },
        ]);
      } catch {}
    },
  },
  {
    name: 'an unmap',
    prepare: ({ table }) => table.map(VA, pages(6), RW),
    run: ({ table }) => table.unmap(VA + PAGE, 4n * PAGE),
  },
  {
    name: 'an unmap that frees its tables',
    prepare: ({ table }) => table.map(VA, pages(3), RW),
    run: ({ table }) => table.unmap(VA, 3n * PAGE, { reclaim: true }),
  },
  {
    name: 'a protect',
    prepare: ({ table }) => table.map(VA, pages(6), RW),
    run: ({ table }) => table.protect(VA + PAGE, 4n * PAGE, { write: false }),
  },
  {
    name: 'a protect that cuts a block',
    prepare: ({ table }) => table.mapRange(VA, 0n, MIB2, RW),
    run: ({ table }) => table.protect(VA, PAGE, { write: false }),
  },
  {
    name: 'a split',
    prepare: ({ table }) => table.mapRange(VA, 0n, MIB2, RW),
    run: ({ table }) => splitLeaves(table, VA, PAGE),
  },
  {
    name: 'a collapse',
    prepare: ({ table }) => {
      table.mapRange(VA, 0n, MIB2, RW);
      splitLeaves(table, VA, PAGE);
    },
    run: ({ table }) => {
      collapseLeaves(table, VA, MIB2);
    },
  },
  {
    name: 'a block in the place of an empty table',
    prepare: ({ table }) => {
      prepareTables(table, VA, MIB2);
    },
    run: ({ table }) => table.mapRange(VA, 0n, MIB2, RW),
  },
  {
    name: 'an applyToRange',
    run: ({ table }) => {
      applyToRange(table, VA, 3n * PAGE, (slot) => slot.setLeaf(3, RW));
    },
  },
  {
    name: 'a single page',
    prepare: ({ table }) => table.map(VA, [1], RW),
    run: ({ table }) => table.mapWords(0xffffc900, 4096, 5, RW),
  },
  {
    name: 'a single page that goes',
    prepare: ({ table }) => table.map(VA, [1, 2], RW),
    run: ({ table }) => {
      table.unmapWords(0xffffc900, 4096);
    },
  },
];

/** Deaths that are tried of one deed: so many over its length, and at each of its last accesses. */
const OVER = 20 * Number(process.env.VMAREA_RUNS ?? 1);
const LAST = 24;

const NAMES = ['load', 'store', 'add', 'sub', 'exchange', 'compareExchange'] as const;

/** Calls a function before each access to shared memory. */
function watching(look: (count: number) => void, call: () => void): number {
  const real = { ...Object.fromEntries(NAMES.map((name) => [name, Atomics[name]])) };
  let count = 0;
  for (const name of NAMES) {
    const plain = Atomics[name] as (...given: unknown[]) => unknown;
    Object.assign(Atomics, {
      [name]: (...given: unknown[]) => {
        look(count++);
        return plain(...given);
      },
    });
  }
  try {
    call();
  } finally {
    Object.assign(Atomics, real);
  }
  return count;
}

/** All bytes that the two threads share. */
function sharedBytes({ bank, context, frames, group }: Side, lock: SharedArrayBuffer): Uint8Array[] {
  const records = context.records?.state as SharedArrayBuffer;
  const all = [bank.words.buffer, records, frames.state, group.buffers.control, group.buffers.journals, lock];
  return all.map((buffer) => new Uint8Array(buffer));
}

function leavesOf({ table }: Side): string {
  const text = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? hex(value) : value);
  return [...table.leaves()].map((run) => JSON.stringify(run, text)).join('\n');
}

function stage(deed: Deed): { one: Side; two: Side; lock: SharedArrayBuffer; invitation: number } {
  const { side: one, invite } = firstSide(false, 2);
  deed.prepare?.(one);
  const given = invite();
  return { one, two: attach(given), lock: given.lock, invitation: given.invitation };
}

/** How many accesses a deed makes, and the leaves after it. */
function whole(deed: Deed): { accesses: number; before: string; after: string } {
  const { one, two } = stage(deed);
  const before = leavesOf(one);
  const accesses = watching(
    () => {},
    () => deed.run(two),
  );
  return { accesses, before, after: leavesOf(one) };
}

describe('a thread that dies in', () => {
  test.each(deeds.map((deed) => [deed.name, deed] as const))('%s', (_name, deed) => {
    const { accesses, before, after } = whole(deed);
    const seen = new Set<string>();
    const stride = Math.max(1, Math.ceil(accesses / OVER));
    for (let death = 0; death < accesses; death++) {
      if (death % stride !== 0 && death < accesses - LAST) continue;
      const { one, two, lock, invitation } = stage(deed);
      const bytes = sharedBytes(one, lock);
      let kept: Uint8Array[] = [];
      watching(
        (count) => {
          if (count === death) kept = bytes.map((part) => part.slice());
        },
        () => deed.run(two),
      );
      for (const [i, part] of bytes.entries()) part.set(kept[i] as Uint8Array);
      one.group.registry.declareDead(invitation);
      new Int32Array(lock)[0] = 0;
      const slots = one.group.dead();
      const did = one.group.sections.recovering(() => one.threads.recover(slots));
      const at = `${deed.name}, death ${death} of ${accesses}`;
      expect(
        did.undone.every(({ isComplete }) => isComplete),
        at,
      ).toBe(true);
      const leaves = leavesOf(one);
      if (leaves !== before) expect(leaves, at).toBe(after);
      seen.add(leaves);
      expect(wrongCounts(one), at).toEqual([]);
      expect(tablesOf(one), at).toBe(did.reached.size);
      for (const pfn of did.reached) expect(one.frames.isAllocated(pfn), at).toBe(true);
    }
    expect(seen.size).toBe(new Set([before, after]).size);
  });
});

const FORMS: readonly (readonly [
  string,
  'claimFrames' | 'claimLinear' | 'cas64',
  (side: Side) => void,
  number,
])[] = [
  ['a list', 'claimFrames', ({ table }) => table.map(VA, [5, 6, 7, 8], RW), 2],
  ['a list of doubles', 'claimFrames', ({ table }) => table.map(VA, Float64Array.of(5, 6, 7, 8), RW), 2],
  ['a range', 'claimLinear', ({ table }) => table.mapRange(VA, 5n * PAGE, 4n * PAGE, RW), 2],
  ['a single page', 'cas64', ({ table }) => table.mapWords(0xffffc900, 0, 5, RW), 0],
];

test.each(FORMS)(
  'a thread that dies where another one was first leaves the page of that one: %s',
  (_name, step, run, page) => {
    const prepare = ({ table }: Side): void => table.map(VA + 9n * PAGE, [9], RW);
    const { one, two, lock, invitation } = stage({ name: '', prepare, run });
    const { loops } = two;
    const call = loops[step].bind(loops) as (...given: unknown[]) => never;
    const bytes = sharedBytes(one, lock);
    let kept: Uint8Array[] = [];
    Object.assign(loops, {
      [step]: (...given: unknown[]) => {
        one.table.map(VA + BigInt(page) * PAGE, [0x99], RW);
        const result = call(...given);
        // It dies before it notes how much it has written.
        kept = bytes.map((part) => part.slice());
        Object.assign(loops, { [step]: call });
        return result;
      },
    });
    try {
      run(two);
    } catch {}
    for (const [i, part] of bytes.entries()) part.set(kept[i] as Uint8Array);
    one.group.registry.declareDead(invitation);
    const did = one.group.sections.recovering(() => one.threads.recover(one.group.dead()));
    expect(did.undone).toEqual([{ slot: 1, root: one.table.root, entries: page, isComplete: true }]);
    expect([0, 1, 2, 3, 9].map((i) => one.table.translateWords(0xffffc900, i * 4096))).toEqual(
      [0, 1, 2, 3, 9].map((i) => (i === page ? 0x99 : i === 9 ? 9 : -1)),
    );
    expect(wrongCounts(one)).toEqual([]);
  },
);
