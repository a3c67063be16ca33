import { thrown } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { parseVmallocinfo } from '../../src/area/parse-vmallocinfo.js';
import { formatVmallocinfo } from '../../src/area/vmallocinfo.js';
import { VmapAreas } from '../../src/area/vmap-areas.js';

test('vmallocinfo lists areas node by node and by address, then the ranges that wait for a purge', () => {
  const areas = new VmapAreas({
    window: { start: 0xffffc90000000000n, end: 0xffffe8ffffffffffn },
    pageShift: 12,
    guardBytes: 0x1000,
    cpus: 2,
  });
  const stack = {
    caller: 'kernel_clone+0xc2/0x430',
    pages: 4,
    words: ['vmalloc'],
    nodes: [{ node: 0, pages: 4 }],
  } as const;
  areas.reserve(0x4000, { info: stack });
  // Sixteen pages further begins another node.
  areas.reserve(0x100000, { align: 0x10000n, guardBytes: 0, info: { isRam: true } });
  areas.reserve(0x1000, { ioremap: true, info: { phys: 0xfed00000n, words: ['ioremap'] } });
  const gone = areas.reserve(0x2000, { cpu: 1 });
  areas.free(gone);
  expect(areas.vmallocinfo()).toBe(
    '0xffffc90000000000-0xffffc90000005000   20480 kernel_clone+0xc2/0x430 pages=4 vmalloc N0=4\n' +
      '0xffffc90000005000-0xffffc90000007000    8192 phys=0x00000000fed00000 ioremap\n' +
      '0xffffc90000010000-0xffffc90000110000 1048576 vm_map_ram\n' +
      '0xffffc90000007000-0xffffc9000000a000   12288 unpurged vm_area\n',
  );
});

/** Callers that would make another line, other words of their line, or a text that no line gives back. */
const FORGED = [
  'a\n0x0000000000001000-0x0000000000003000    8192 forged vmalloc',
  'a\r\nb',
  'a\u2028b',
  'a\u0000b',
  'a\u001b[2J',
  'a unpurged vm_area',
  'a pages=9',
  'pages=9',
  'phys=1',
  'N0=1',
  '[zram]',
  'a [zram',
  'a [zram] vmap',
  'a  [zram]',
  ' a',
  '',
  'a'.repeat(601),
];
const CALLERS = [
  'simulator',
  'fork+0x1f/0x40',
  'probe.isra.0+0x8/0x90 [zram]',
  'probe+0x8/0x90 [zram 0123abcd]',
  '0xffffffffc0a0b0c1',
  '<core::fmt::Formatter>::pad+0x1/0x2',
];

describe('A caller that would forge a line of vmallocinfo is refused by', () => {
  const options = { window: { start: 0xffffc90000000000n, end: 0xffffe8ffffffffffn }, pageShift: 12 };
  const early = { address: 0xffffffff80000000n, bytes: 0x200000n };

  test.each(FORGED)('VmapAreas: %j', (caller) => {
    const areas = new VmapAreas(options);
    const message = /^EINVAL: the caller is '.*; pass one word as %pS prints it/;
    expect(thrown(() => areas.reserve(0x1000, { info: { caller } }))).toMatch(message);
    expect(thrown(() => areas.reservePercpu([0], [0x1000], 0x1000n, () => ({ caller })))).toMatch(message);
    expect(thrown(() => new VmapAreas({ ...options, early: [{ ...early, info: { caller } }] }))).toMatch(
      message,
    );
    expect(areas.vmallocinfo()).toBe('');
  });

  test.each(FORGED)('formatVmallocinfo: %j', (caller) => {
    const line = { type: 'area', start: 0n, end: 0n, bytes: 8192n, info: { caller } } as const;
    expect(thrown(() => formatVmallocinfo([line]))).toMatch(/^EINVAL: the caller is '/);
  });

  test('vmallocinfo itself, when it was changed after the reservation', () => {
    const areas = new VmapAreas(options);
    const info = { caller: 'a' };
    areas.reserve(0x1000, { info });
    info.caller = 'a\nb';
    expect(thrown(() => areas.vmallocinfo())).toMatch(/^EINVAL: the caller is 'a\\u\{a\}b'/);
  });

  test.each(CALLERS)('nobody when it is one that %pS prints: %j', (caller) => {
    const areas = new VmapAreas(options);
    areas.reserve(0x1000, { info: { caller, words: ['vmalloc'] } });
    expect(parseVmallocinfo(areas.vmallocinfo()).map(({ info }) => info)).toEqual([
      { caller, words: ['vmalloc'] },
    ]);
  });

  test('VmapAreas with any other info than an object', () => {
    const areas = new VmapAreas(options);
    for (const info of [5, null, 'a+0x1/0x2', () => {}])
      expect(thrown(() => areas.reserve(0x1000, { info: info as never }))).toMatch(
        /^EINVAL: info is .*, expected an object$/,
      );
  });
});

describe('formatVmallocinfo refuses with EINVAL', () => {
  const line = { type: 'area', start: 0x1000n, end: 0x3000n, bytes: 8192n, info: {} };
  test.each([
    [undefined, 'lines is undefined'],
    [5, 'lines is 5'],
    [[5], 'lines[0] is 5'],
    [[line, null], 'lines[1] is null'],
    [[{ ...line, type: 'areas' }], "type of line 0 is 'areas'"],
    [[{ ...line, start: 4096 }], 'start of line 0 is 4096'],
    [[{ ...line, end: -1n }], 'end of line 0 is -1n'],
    [[{ ...line, bytes: '8192' }], "bytes of line 0 is '8192'"],
    [[{ ...line, bytes: null }], 'bytes of line 0 is null'],
    [[{ ...line, text: 5 }], 'text of line 0 is 5'],
    [[{ ...line, info: null }], 'info of line 0 is null'],
    [[{ ...line, info: { pages: '1\nforged' } }], 'info.pages of line 0 is '],
    [[{ ...line, info: { phys: 4096 } }], 'info.phys of line 0 is 4096'],
    [[{ ...line, info: { words: 'vmap' } }], "info.words of line 0 is 'vmap'"],
    [[{ ...line, info: { nodes: [{ node: 0, pages: '1\n' }] } }], 'pages of a node of line 0 is '],
    [[{ ...line, info: { nodes: [null] } }], 'info.nodes of line 0 is null'],
  ])('%o', (lines, message) => {
    expect(thrown(() => formatVmallocinfo(lines as never))).toContain(`EINVAL: ${message}`);
  });
});

test('formatVmallocinfo prints a line without a description, up to the end of 64 bits', () => {
  const end = 1n << 64n;
  const line = { type: 'area', start: end - 0x2000n, end, bytes: 0x2000n, info: {} } as const;
  expect(formatVmallocinfo([line])).toBe('0xffffffffffffe000-0x10000000000000000    8192\n');
});
