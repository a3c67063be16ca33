import { firstAddress } from '@vmarea/conformance';
import { FrameAllocator, PageTable, PhysicalMemory, protection, wasmLoops } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { formats } from '../../formats/index.js';

const WRITE = protection({ write: true });

describe.each(formats.map((format) => [format.name, format] as const))(
  'a page table of %s in frames that were used before',
  (_name, format) => {
    /** Frames that were allocated, filled with ones and freed. */
    function used() {
      const pageBytes = 2 ** format.pageShift;
      const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 40 * pageBytes });
      const frames = new FrameAllocator(memory, { pageShift: format.pageShift });
      const all = frames.allocateMany(frames.frames);
      for (const pfn of all) memory.bytesAt(BigInt(pfn * pageBytes), pageBytes).fill(0xff);
      frames.freeMany(all);
      return { memory, frames, pageBytes };
    }

    test('starts with a root of zeros, in all frames of the root', () => {
      const { memory, frames } = used();
      const table = new PageTable({ format, memory, frames });
      const bytes = memory.bytesAt(table.root, 8 * 2 ** (format.levels[0]?.bits ?? 0));
      expect(bytes.every((byte) => byte === 0)).toBe(true);
      expect([...table.leaves()]).toEqual([]);
    });

    test('makes tables that map only what was asked for', () => {
      const { memory, frames, pageBytes } = used();
      const table = new PageTable({ format, memory, frames });
      const first = firstAddress(format);
      const half = format.range.upper === 'sign' ? 2 : 1;
      const last = first + (1n << BigInt(format.range.bits)) / BigInt(half) - BigInt(pageBytes);
      table.map(first, [3], WRITE);
      table.map(last, [8], WRITE);
      expect([...table.leaves()].map((run) => [run.va, run.count, run.pfn])).toEqual([
        [first, 1, 3],
        [last, 1, 8],
      ]);
      // Each table on the path holds one entry, except where the paths part.
      for (const va of [first, last]) {
        for (const { table: at, level } of table.walk(va).steps.slice(1)) {
          const entries = 2 ** (format.levels[level]?.bits ?? 0);
          const present = Array.from({ length: entries }, (_, i) => memory.read64(at + 8n * BigInt(i)));
          expect(present.filter((entry) => entry !== 0n)).toHaveLength(1);
        }
      }
    });
  },
);
