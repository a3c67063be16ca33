import { protection } from '@vmarea/core';
import { expect, test } from 'vitest';
import { SharedArrayLoops } from '../../src/loops/shared-array-loops.js';
import { attach, firstSide } from './pair.js';

const NAMES = ['load', 'store', 'add', 'sub', 'exchange', 'compareExchange'] as const;

/** Calls a function before each access of a call to shared memory. */
function watching(look: (name: string, array: unknown) => void, call: () => void): void {
  const real = Object.fromEntries(NAMES.map((name) => [name, Atomics[name]]));
  for (const name of NAMES) {
    const plain = Atomics[name] as (...given: unknown[]) => unknown;
    Object.assign(Atomics, {
      [name]: (...given: unknown[]) => {
        look(name, given[0]);
        return plain(...given);
      },
    });
  }
  try {
    call();
  } finally {
    Object.assign(Atomics, real);
  }
}

const address = {
  ...{ lowRotate: 12, lowLo: -4096, lowHi: 0xfff, highLoRotate: 0, highLo: 0 },
  ...{ highHiRotate: 0, highHi: 0 },
};
const leaf = { lo: 3, hi: 0, address, pfnLimit: 2 ** 32 };
const source = { narrow: Uint32Array.of(5, 6, 7), wide: null, start: 0 };

test.each<[string, number, (loops: SharedArrayLoops) => unknown]>([
  ['load64', 1, (loops) => loops.load64(0)],
  ['store64', 1, (loops) => loops.store64(0, 1, 2)],
  ['cas64', 1, (loops) => loops.cas64(0, 0, 0, 1, 2)],
  ['writeFrames', 3, (loops) => loops.writeFrames(0, 3, source, 0, leaf)],
  ['writeLinear', 3, (loops) => loops.writeLinear(0, 3, 9, 1, leaf)],
  ['claimFrames', 3, (loops) => loops.claimFrames(0, 3, source, 0, leaf)],
  ['claimLinear', 3, (loops) => loops.claimLinear(0, 3, 9, 1, leaf)],
  ['erase', 3, (loops) => loops.erase(0, 3)],
  ['clear', 3, (loops) => loops.clear(0, 3)],
  ['take', 3, (loops) => loops.take(0, 3, new Int32Array(6), 0)],
  ['get', 3, (loops) => loops.get(0, 3, new Int32Array(6), 0)],
  ['put', 3, (loops) => loops.put(0, Int32Array.of(1, 2, 3, 4, 5, 6), 0, 3)],
  ['copy', 6, (loops) => loops.copy(8, 0, 3)],
  ['firstLive', 3, (loops) => loops.firstLive(0, 3)],
  ['lastLive', 3, (loops) => loops.lastLive(0, 3)],
  ['countLive', 3, (loops) => loops.countLive(0, 3)],
  ['matching', 3, (loops) => loops.matching(0, 3, -1, -1, 0, 0)],
  ['change', 3, (loops) => loops.change(0, 3, -1, -1, 1, 1)],
  ['firstDifference', 6, (loops) => loops.firstDifference(0, 8, 3)],
])('%s of loops in JavaScript makes one 64-bit atomic for each entry', (_name, accesses, call) => {
  const loops = new SharedArrayLoops({ words: new Int32Array(new SharedArrayBuffer(256)) });
  let count = 0;
  watching(
    (_access, array) => {
      expect(array).toBeInstanceOf(BigUint64Array);
      count++;
    },
    () => call(loops),
  );
  expect(count).toBe(accesses);
});

test('two threads that count live entries of a table at once lose none', () => {
  const { side: one, invite } = firstSide(false);
  const two = attach(invite());
  one.table.map(0xffffc90000000000n, [1], protection({ write: true }));
  const records = one.context.records;
  const record = records?.find(Number(one.table.root >> 12n)) as number;
  const before = records?.live(record) as number;
  let isFirst = true;
  watching(
    (name) => {
      if (!isFirst || name === 'load') return;
      isFirst = false;
      two.context.records?.add(record, 10);
    },
    () => records?.add(record, 1),
  );
  expect(records?.live(record)).toBe(before + 11);
});
