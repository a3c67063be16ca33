import { parseVmallocinfo } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { type AreaRequest, type Workload, workload } from '../../src/areas/workload.js';
import { ARM64_4K_GUEST, ARM64_16K_GUEST, textOf, X86_GUEST } from '../support/files.js';

function of(text: string, pageBytes?: number): Workload {
  return workload(parseVmallocinfo(text, 'f'), 'f', pageBytes);
}

/** Lines with made-up addresses and the given rests. */
function lines(...rests: string[]): string {
  return rests.map((rest) => `0x0-0x0 ${rest}\n`).join('');
}

function only(text: string, pageBytes?: number): AreaRequest {
  const { requests } = of(text, pageBytes);
  expect(requests).toHaveLength(1);
  return requests[0] as AreaRequest;
}

describe('the three guests', () => {
  test.each([
    // arm64 with 4K: 318 pages; 284729344 bytes of ioremap in 7 areas; 33558528 of kernel image, of which the last
    // segment alone has a guard; 405504 of DMA in 3 areas.
    [ARM64_4K_GUEST, 4096, 71, 318 * 4096 + (284729344 - 7 * 4096) + (33558528 - 4096) + (405504 - 3 * 4096)],
    [
      ARM64_16K_GUEST,
      16384,
      73,
      213 * 16384 + (284852224 - 7 * 16384) + (46022656 - 16384) + (442368 - 3 * 16384),
    ],
    // x86-64: 3848 pages; 268488704 bytes of ioremap in 6 areas; one vmap of 20480.
    [X86_GUEST, 4096, 163, 3848 * 4096 + (268488704 - 6 * 4096) + (20480 - 4096)],
  ])('%s: page size, areas and mapped bytes', (file, pageBytes, areas, mapped) => {
    const work = of(textOf(file));
    expect(work.pageBytes).toBe(pageBytes);
    expect(work.pageBytesFrom).toBe('lines');
    expect(work.guardPages).toBe(1);
    expect(work.requests).toHaveLength(areas);
    const bytes = work.requests.map(({ content }) => (content.type === 'nothing' ? 0 : content.bytes));
    expect(bytes.reduce((a, b) => a + b)).toBe(mapped);
  });

  test('have the requested sizes, without guards', () => {
    const { requests } = of(textOf(X86_GUEST));
    expect(requests.find(({ kind }) => kind === 'sparse')).toMatchObject({
      bytes: 4295036928 - 4096,
      guard: true,
      content: { type: 'nothing' },
      unknownContent: false,
    });
    expect(requests.find(({ kind }) => kind === 'per-cpu')).toMatchObject({
      bytes: 2097152,
      guard: false,
      unknownContent: true,
    });
    expect(requests.find(({ bytes }) => bytes === 2 ** 28)).toMatchObject({
      kind: 'ioremap',
      content: { type: 'range', physical: 0xb0000000n, bytes: 2 ** 28 },
    });
  });

  test('have kernel image segments without a guard, except for the last', () => {
    const image = of(textOf(ARM64_4K_GUEST)).requests.filter(({ kind }) => kind === 'vmap');
    expect(image.map(({ guard }) => guard)).toEqual([false, false, false, false, true]);
    expect(image.map(({ bytes }) => bytes)).toEqual([13565952, 9830400, 917504, 5701632, 3543040 - 4096]);
  });
});

