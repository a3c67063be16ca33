import { TLB_PRESETS, type TlbDescription, TlbModel, walkSource } from '@vmarea/mmu';
import { x8664 } from '@vmarea/x86-64';
import { describe, expect, test } from 'vitest';
import { tableWith } from './support/small.js';

/** A preset in one line for each TLB: name, then for each array `entries/ways sizes`. `?` is unknown. */
function linesOf({ tlbs }: TlbDescription): string[] {
  return tlbs.map(({ name, arrays }) => {
    const each = arrays?.map(({ entries, ways, sizes }) => `${entries}/${ways ?? '?'} ${sizes ?? '?'}`);
    return `${name}: ${each?.join(' + ') ?? '?'}`;
  });
}

/** The numbers of the sources, written down a second time. Sizes are log2 of bytes. */
const PUBLISHED: Readonly<Record<string, readonly string[]>> = {
  'golden-cove': [
    'L1I: 256/8 12 + 32/? 21',
    'L1D loads: 96/6 12 + 32/4 21 + 8/? 30',
    'L1D stores: 16/? all',
    'L2: 2048/16 ?',
  ],
  'zen-2': ['L1I: 64/full all', 'L2I: 512/8 12,21', 'L1D: 64/full 12,21,30', 'L2D: 2048/? 12,21'],
  'zen-3': ['L1I: 64/? ?', 'L2I: 512/? ?', 'L1D: 64/? ?', 'L2D: 2048/? ?'],
  'zen-4': ['L1I: 64/? ?', 'L2I: 512/? ?', 'L1D: 72/? ?', 'L2D: 3072/? ?'],
  'zen-5': ['L1I: 64/full ?', 'L2I: 2048/8 ?', 'L1D: 96/full ?', 'L2D: 4096/16 ?'],
  'cortex-a76': [
    'L1I: 48/full 12,14,16,21,25',
    'L1D: 48/full 12,14,16,21,29',
    'L2: 1280/5 12,14,16,21,25,29,30',
  ],
  'neoverse-n2': ['L1I: 48/full ?', 'L1D: 44/full ?', 'L2: 1280/5 ?'],
  'neoverse-v2': ['L1I: ?', 'L1D: 48/full 12,14,16,21,29', 'L2: 2048/8 ?'],
  'neoverse-v3': ['L1I: ?', 'L1D: 96/full 12,14,16,21,29', 'L2: 2048/8 ?'],
  'cortex-a55': ['L1I: 15/full ?', 'L1D: 16/full ?', 'L2: 1024/4 all'],
  'apple-m1-p': ['L1I: 192/? ?', 'L1D: 160/5 ?', 'L2: 3072/12 ?'],
  'apple-m1-e': ['L1I: 128/? ?', 'L1D: 128/4 ?', 'L2: 1024/? ?'],
  oryon: ['L1I: 256/8 ?', 'L1D: 224/7 12,16', 'L2: 8192/8 ?'],
  p870: ['L1I: 32/? ?', 'L1D: 64/? ?', 'L2: 1024/? ?'],
};

test('the presets are those that are published', () => {
  expect(TLB_PRESETS.map(({ name }) => name)).toEqual(Object.keys(PUBLISHED));
});

describe.each(TLB_PRESETS.map((preset) => [preset.title, preset] as const))('the preset %s', (_, preset) => {
  test('has the published numbers, and null where there are none', () => {
    expect(linesOf(preset)).toEqual(PUBLISHED[preset.name]);
  });

  test('says of which architecture it is', () => {
    const formats = ['x86-64', 'arm64', 'riscv64'];
    expect(formats).toContain(preset.architecture);
    expect(preset.dropsOnFault).toBe(preset.architecture === 'x86-64');
  });

  test('says where they are from', () => {
    expect(preset.source.length).toBeGreaterThan(10);
  });

  test('makes a model', () => {
    const model = new TlbModel(preset, walkSource(tableWith(x8664(), [0x1000n])));
    expect(model.access('read', 0, 0x1000)).toBe(3);
    expect(model.assumptions.length).toBeGreaterThan(0);
  });
});

test('one core alone is known to coalesce, and none to hold a run as one entry', () => {
  const known = TLB_PRESETS.flatMap(({ name, tlbs }) =>
    tlbs.flatMap(({ arrays }) =>
      (arrays ?? []).flatMap(({ coalesce, runs }) => (coalesce || runs ? [[name, coalesce, runs]] : [])),
    ),
  );
  expect(known).toEqual([['cortex-a76', 4, undefined]]);
});
