import { SeededRandom } from '@vmarea/conformance';
import type { Access, Controls } from '@vmarea/core';
import { Mmu } from '@vmarea/mmu';
import { hex } from '@vmarea/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROCESSORS, type Processor } from './support/formats.js';
import { judge, open } from './support/judge.js';
import { copyOf, RandomTables } from './support/random-tables.js';

const RUNS = Number(process.env.VMAREA_RUNS ?? 1);
const KINDS = ['read', 'write', 'execute'] as const;

/** Controls that differ from a format's: some of its switches the other way. */
function someControls(format: Processor['format'], random: SeededRandom): Controls {
  const switches = Object.entries(format.controls).filter(([, value]) => typeof value === 'boolean');
  const changed = switches.map(([name, value]) => [name, random.oneIn(2) ? !value : value]);
  const controls = Object.fromEntries(changed);
  return random.oneIn(2) ? Object.freeze(controls) : controls;
}

/** Plays random accesses, edits and switches, and compares each access and all bytes with the judge's. */
function play(processor: Processor, seed: number, steps: readonly number[], isWild: boolean): void {
  const { format, invalidations, page, everything } = processor;
  const random = new SeededRandom(seed);
  const tables = new RandomTables(format, seed, isWild);
  const twin = copyOf(tables.memory);
  const mmu = new Mmu({
    ...{ memory: tables.memory, invalidations, entries: 16 },
    tables: { format, root: tables.root(0), controls: format.controls },
  });
  let controls = format.controls;
  let space = 0;
  let sawGlobal = false;
  const pool = Array.from({ length: 24 }, () => tables.address(random));
  for (const step of steps) {
    if (step === 0) {
      tables.edit();
      twin.banks[0]?.words.set(tables.memory.banks[0]?.words ?? []);
      // Pages of the pool may share entries, so all of them go. Each is named once, by one of its bytes.
      if (random.oneIn(2)) mmu.invalidate(everything);
      else for (const va of pool) mmu.invalidate(page, va);
      continue;
    }
    if (step === 1) {
      controls = { ...controls, ...someControls(format, random) };
      mmu.setControls(controls);
      continue;
    }
    if (step === 2 && !isWild) {
      // A global translation would be served to another space, as on hardware. arm64's tables, met as pages, are global.
      if (sawGlobal) mmu.invalidate(everything);
      sawGlobal = false;
      space = random.below(3);
      mmu.switchRoot(tables.root(space), space);
      continue;
    }
    const va = random.of(pool);
    const access: Access = { kind: KINDS[random.below(3)] as Access['kind'], user: random.oneIn(2) };
    const table = open(format, twin, tables.root(space));
    sawGlobal ||= table.walk(va).leaf?.protection.global ?? false;
    const expected = judge(table, twin, va, access, controls);
    const what = `${hex(va)} ${access.kind} ${access.user ? 'user' : 'kernel'} in space ${space}`;
    expect({ what, ...mmu.access(va, access.kind, access.user) }).toEqual({ what, ...expected });
    // The words of a memory as one buffer: a difference is rare, so it is looked for only then.
    const isSame = Buffer.compare(bytesOf(tables.memory), bytesOf(twin)) === 0;
    expect(isSame, `the accessed and dirty bits of ${what}`).toBe(true);
  }
}

function bytesOf(memory: RandomTables['memory']): Uint8Array {
  const words = memory.banks[0]?.words as Int32Array;
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

describe.each(PROCESSORS.map((one) => [one.name, one] as const))('an Mmu of %s', (_, processor) => {
  test.each([
    ['any entries', true],
    ['several address spaces', false],
  ])('judges as walk does, and sets the bits that touch says, with %s', (_name, isWild) => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(fc.integer({ min: 0, max: 24 }), { minLength: 20, maxLength: 120 }),
        (seed, steps) => play(processor, seed, steps, isWild),
      ),
      { numRuns: 5 * RUNS },
    );
  });
});
