import { expect, test } from 'vitest';
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
