import { TLB_PRESETS } from '@vmarea/mmu';
import { describe, expect, test } from 'vitest';
import { mayCollapse } from '../../src/accesses/collapse.js';
import { random } from '../../src/index.js';
import type { Access } from '../support/accesses.js';
import { presetOf, simulated } from '../support/accesses.js';
import { configurationOf } from '../support/files.js';

const FORMATS = ['x86-64', 'arm64-4k-48-cont', 'arm64-16k-47-cont', 'riscv64-sv39-napot'];

/** Many repeated accesses of a page, between accesses of others, in code, stack and heap. */
function repeating(seed: number, length: number): Access[] {
  const source = random(seed);
  const all: Access[] = [];
  let code = 0;
  let data = 0;
  while (all.length < length) {
    if (source.next(4) === 0) code = source.next(400);
    if (source.next(3) === 0) data = source.next(source.next(3) === 0 ? 6000 : 150);
    for (let i = source.next(5); i >= 0; i--) {
      all.push(['F', 0x400000n + BigInt(code * 4096 + source.next(4090)), 1 + source.next(8)]);
      if (source.next(2) === 0)
        all.push([
          source.next(3) === 0 ? 'S' : 'L',
          0x7f0000000000n + BigInt(data * 4096 + source.next(4096)),
          8,
        ]);
    }
  }
  return all;
}

describe('repeated accesses that are left out', () => {
  const accesses = repeating(3, 12_000);

  test.each(TLB_PRESETS.map((preset) => [preset.name, preset] as const))(
    'change nothing on %s',
    (_name, preset) => {
      for (const format of FORMATS) {
        if (!mayCollapse(preset, configurationOf(format).format)) continue;
        for (const leaves of ['base', 'huge'] as const) {
          const options = {
            format,
            leaves,
            preset,
            walkCaches: 'champsim',
            dense: 20,
            assumeRuns: true,
          } as const;
          const whole = simulated(accesses, { ...options, isCollapsed: false });
          expect(simulated(accesses, options)).toEqual(whole);
        }
      }
    },
  );

  test('change nothing with random replacement', () => {
    const random: (typeof TLB_PRESETS)[number] = {
      ...presetOf('neoverse-v2'),
      tlbs: presetOf('neoverse-v2').tlbs.map((unit) => ({
        ...unit,
        arrays: unit.arrays?.map((array) => ({ ...array, replacement: 'random' as const })) ?? null,
      })),
    };
    const whole = simulated(accesses, { preset: random, isCollapsed: false, seed: 5 });
    expect(simulated(accesses, { preset: random, seed: 5 })).toEqual(whole);
    expect(simulated(accesses, { preset: random, seed: 6 })).not.toEqual(whole);
  });

  test('are simulated where an array holds pages in pieces, or serves both sides', () => {
    const { format: small } = configurationOf('x86-64');
    const { format: large } = configurationOf('arm64-16k-47-cont');
    const preset = presetOf('golden-cove');
    expect(mayCollapse(preset, small)).toBe(true);
    expect(mayCollapse(preset, large)).toBe(false);
    const [first, ...others] = preset.tlbs.filter(({ level }) => level === 2);
    expect(others).toEqual([]);
    const both = { ...preset, tlbs: first === undefined ? [] : [{ ...first, level: 1 as const }] };
    expect(mayCollapse(both, small)).toBe(false);
  });
});