describe('page size and guard of the source', () => {
  test.each<[string, string, number | undefined, Partial<Workload>]>([
    [
      '4K',
      lines('8192 pages=1 vmalloc'),
      undefined,
      { pageBytes: 4096, guardPages: 1, pageBytesFrom: 'lines' },
    ],
    ['16K', lines('32768 pages=1 vmalloc'), undefined, { pageBytes: 16384, guardPages: 1 }],
    ['64K', lines('131072 pages=1 vmalloc'), undefined, { pageBytes: 65536, guardPages: 1 }],
    [
      'a guard of 17 pages',
      lines('73728 pages=1 vmalloc', '86016 pages=4 vmalloc'),
      undefined,
      { pageBytes: 4096, guardPages: 17 },
    ],
    [
      'no guard',
      lines('4096 pages=1 vmalloc', '16384 pages=4 vmalloc'),
      undefined,
      { pageBytes: 4096, guardPages: 0 },
    ],
    [
      'the majority',
      lines('32768 pages=1 vmalloc', '32768 pages=1 vmalloc', '81920 pages=3 vmalloc'),
      undefined,
      { pageBytes: 16384 },
    ],
    [
      'nothing tells',
      lines('20480 vmap'),
      undefined,
      { pageBytes: 4096, pageBytesFrom: 'default', guardPages: 1 },
    ],
    [
      'the option wins',
      lines('65536 vmap', '32768 pages=1 vmalloc'),
      16384,
      { pageBytes: 16384, pageBytesFrom: 'option' },
    ],
  ])('%s', (_, text, option, expected) => {
    expect(of(text, option)).toMatchObject(expected);
  });

  test('must agree with each line; the message names the line and the option', () => {
    expect(() => of(lines('8192 pages=1 vmalloc', '4096 vmap'), 65536)).toThrow(
      'EINVAL: f:1: pages=1 of 65536 bytes exceed the size 8192; pageSize 65536 cannot be',
    );
    expect(() => of(lines('32768 pages=1 vmalloc', '20480 vmap'))).toThrow(
      /^EINVAL: f:2: size 20480 .*; pass pageSize/,
    );
  });
});

describe('the contents of an area', () => {
  const frames = (bytes: number) => ({ type: 'frames', bytes });
  test.each<[string, string, object]>([
    [
      'vmalloc',
      '20480 pages=4 vmalloc',
      { kind: 'vmalloc', bytes: 16384, guard: true, content: frames(16384) },
    ],
    [
      'shrunk by vrealloc',
      '20480 pages=2 vmalloc',
      { kind: 'vmalloc', bytes: 16384, guard: true, content: frames(8192) },
    ],
    [
      'without a guard',
      '16384 pages=4 vmalloc',
      { kind: 'vmalloc', bytes: 16384, guard: false, content: frames(16384) },
    ],
    ['vmap', '20480 vmap', { kind: 'vmap', bytes: 16384, content: frames(16384) }],
    [
      'vmap that owns its pages',
      '20480 pages=3 vmap',
      { kind: 'vmap', bytes: 16384, content: frames(12288) },
    ],
    ['dma', '20480 dma-coherent', { kind: 'dma-coherent', bytes: 16384, content: frames(16384) }],
    [
      'ioremap',
      '8192 phys=0xfed00000 ioremap',
      { kind: 'ioremap', bytes: 4096, content: { type: 'range', physical: 0xfed00000n, bytes: 4096 } },
    ],
    [
      'ioremap of who knows what',
      '8192 ioremap',
      { kind: 'ioremap', content: { type: 'nothing' }, unknownContent: true },
    ],
    ['sparse', '8192 sparse', { kind: 'sparse', content: { type: 'nothing' }, unknownContent: false }],
    [
      'vm_map_ram',
      '262144 vm_map_ram',
      { kind: 'vm_map_ram', bytes: 262144, guard: false, unknownContent: true },
    ],
    [
      'per-cpu',
      '32768 pcpu_get_vm_areas+0x0/0x10 vmalloc',
      { kind: 'per-cpu', bytes: 32768, guard: false, unknownContent: true },
    ],
    ['no kind at all', '8192 foo+0x1/0x2', { kind: 'other', bytes: 4096, unknownContent: true }],
  ])('%s', (_, rest, expected) => {
    expect(only(lines(rest), 4096)).toMatchObject(expected);
  });

  test('are counted for skipped lines too', () => {
    const work = of(
      lines('8192 unpurged vm_area', '8192 a+0x1/0x2 shiny vmalloc', '8192 b shiny new vmap'),
      4096,
    );
    expect(work.unpurged).toBe(1);
    expect(work.requests).toHaveLength(2);
    expect([...work.unknownWords]).toEqual([
      ['shiny', 2],
      ['new', 1],
    ]);
    expect(work.hashed).toBe(3);
  });
});

describe('a size that exceeds all windows', () => {
  test.each(['18446744073709547520 sparse', '1152921504606846976 pages=3 vmalloc'])(
    'is refused: %s',
    (rest) => {
      expect(() => of(lines('8192 pages=1 vmalloc', rest))).toThrow(
        /^EINVAL: f:2: size \d+ exceeds every address window/,
      );
    },
  );
});
