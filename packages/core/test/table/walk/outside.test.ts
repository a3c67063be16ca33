import { firstAddress } from '@vmarea/conformance';
import {
  FrameAllocator,
  PageTable,
  type PageTableFormat,
  PhysicalMemory,
  protection,
  translateMany,
  translationCursor,
  wasmLoops,
} from '@vmarea/core';
import { thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { riscv64 } from '../../formats/riscv64.js';
import { x86 } from '../../formats/x86.js';
import { fingerprint } from '../../support/digest.js';

/*
 * Table entries that point to frames which the memory does not hold: below it, above it, or only in part inside. Every way to
 * translate ends there, and no call writes anything.
 */

const WRITE = protection({ write: true, global: true });

const cases = [
  x86(4, 46),
  x86(5, 46),
  arm64({ granule: 4, vaBits: 48 }),
  arm64({ granule: 16, vaBits: 47 }),
  riscv64(3),
];

/** A memory whose start and end are no multiples of a power of two; its last frame is cut. */
function build(format: PageTableFormat, webAssembly: boolean) {
  const pageBytes = 2 ** format.pageShift;
  const first = 5;
  const whole = 26;
  const bytes = whole * pageBytes + (pageBytes > 4096 ? 4096 : 0);
  const memory = PhysicalMemory.of([
    { bytes, base: BigInt(first * pageBytes), ...(webAssembly ? { loops: wasmLoops } : {}) },
  ]);
  const frames = new FrameAllocator(memory, { pageShift: format.pageShift, first, frames: whole });
  const table = new PageTable({ format, memory, frames });
  return { memory, frames, table, pageBytes, first, end: first + whole };
}

describe.each(cases)('a walk of $name', (format) => {
  test.each([true, false])(
    'ends at an entry that points out of the memory (WebAssembly %s)',
    (webAssembly) => {
      const { memory, frames, table, pageBytes, first, end } = build(format, webAssembly);
      const base = firstAddress(format, 'lower');
      const depth = format.levels.length;
      // A page, and a block whose frame no call may give by mistake.
      const upper = (format.levels[depth - 2] as { shift: number }).shift;
      const span = 1n << BigInt(upper);
      table.map(base, [1], WRITE);
      table.map(base + span, [2], WRITE);
      const cursor = translationCursor(table);
      for (const level of [depth - 2, depth - 3].filter((one) => one >= 0)) {
        const { address, entry } = table.walk(base + span).steps[level] as { address: bigint; entry: bigint };
        const home =
          BigInt((table.walk(base + span).steps[level + 1] as { table: bigint }).table) / BigInt(pageBytes);
        for (const pfn of [0, first - 1, end, end + 1, end + 9]) {
          // The same entry with another frame: in all of these formats the address is one field.
          const shift = format.name.startsWith('riscv') ? 10n : BigInt(format.pageShift);
          memory.write64(address, entry + ((BigInt(pfn) - home) << shift));
          const va = base + span + 3n * BigInt(pageBytes);
          const [hi, lo] = [Number(va >> 32n), Number(BigInt.asIntN(32, va))];
          const before = fingerprint({ memory, frames });
          // The end of an earlier walk must not be taken for the end of this one.
          for (const other of [base, base + (1n << BigInt(upper + 3))]) {
            table.translateWords(Number(other >> 32n), Number(BigInt.asIntN(32, other)));
            expect(table.translateWords(hi, lo), `frame ${pfn} at level ${level}`).toBe(-1);
            expect(cursor.translateWords(hi, lo)).toBe(-1);
            expect(table.translate(va)).toBe(null);
            const many = new Float64Array(20);
            expect(translateMany(table, new BigUint64Array(20).fill(va), many)).toBe(0);
            expect([...new Set(many)]).toEqual([-1]);
            expect(thrown(() => table.mapWords(hi, lo, 9, WRITE))).toMatch(/^EFAULT/);
            expect(thrown(() => table.unmapWords(hi, lo))).toMatch(/^EFAULT/);
          }
          expect(fingerprint({ memory, frames })).toBe(before);
          memory.write64(address, entry);
        }
      }
    },
  );
});
