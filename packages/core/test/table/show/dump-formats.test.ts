import { firstAddress } from '@vmarea/conformance';
import type { Protection } from '@vmarea/core';
import { dumpTables, hex } from '@vmarea/core';
import { machine, walkBytes } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { formats } from '../../formats/index.js';
import { KERNEL, linesOf, TEXT, USER } from '../../support/dump.js';

describe('a dump', () => {
  test.each(formats.map((format) => [format.name, format] as const))(
    'of %s says what the bytes say',
    (_name, format) => {
      const { table, memory } = machine(format);
      const page = 1n << BigInt(format.pageShift);
      const start = firstAddress(format);
      const total = 1n << BigInt(format.range.bits - (format.range.upper === 'sign' ? 1 : 0));
      const block = 1n << BigInt(format.levels.at(-2)?.shift ?? format.pageShift);
      let mapped = 0n;
      const map = (offset: bigint, bytes: bigint, given: Protection): void => {
        if (offset + bytes > total) return;
        table.mapRange(start + offset, 0x10000000000n, bytes, given);
        mapped += bytes;
      };
      map(page, page, KERNEL);
      map(2n * page, page, KERNEL);
      map(3n * page, page, USER);
      if (block > page) map(block, 2n * block, TEXT);
      if (block > page) map(3n * block, page, TEXT);
      map(total - page, page, KERNEL);

      for (const options of [{}, { tables: true }]) {
        const dump = dumpTables(table, options);
        expect(dump).not.toMatch(/ $/m);
        expect(dump).toMatch(/[^\n]\n$/);
        expect(dump.startsWith(`${format.name}, root ${hex(table.root)}\n`)).toBe(true);
        let listed = 0n;
        let at = -1n;
        for (const line of linesOf(dump)) {
          if (line.includes('table')) continue;
          const found =
            /^ *(0x[\da-f]{16})-(0x[\da-f]{16}) .* +(\d+) x \d+[KMGT] +([r-][w-][x-]) ([ku]) .* (0x[\da-f]{16})$/.exec(
              line,
            );
          if (found === null) throw new Error(`no line of leaves: ${line}`);
          const [, first, last, , letters, side, pa] = found as string[] & RegExpExecArray;
          const va = BigInt(first as string);
          expect(va).toBeGreaterThan(at);
          at = BigInt(last as string);
          listed += at - va + 1n;
          for (const offset of [0n, at - va + 1n - page]) {
            const bytes = walkBytes(format, memory, table.root, va + offset);
            expect(bytes?.pa, line).toBe(BigInt(pa as string) + offset);
          }
          const { permissions } = table.walk(va);
          const { read, write, execute } = (side === 'u' ? permissions?.user : permissions?.kernel) ?? {};
          expect(letters).toBe(`${read ? 'r' : '-'}${write ? 'w' : '-'}${execute ? 'x' : '-'}`);
          expect(side).toBe(va === start + 3n * page ? 'u' : 'k');
        }
        expect(listed).toBe(mapped);
      }
    },
  );
});
