import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { formatVmallocinfo, parseVmallocinfo } from '../../src/area/vmallocinfo.js';
import { VmapAreas } from '../../src/area/vmap-areas.js';

const GUESTS = ['linux-6.1-arm64-4k', 'linux-6.12-arm64-16k', 'linux-6.12-x86-64'];

function textOf(guest: string): string {
  const file = new URL(`../../../fixtures/data/${guest}/vmallocinfo.txt.gz`, import.meta.url);
  return gunzipSync(readFileSync(file)).toString('utf8');
}

describe('/proc/vmallocinfo of a real kernel', () => {
  it.each(GUESTS)('%s: read and written again, it is the same bytes', (guest) => {
    const text = textOf(guest);
    const lines = parseVmallocinfo(text).flatMap((line) => (line === null ? [] : [line]));
    expect(lines.length).toBeGreaterThan(70);
    expect(formatVmallocinfo(lines)).toBe(text);
  });

  it('every part of a line is read', () => {
    const line =
      '0xffffc90000161000-0xffffc90000164000   12288 zcomp_cpu_up_prepare+0x66/0xa0 [zram 0123abcd] pages=2 ' +
      'phys=0x00000000fed00000 ioremap sparse vmalloc vmap user dma-coherent vpages N0=1 N2=1';
    expect(parseVmallocinfo(line)).toEqual([
      {
        type: 'area',
        start: 0xffffc90000161000n,
        end: 0xffffc90000164000n,
        info: {
          caller: 'zcomp_cpu_up_prepare+0x66/0xa0 [zram 0123abcd]',
          pages: 2,
          phys: 0xfed00000n,
          words: ['ioremap', 'sparse', 'vmalloc', 'vmap', 'user', 'dma-coherent'],
          vpages: true,
          nodes: [
            { node: 0, pages: 1 },
            { node: 2, pages: 1 },
          ],
        },
      },
    ]);
    expect(formatVmallocinfo(parseVmallocinfo(line).flatMap((one) => one ?? []))).toBe(`${line}\n`);
  });

  it('what is no line, or has no addresses, is null', () => {
    expect(parseVmallocinfo('hello\n0x(____ptrval____)-0x(____ptrval____)    8192 x vmalloc\n\n')).toEqual([
      null,
      null,
    ]);
  });
});

describe('the text of areas', () => {
  it('goes node by node and by address, and then what waits', () => {
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
    // Sixteen pages on, another node.
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
});
