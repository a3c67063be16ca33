import type { PageTableFormat, PhysicalMemory } from '@vmarea/core';
import { hex, type PageTable, protection, type VmError } from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formats } from '../formats/index.js';
import { walkBytes } from '../support/bytes-walk.js';
import { fingerprint, firstAddress, machine } from '../support/machine.js';

/*
 * Maps of base pages with hardly any frames for tables. What a call needs is counted one page at a time: a map fails
 * with ENOMEM exactly when a table is missing before the first page that is taken, and no frame is left.
 */

const WRITE = protection({ write: true });

interface Call {
  /** Entries of the level above the last from the start of the range, and pages from there. */
  block: number;
  offset: number;
  pages: number;
  isUnmap: boolean;
  reclaim: boolean;
}

const calls = fc.array(
  fc.record<Call>({
    block: fc.nat(5),
    offset: fc.integer({ min: -2, max: 2 }),
    pages: fc.integer({ min: 1, max: 4 }),
    isUnmap: fc.boolean(),
    reclaim: fc.boolean(),
  }),
  { minLength: 1, maxLength: 16 },
);

/** What a map must say: pages in address order, tables from the root down. */
function expectedOf(
  format: PageTableFormat,
  memory: PhysicalMemory,
  table: PageTable,
  start: bigint,
  pages: number,
  free: number,
): string {
  let left = free;
  const made = new Set<string>();
  for (let i = 0; i < pages; i++) {
    const va = start + (BigInt(i) << BigInt(format.pageShift));
    const { steps } = table.walk(va);
    // One step per table that is there; the root always is.
    for (let index = steps.length; index < format.levels.length; index++) {
      const key = `${index} ${va >> BigInt(format.levels[index - 1]?.shift ?? 0)}`;
      if (made.has(key)) continue;
      if (left === 0) return 'ENOMEM';
      left--;
      made.add(key);
    }
    if (walkBytes(format, memory, table.root, va) !== null) return 'EBUSY';
  }
  return 'none';
}

describe.each(formats.filter((format) => format.levels.length > 1).map((format) => [format.name, format]))(
  '%s with few frames',
  (_name, format) => {
    it('runs out exactly when a table is missing and no frame is left', () => {
      let refusals = 0;
      const rootFrames = Math.max(1, 2 ** ((format.levels[0]?.bits ?? 0) + 3 - format.pageShift));
      const total = 2 ** (format.range.bits - format.pageShift);
      const blockPages = 2 ** ((format.levels.at(-2)?.shift ?? 0) - format.pageShift);
      fc.assert(
        fc.property(calls, fc.integer({ min: 0, max: format.levels.length + 2 }), (list, spare) => {
          const { memory, frames, table, pageBytes } = machine(format, rootFrames + spare);
          for (const { block, offset, pages, isUnmap, reclaim } of list) {
            const first = block * blockPages + offset;
            if (first < 0 || first + pages > total) continue;
            const va = firstAddress(format) + BigInt(first) * BigInt(pageBytes);
            if (isUnmap) {
              table.unmap(va, pages * pageBytes, { reclaim });
              continue;
            }
            const { free } = frames.stats();
            const expected = expectedOf(format, memory, table, va, pages, free);
            const before = fingerprint({ memory, frames });
            let code = 'none';
            try {
              table.mapRange(va, 0n, pages * pageBytes, WRITE, { maxLeafShift: format.pageShift });
            } catch (error) {
              code = (error as VmError).code;
            }
            expect(code, `${pages} pages at ${hex(va)} with ${free} frames`).toBe(expected);
            if (code === 'ENOMEM') refusals++;
            if (code !== 'none') expect(fingerprint({ memory, frames })).toBe(before);
          }
        }),
        { numRuns: 30, seed: 7 },
      );
      expect(refusals).toBeGreaterThan(10);
    });
  },
);
