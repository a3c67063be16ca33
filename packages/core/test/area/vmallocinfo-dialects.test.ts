import { describe, expect, test } from 'vitest';
import { parseVmallocinfo } from '../../src/area/parse-vmallocinfo.js';
import { formatVmallocinfo } from '../../src/area/vmallocinfo.js';
import type { VmallocinfoLine } from '../../src/area/vmallocinfo-line.js';

/** Texts in the forms of different kernels and tools. Names and numbers are invented. */
const TEXTS = {
  'Linux 2.6.25, before callers': `\
0xffffc20000000000-0xffffc20000801000 8392704 pages=2048 vmalloc vpages
0xffffc20000801000-0xffffc20000806000   20480 pages=4 vmalloc
0xffffc20000c0a000-0xffffc20000c0c000    8192 phys=cff68000 ioremap
`,
  'Linux 2.6.32 on several nodes': `\
0xffffc90000000000-0xffffc90000201000 2101248 big_hash_init+0x171/0x239 pages=512 vmalloc N0=128 N1=384
0xffffc90000302000-0xffffc90000304000    8192 table_map+0xea/0x142 phys=fed00000 ioremap
0xffffc90000304000-0xffffc90000306000    8192 vdso_init+0x112/0x210
0xffffc90000c38000-0xffffc90000c3a000    8192 usb_probe+0x139/0x295 [usbcore] phys=d8e00000 ioremap
0xffffc90000c61000-0xffffc90000c6a000   36864 buf_map+0x8e/0xc0 vmap
0xffffffffa0000000-0xffffffffa0022000  139264 module_alloc+0x4f/0x55 pages=33 vmalloc N0=33
`,
  'Linux 3.x on 32-bit ARM, with a tree’s own word': `\
0xbf000000-0xbf003000   12288 load+0x6c/0x74 pages=2 vmalloc
0xd3afa000-0xd3afe000   16384 0xbf1a51b0 phys=20000000 ioremap
0xfe001000-0xfe002000    4096 iotable_init+0x0/0xb4 phys=20001000 ioremap
0xfee00000-0xff000000 2097152 pci_reserve_io+0x0/0x30 ioremap
0xc0100000-0xc0180000  524288 early_map+0x10/0x20 phys=80100000 ioremap lowmem
`,
  'Linux 4.4': `\
0xffffa11640000000-0xffffa11641001000 16781312 big_hash_init+0x188/0x25c pages=4096 vmalloc vpages N0=4096
0xffffa11641892000-0xffffa11641894000    8192 table_map+0xfd/0x155 phys=bffe0000 ioremap
0xffffa1164189a000-0xffffa1164189c000    8192 remap+0xc8/0x1b0 phys=f0000 ioremap
0xffffe8ffffc00000-0xffffe8ffffe00000 2097152 pcpu_get_vm_areas+0x0/0x1100 vmalloc
0xffffa11641900000-0xffffa11641b01000 2101248 unpurged vm_area
0xffffa11641c00000-0xffffa11641d00000 1048576 vm_map_ram
`,
  'Linux 4.19 for a reader without rights': `\
0x0000000000000000-0x0000000000000000   69632 of_iomap+0x78/0xb0 phys=0x0000000017a00000 ioremap
0x0000000000000000-0x0000000000000000   12288 blob_create+0x44/0xec pages=2 vmalloc
0x0000000000000000-0x0000000000000000    8192 log_init+0xf8/0x4f0 [wlan] pages=1 vmalloc
`,
  'Linux 5.x with hashed addresses': `\
0x0000000062eb7a11-0x000000005408af10 134221824 big_hash_init+0x1df/0x2f0 pages=32768 vmalloc vpages N0=16384 N1=16384
0x0000000078a06f28-0x000000009479c60e 2367488 remap+0xdf/0x200 phys=0x0000000061380000 ioremap
0x(____ptrval____)-0x(____ptrval____)    8192 fill+0xc0c/0x2c0c [zfs] pages=1 vmalloc
`,
  'Linux 5.x on 32-bit PowerPC, before hashes are ready': `\
0x(ptrval)-0x(ptrval)    8192 load+0xc0c/0x2c0c pages=1 vmalloc
0x(ptrval)-0x(ptrval)   12288 start_kernel+0x4e0/0x690 pages=2 vmalloc
`,
  'Linux 6.6 on 32-bit ARM': `\
0xf1000000-0xf1002000    8192 text_up+0x20/0x190
0xf4500000-0xf4cea000 8298496 ioremap_it+0x124/0x198 phys=0xa0040000 ioremap
0xf50c6000-0xf5110000  303104 pcpu_get_vm_areas+0x0/0x182c vmalloc
0xf1068000-0xf106d000   20480 unpurged vm_area
`,
  'Linux 6.12': `\
0xffffc90000000000-0xffffc90000005000   20480 fork_it.isra.0+0xab/0x3b0 pages=4 vmalloc N0=4
0xffff800080000000-0xffff800080010000   65536 pool_expand+0x64/0x1a8 dma-coherent
0xffffc90040000000-0xffffc90140012000 4295041024 arena_alloc+0x9c/0x250 sparse user
0xffffc90000161000-0xffffc90000164000   12288 cpu_up+0x66/0xa0 [zram 0123456789abcdef0123] pages=2 vmalloc N0=2
`,
  'drgn’s vmallocinfo.py': `\
0xffffc90000000000-0xffffc90000005000      20480 start_kernel pages=4 vmalloc
0xffffc90000009000-0xffffc9000000b000       8192 memremap phys=0xf0000 ioremap
0xffffc9000000c000-0xffffc9000000e000       8192 0xffffffffc0a0b0c1 pages=1 vmalloc
0xffffe8ffffc00000-0xffffe8ffffe00000    2097152 pcpu_get_vm_areas vmalloc
0xffffc90000010000-0xffffc90000110000    1048576 vm_map_ram
0xffffc90000200000-0xffffc90000205000      20480 vmap vmap
0xffffc90000300000-0xffffc90000302000       8192 ioremap phys=0xfed00000 ioremap
`,
} as const;

