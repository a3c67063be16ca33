import * as fs from 'node:fs';
import { findMappings, hex, listLeaves } from '@vmarea/core';
import { fileSource, findProcesses, findRoots, openImage } from '@vmarea/image';
import { x8664 } from '@vmarea/x86-64';

// Nothing reads a dump whole. Bring the formats that it may have.
const image = openImage(fileSource(fs.openSync(process.env.DUMP ?? 'vmcore', 'r'), fs));
const { best } = findRoots(image, { formats: { 'x86-64': x8664 } });
if (best === null || best.table === null) throw new Error('no root is believed');
console.log(hex(best.root), best.checks.map(({ name }) => name).join(' ')); // 0x0000000002c22000 shape text itself utsname

// The roots of all processes, without symbols.
console.log((findProcesses(image, best) ?? []).map(({ root }) => hex(root)).join(' '));
// 0x000000000533c000 0x000000000537e000 0x000000000545e000 0x0000000005460000

// Who maps the first frame of the kernel's text? The direct map, and the text itself.
const owners = [...findMappings(best.table, { physical: 0x1000000n })];
console.log(owners.map(({ va }) => hex(va))); // [ '0xffff8d3f01000000', '0xffffffff93e00000' ]

// What may the kernel execute, in which pieces? `rights` is what all levels leave.
const sizes = new Map<number, number>();
for (const item of listLeaves(best.table)) {
  if (item.kind !== 'leaves' || !item.rights.execute) continue;
  const kib = 2 ** (item.leafShift - 10);
  sizes.set(kib, (sizes.get(kib) ?? 0) + item.count);
}
console.log([...sizes].map(([kib, count]) => `${count} of ${kib} KiB`).join(', ')); // 515 of 4 KiB, 8 of 2048 KiB
