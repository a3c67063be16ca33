import { firstAddress } from '@vmarea/conformance';
import { protection } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { formats } from '../../formats/index.js';
import { fingerprint } from '../../support/digest.js';

const WRITE = protection({ write: true });
const READ = protection();

describe.each(formats)('mapMany on $name', (format) => {
  const page = 1n << BigInt(format.pageShift);
  const base = firstAddress(format, 'lower');

  test('maps each range with its own protection and options', () => {
    const { table } = machine(format);
    table.mapMany([
      { va: base, frames: [5, 9], protection: WRITE },
      {
        va: base + 7n * page,
        frames: Uint32Array.of(6, 7, 8),
        protection: READ,
        options: { maxLeafShift: 0 },
      },
    ]);
    expect([0n, 1n, 2n, 7n, 8n, 9n, 10n].map((at) => table.translate(base + at * page))).toEqual([
      ...[5n * page, 9n * page, null],
      ...[6n * page, 7n * page, 8n * page, null],
    ]);
    expect(table.walk(base).permissions?.kernel.write).toBe(true);
    expect(table.walk(base + 7n * page).permissions?.kernel.write).toBe(false);
  });

  test('leaves everything as it was when a later range fails', () => {
    const state = machine(format);
    const { table, frames } = state;
    table.map(base + 12n * page, [1], WRITE);
    const before = [fingerprint(state), frames.stats().allocated];
    const first = { va: base, frames: [5, 9], protection: WRITE };
    for (const [second, code] of [
      [{ va: base + 12n * page, frames: [3], protection: WRITE }, /^EBUSY/],
      [{ va: base + page, frames: [3], protection: WRITE }, /^EBUSY/],
      [{ va: base + 1n, frames: [3], protection: WRITE }, /^EINVAL/],
      [{ va: base + page, frames: [], protection: WRITE }, /^EINVAL/],
      [{ va: base + page, frames: [-1], protection: WRITE }, /^EINVAL/],
      [{ va: base + page, frames: [3], protection: {} as typeof WRITE }, /^EINVAL/],
    ] as const) {
      expect(thrown(() => table.mapMany([first, second]))).toMatch(code);
      expect([fingerprint(state), frames.stats().allocated]).toEqual(before);
    }
    expect(thrown(() => table.mapMany([]))).toMatch(/^EINVAL: pieces has no element/);
    for (const none of [undefined, 5] as const)
      expect(thrown(() => table.mapMany(none as unknown as []))).toMatch(/^EINVAL: pieces is /);
    expect(thrown(() => table.mapMany([first, 5 as never]))).toBe('EINVAL: pieces[1] is 5');
    const misspelt = { va: base, frames: [1], protection: WRITE, option: { maxLeafShift: 12 } };
    expect(thrown(() => table.mapMany([misspelt]))).toBe(
      'EINVAL: pieces[0] has no member `option`; did you mean `options`?',
    );
  });
});
