import { PageTableReader, PhysicalMemory } from '@vmarea/core';
import { expect, test } from 'vitest';
import { x86 } from '../../formats/x86.js';

const format = x86(4, 46);
const PAGE = 4096n;
const TABLE = 7n;

/** Two banks of 16 frames each. */
function twoBanks(): PhysicalMemory {
  return PhysicalMemory.of([{ bytes: 16 * 4096 }, { bytes: 16 * 4096, base: 1n << 30n }]);
}

/** Physical address of a frame of the second bank. */
const far = (frame: bigint): bigint => (1n << 30n) + frame * PAGE;

test('a table that two banks point to is found from both, in any order', () => {
  const memory = twoBanks();
  const link = (table: bigint, slot: bigint, to: bigint): void =>
    memory.write64(table + 8n * slot, to | TABLE);
  // The root and one PUD table are in the first bank, the other PUD table in the second. Both point to PMD table 3.
  link(0n, 0n, PAGE);
  link(0n, 1n, far(1n));
  link(PAGE, 0n, 3n * PAGE);
  link(far(1n), 0n, 3n * PAGE);
  link(3n * PAGE, 0n, 4n * PAGE);
  link(4n * PAGE, 5n, 0x77n * PAGE);
  // What the second bank has at the same words as the PMD table: a way to another page.
  link(far(3n), 0n, far(4n));
  link(far(4n), 5n, 0x88n * PAGE);
  const reader = new PageTableReader({ format, memory, root: 0n });
  const [near, other] = [5n * PAGE, (1n << 39n) + 5n * PAGE];
  for (const va of [near, other, near, other, other]) expect(reader.translate(va)).toBe(0x77n * PAGE);
});

test('an entry that changes its table is followed at once', () => {
  const memory = twoBanks();
  const link = (table: bigint, slot: bigint, to: bigint): void =>
    memory.write64(table + 8n * slot, to | TABLE);
  for (const [table, to] of [
    [0n, PAGE],
    [PAGE, 2n * PAGE],
    [2n * PAGE, 3n * PAGE],
    [3n * PAGE, 0x33n * PAGE],
    [4n * PAGE, 0x44n * PAGE],
    [far(5n), 0x55n * PAGE],
  ] as const)
    link(table, 0n, to);
  const reader = new PageTableReader({ format, memory, root: 0n });
  for (const [to, pa] of [
    [3n, 0x33n],
    [4n, 0x44n],
    [3n, 0x33n],
  ] as const) {
    link(2n * PAGE, 0n, to * PAGE);
    expect(reader.translate(0n)).toBe(pa * PAGE);
  }
  link(2n * PAGE, 0n, far(5n));
  expect(reader.translate(0n)).toBe(0x55n * PAGE);
  // No bank has it.
  link(2n * PAGE, 0n, 1n << 29n);
  expect(reader.translate(0n)).toBeNull();
});
