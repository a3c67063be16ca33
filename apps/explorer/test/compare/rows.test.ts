import { readFileSync } from 'node:fs';
import { compareLayout } from '@vmarea/compare';
import { configurations } from '@vmarea/x86-64';
import { beforeAll, expect, test } from 'vitest';
import { AREAS_FILE } from '../../build/bundled-tables.js';
import { familyOf, type SortKey, sortedRows } from '../../src/page/compare/rows.js';

let rows: Awaited<ReturnType<typeof compareLayout>>['rows'];
beforeAll(async () => {
  const text = readFileSync(new URL(`../../../../${AREAS_FILE}`, import.meta.url), 'utf8');
  ({ rows } = await compareLayout(text, { formats: configurations }));
});

test.each<[SortKey]>([['tables'], ['rounding'], ['both'], ['walk'], ['configuration'], ['leafPolicy']])(
  'rows are sorted by %s, up and down',
  (key) => {
    const values = sortedRows(rows, key, false).map((one) =>
      key === 'configuration' || key === 'leafPolicy' ? one.row[key] : one[key],
    );
    const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    expect(values).toEqual(sorted);
    const down = sortedRows(rows, key, true).map((one) =>
      key === 'configuration' || key === 'leafPolicy' ? one.row[key] : one[key],
    );
    expect(down).toEqual([...sorted].reverse());
  },
);

test('a format belongs to a family', () => {
  expect(['x86-64-la57', 'arm64-16k-47', 'riscv64-sv39'].map(familyOf)).toEqual(['x86', 'arm64', 'riscv64']);
});