const ROWS = Object.entries(TEXTS);

describe('The text of', () => {
  test.each(ROWS)('%s comes back byte for byte', (_, text) => {
    const lines = parseVmallocinfo(text);
    expect(lines).toHaveLength(text.split('\n').length - 1);
    expect(formatVmallocinfo(lines)).toBe(text);
  });

  test.each(ROWS)('%s comes back with CR LF', (_, text) => {
    const dos = text.replaceAll('\n', '\r\n');
    expect(formatVmallocinfo(parseVmallocinfo(dos))).toBe(dos);
    expect(parseVmallocinfo(dos).map(({ info }) => info)).toEqual(
      parseVmallocinfo(text).map(({ info }) => info),
    );
  });

  test.each(ROWS)('%s says the same in the form of Linux 6.12', (_, text) => {
    const lines = parseVmallocinfo(text).map((line) => ({ ...line, text: undefined }));
    const again = parseVmallocinfo(formatVmallocinfo(lines));
    expect(again.map(({ bytes, start, type, info }) => ({ bytes, start, type, info }))).toEqual(
      lines.map(({ bytes, start, type, info }) => ({ bytes, start, type, info })),
    );
  });

  test.each(ROWS.filter(([name]) => !name.includes('own word')))('%s has no unknown word', (_, text) => {
    expect(parseVmallocinfo(text).flatMap(({ unknown }) => unknown)).toEqual([]);
  });
});

describe('A line', () => {
  const parse = (line: string) => parseVmallocinfo(line)[0];
  const infos = (name: keyof typeof TEXTS) => parseVmallocinfo(TEXTS[name]).map(({ info }) => info);

  test('of Linux before 4.11 has a physical address without 0x', () => {
    expect(parse('0xffffc90000409000-0xffffc9000040b000 8192 f+0x1/0x2 phys=f0000 ioremap')?.info).toEqual({
      caller: 'f+0x1/0x2',
      phys: 0xf0000n,
      words: ['ioremap'],
    });
    expect(infos('Linux 2.6.32 on several nodes').map(({ phys }) => phys)).toEqual([
      undefined,
      0xfed00000n,
      undefined,
      0xd8e00000n,
      undefined,
      undefined,
    ]);
  });

  test('without a caller has its pages and its physical address', () => {
    expect(infos('Linux 2.6.25, before callers')).toEqual([
      { pages: 2048, words: ['vmalloc'], vpages: true },
      { pages: 4, words: ['vmalloc'] },
      { phys: 0xcff68000n, words: ['ioremap'] },
    ]);
  });

  test('of drgn has a caller without offset', () => {
    expect(infos('drgn’s vmallocinfo.py')).toEqual([
      { caller: 'start_kernel', pages: 4, words: ['vmalloc'] },
      { caller: 'memremap', phys: 0xf0000n, words: ['ioremap'] },
      { caller: '0xffffffffc0a0b0c1', pages: 1, words: ['vmalloc'] },
      { caller: 'pcpu_get_vm_areas', words: ['vmalloc'] },
      { isRam: true },
      { caller: 'vmap', words: ['vmap'] },
      { caller: 'ioremap', phys: 0xfed00000n, words: ['ioremap'] },
    ]);
  });

  test('with a word of one tree only keeps it as unknown', () => {
    const last = parseVmallocinfo(TEXTS['Linux 3.x on 32-bit ARM, with a tree’s own word'])[4];
    expect(last?.unknown).toEqual(['lowmem']);
    expect(last?.info).toEqual({ caller: 'early_map+0x10/0x20', phys: 0x80100000n, words: ['ioremap'] });
  });

  test('keeps its spaces, its tabs, and the order of its words', () => {
    const line = '0x1000-0x3000\t8192  user   foo=1 vmalloc  f+0x1/0x2 \n';
    expect(formatVmallocinfo(parseVmallocinfo(line))).toBe(line);
  });

  test('that was changed is printed from its members', () => {
    const line = parse('0xffffc90000409000-0xffffc9000040b000 8192 f+0x1/0x2 phys=f0000 ioremap');
    if (line === undefined) throw new Error('no line');
    const moved = { ...line, info: { ...line.info, phys: 0x100000n } };
    expect(formatVmallocinfo([moved])).toBe(
      '0xffffc90000409000-0xffffc9000040b000    8192 f+0x1/0x2 phys=0x0000000000100000 ioremap\n',
    );
  });

  test('has at most one printed line, whatever its text holds', () => {
    const line: VmallocinfoLine = { type: 'unpurged', start: 0x1000n, end: 0x3000n, bytes: 8192n, info: {} };
    const right = '0x0000000000001000-0x0000000000003000    8192 unpurged vm_area\n';
    for (const text of ['', 'nonsense', `${right}0x1000-0x3000 8192 f+0x1/0x2 vmap`, right])
      expect(formatVmallocinfo([{ ...line, text }])).toBe(right);
  });
});
