import { firstAddress } from '@vmarea/conformance';
import { protection } from '@vmarea/core';
import { machine, thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { arm64 } from '../../formats/arm64.js';
import { x86 } from '../../formats/x86.js';
import { fingerprint } from '../../support/digest.js';

const DATA = protection({ write: true });
const formats = [x86(4, 46), arm64({ granule: 4, vaBits: 48 })];

describe.each(formats.map((format) => [format.name, format] as const))('protectMany on %s', (_, format) => {
  const setUp = (sink?: () => void) => {
    const made = machine(format, 64, 0n, sink === undefined ? undefined : { flush: sink });
    const va = firstAddress(format);
    made.table.mapRange(va, 0n, 4 << 20, DATA);
    made.table.map(va + (8n << 20n), [7, 8, 9], DATA);
    const writes = (offset: number) => made.table.walk(va + BigInt(offset)).leaf?.protection.write;
    return { ...made, va, writes };
  };

  test('changes several ranges in any order, with one flush', () => {
    const { table, va, writes, flushes } = setUp();
    table.protectMany(
      [
        { va: va + (8n << 20n), bytes: 0x2000 },
        { va, bytes: 2 << 20 },
      ],
      { write: false },
    );
    expect([0, 2 << 20, 8 << 20, (8 << 20) + 0x2000].map(writes)).toEqual([false, true, false, true]);
    expect(flushes).toHaveLength(1);
  });

  test.each([
    ['ends inside a block', [[0, 0x1000]], 'EINVAL'],
    [
      'ends inside a block, after another',
      [
        [8 << 20, 0x1000],
        [0, 0x1000],
      ],
      'EINVAL',
    ],
    [
      'overlaps another',
      [
        [8 << 20, 0x2000],
        [(8 << 20) + 0x1000, 0x1000],
      ],
      'overlap',
    ],
    ['is empty', [[0, 0]], 'EINVAL'],
  ] as const)('refuses a range that %s, and changes nothing', (_name, ranges, why) => {
    const made = setUp();
    const before = fingerprint(made);
    const list = ranges.map(([offset, bytes]) => ({ va: made.va + BigInt(offset), bytes }));
    expect(thrown(() => made.table.protectMany(list, { write: false }))).toContain(why);
    expect(fingerprint(made)).toBe(before);
    expect(made.flushes).toEqual([]);
  });

  test('refuses a value that is no list of ranges', () => {
    const { table } = setUp();
    expect(thrown(() => table.protectMany([], { write: false }))).toContain('EINVAL');
    for (const list of [null, [null], [7], { length: 1 }, Array(2)]) {
      expect(thrown(() => table.protectMany(list as never, { write: false }))).toContain('EINVAL');
      expect(thrown(() => table.mapMany(list as never))).toContain('EINVAL');
    }
    const misspelt = [{ va: 0n, bytes: 4096, byts: 1 }];
    expect(thrown(() => table.protectMany(misspelt, { write: false }))).toBe(
      'EINVAL: ranges[0] has no member `byts`; did you mean `bytes`?',
    );
  });

  test('is undone when the sink throws', () => {
    let throws = false;
    const made = setUp(() => {
      if (throws) throw new Error('stop');
    });
    const { va } = made;
    const before = fingerprint(made);
    throws = true;
    const ranges = [
      { va, bytes: 2 << 20 },
      { va: va + (8n << 20n), bytes: 0x1000 },
    ];
    expect(() => made.table.protectMany(ranges, { write: false })).toThrow('stop');
    expect(fingerprint(made)).toBe(before);
  });
});
