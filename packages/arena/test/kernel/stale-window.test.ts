import { AddressSpace, type Configuration, FrameAllocator, PhysicalMemory } from '@vmarea/core';
import { FlushSanitizer, Mmu, shootdown } from '@vmarea/mmu';
import { configurations as x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { type ArenaPoint, type ArenaRelease, createArena } from '../../src/index.js';

const START = 1n << 44n;
const LOW = 0;
const PAGE = 4096;

/**
 * Two processors. The first one frees a page. Between the clearing of its entry and the flush, the second one allocates, gets what
 * it can, and writes through the translation that it has.
 */
function race(release: ArenaRelease) {
  const { format, linux } = x8664[0] as Configuration;
  const memory = PhysicalMemory.create({ bytes: 3000 * PAGE });
  const tables = new FrameAllocator(memory, { first: 0, frames: 2900 });
  const ram = new FrameAllocator(memory, { first: 2900, frames: 100 });
  const sanitizer = new FlushSanitizer({ memory, frames: [tables, ram], processors: 2 });
  const processors: Mmu[] = [];
  const kernel = new AddressSpace({
    ...{ format, linux, memory, frames: tables, ram },
    sink: sanitizer.sink({ flush: (...flush) => shootdown(processors).flush(...flush) }),
  });
  for (let i = 0; i < 2; i++)
    processors.push(
      new Mmu({
        ...{ memory, observer: sanitizer.processor(i) },
        tables: { format, root: kernel.table.root, controls: format.controls },
      }),
    );
  const between: { at?: (point: ArenaPoint) => void } = {};
  const arena = createArena(kernel, {
    ...{ maxEntries: 1, mapExtra: START, release },
    interleave: (point) => between.at?.(point),
  });
  // From now on: it would look at each of the 2,050 tables that were made.
  sanitizer.watch({ table: kernel.table });
  const [one, two] = processors.map((mmu) => arena.view({ mmu })) as [
    ReturnType<typeof arena.view>,
    ReturnType<typeof arena.view>,
  ];
  arena.allocPages(null, 1);
  one.store32(LOW, 0, 1);
  two.store32(LOW, 0, 2);
  let given: bigint | null = null;
  between.at = (point) => {
    if (point !== 'flush') return;
    delete between.at;
    given = arena.allocPages(null, 1);
    if (given !== null) two.store32(LOW, 0, 0xbeef);
  };
  arena.freePages(START, 1);
  given ??= arena.allocPages(null, 1);
  if (release === 'three-state') two.store32(LOW, 0, 0xbeef);
  return { given, read: two.loadSigned32(LOW), sanitizer };
}

describe('a slot that is given out again', () => {
  test('before the flush of its old translation, as up to 7.3, loses what is written (scx #3826)', () => {
    const { given, read, sanitizer } = race('7.3');
    expect(given).toBe(START);
    // It was written into the page that was just freed.
    expect(read).toBe(0);
    expect(sanitizer.reports.map(({ code, class: kind, cause }) => `${kind} ${code} ${cause}`)).toEqual([
      'error address-reused batch',
    ]);
  });

  test('after it, as with three states, keeps what is written', () => {
    const { given, read, sanitizer } = race('three-state');
    expect(given).toBe(START);
    expect(read).toBe(0xbeef);
    sanitizer.settle();
    expect(sanitizer.reports).toEqual([]);
  });
});
