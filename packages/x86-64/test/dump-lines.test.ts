import { dumpTables, PageTableReader } from '@vmarea/core';
import { loadGuest } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { x8664FromRegisters } from '../src/index.js';

const guest = loadGuest('linux-6.12-x86-64');
const { cr0, cr3, cr4, efer } = guest.machine.registers as Record<'cr0' | 'cr3' | 'cr4' | 'efer', bigint>;
const { format } = x8664FromRegisters({ cr0, cr3, cr4, efer });
const swapper = new PageTableReader({ format, memory: guest.memory, root: guest.root('swapper') });

describe('a dump as a tree with a few lines for each table', () => {
  const all = dumpTables(swapper, { tables: true }).trimEnd().split('\n').slice(1);
  const depth = (line: string): number => (line.length - line.trimStart().length) / 2;

  test.each([1, 2, 3, 5, 40])(
    'has at most %i lines for each table, and all but the summaries are lines of the whole dump',
    (lines) => {
      const some = dumpTables(swapper, { tables: true, lines }).trimEnd().split('\n').slice(1);
      const listed = new Set(all);
      const counts: number[] = [];
      for (const line of some) {
        const at = depth(line);
        counts.length = at + 1;
        counts[at] = (counts[at] ?? 0) + 1;
        expect(counts[at] <= (at === 0 ? 1 : lines), line).toBe(true);
        if (line.includes('... ')) {
          expect(line).toMatch(/^ *\.{3} (\d+ runs?)?( and )?(\d+ tables?)?, [\d.]+[KMGT] not shown$/);
          expect(line).not.toMatch(/ 1 (runs|tables)| ([02-9]|\d\d+) (run|table)\b/);
        } else if (!line.includes(', listed at ')) {
          // The whole dump may list this table elsewhere, and then has a note here.
          expect(
            [...listed].some((one) => one.startsWith(line)),
            line,
          ).toBe(true);
        }
      }
      expect(some.length).toBeLessThan(all.length);
    },
  );

  test('has these first 20 lines with lines: 3', () => {
    const first = dumpTables(swapper, { tables: true, lines: 3 }).split('\n').slice(0, 20).join('\n');
    expect(first).toMatchInlineSnapshot(`
      "x86-64, root 0x0000000147c22000
      0x0000000000000000-0xffffffffffffffff        256T  PGD  table 0x0000000147c22000   70 of 512 in use
        0xffff8c8000000000-0xffff8cffffffffff        512G  PUD  table 0x0000000148c01000  slot  281  flags 0x0000000000000067    4 of 512 in use
          0xffff8cf480000000-0xffff8cf4bfffffff          1G  PMD  table 0x0000000148c02000  slot  466  flags 0x0000000000000067  512 of 512 in use
            0xffff8cf480000000-0xffff8cf4801fffff          2M  PTE  table 0x0000000148c03000  slot    0  flags 0x0000000000000067  512 of 512 in use
              0xffff8cf480000000-0xffff8cf480097fff        608K  PTE       152 x 4K    rw- k -ad  normal           0x0000000000000000
              ... 2 runs, 12K not shown
              0xffff8cf48009b000-0xffff8cf4801fffff       1428K  PTE       357 x 4K    rw- k -ad  normal           0x000000000009b000
            0xffff8cf480200000-0xffff8cf4bfffffff       1022M  PMD       511 x 2M    rw- k -ad  normal           0x0000000000200000
          ... 1 run and 1 table, 2G not shown
          0xffff8cf5c0000000-0xffff8cf5ffffffff          1G  PMD  table 0x0000000148df4000  slot  471  flags 0x0000000000000063  512 of 512 in use
            0xffff8cf5c0000000-0xffff8cf5c03fffff          4M  PMD         2 x 2M    rw- k -ad  normal           0x0000000140000000
            ... 6 runs and 12 tables, 954M not shown
            0xffff8cf5fbe00000-0xffff8cf5ffffffff         66M  PMD        33 x 2M    rw- k -ad  normal           0x000000017be00000
        ... 68 tables, 34T not shown
        0xffffff8000000000-0xffffffffffffffff        512G  PUD  table 0x0000000147c27000  slot  511  flags 0x0000000000000067    2 of 512 in use
          0xffffffff80000000-0xffffffffbfffffff          1G  PMD  table 0x0000000147c28000  slot  510  flags 0x0000000000000063   23 of 512 in use
            0xffffffffb9200000-0xffffffffb9ffffff         14M  PMD         7 x 2M    r-x k -a-  normal           0x0000000146000000
            ... 4 runs and 5 tables, 30M not shown
            0xffffffffbbe00000-0xffffffffbbffffff          2M  PMD         1 x 2M    rw- k -ad  normal           0x0000000148c00000"
    `);
  });
});
