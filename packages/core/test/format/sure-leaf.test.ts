import { words } from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { classify } from '../../src/format/classify.js';
import { type LevelPlan, meets, planOf } from '../../src/format/plan.js';
import { formats } from '../formats/index.js';
import { riscv64 } from '../formats/riscv64.js';

describe('the match for sure leaves', () => {
  test.each(formats.map((format) => [format.name, format] as const))(
    'of %s matches leaves alone',
    (_name, format) => {
      const { levels } = planOf(format);
      fc.assert(
        fc.property(
          fc.nat(levels.length - 1),
          fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
          (index, bits) => {
            const { level, sureLeaf } = levels[index] as LevelPlan;
            if (sureLeaf === null || level.leaf === null) return;
            const entry = words(bits);
            const lo = (entry.lo & ~sureLeaf.maskLo) | sureLeaf.valueLo;
            const hi = (entry.hi & ~sureLeaf.maskHi) | sureLeaf.valueHi;
            expect(meets(sureLeaf, lo, hi)).toBe(true);
            expect(['leaf', 'table']).toContain(classify(format.present, level, { lo, hi }));
            if (level.table === null) expect(classify(format.present, level, { lo, hi })).toBe('leaf');
          },
        ),
      );
    },
  );

  test('is the match of the leaf where one mask is enough; for riscv64 it requires R', () => {
    for (const format of formats) {
      for (const { leaf, sureLeaf } of planOf(format).levels)
        if (leaf.rest === null) expect(sureLeaf).toBe(leaf);
    }
    // V and R set; N, bits 60:54 and the lower bit of PBMT clear.
    expect(planOf(riscv64(3)).levels[2]?.sureLeaf).toMatchObject({
      ...{ maskLo: 0b11, valueLo: 0b11, valueHi: 0, rest: null },
      maskHi: 0xbfc00000 | 0,
    });
  });
});
