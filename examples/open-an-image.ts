/**
 * Read the page tables of a stopped Linux guest: open an image, walk, translate, and list leaves.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import {
  describeEntry,
  findMappings,
  hex,
  PageTableReader,
  PhysicalMemory,
  parseVmallocinfo,
  sparseBank,
} from '@vmarea/core';
import { x8664FromRegisters } from '@vmarea/x86-64';

const GUEST = '../packages/testkit/data/linux-6.12-x86-64';
const unpacked = (name: string): Buffer =>
  gunzipSync(readFileSync(new URL(`${GUEST}/${name}`, import.meta.url)));

// The file has a header, the addresses of frames, and the frames. Any dump comes down to these two lists.
const file = new Uint8Array(unpacked('tables.ptimg.gz'));
const view = new DataView(file.buffer, file.byteOffset);
const addressesAt = 12 + view.getUint32(8, true);
const header = JSON.parse(new TextDecoder().decode(file.subarray(12, addressesAt)));
const addresses = BigUint64Array.from({ length: header.frames }, (_, frame) =>
  view.getBigUint64(addressesAt + 8 * frame, true),
);
const bytes = file.subarray(addressesAt + 8 * header.frames);
const memory = PhysicalMemory.of([sparseBank({ pageShift: header.pageShift, addresses, bytes })]);
console.log(header.frames, hex(addresses[0] ?? 0n)); // 165 0x0000000143548000

// Registers say which format it is. CR3 has the root of the process that ran; the kernel's own tables have another.
const { cr0, cr3, cr4, efer } = header.registers;
const cpu = x8664FromRegisters({ cr0: BigInt(cr0), cr3: BigInt(cr3), cr4: BigInt(cr4), efer: BigInt(efer) });
console.log(cpu.format.name, hex(cpu.root)); // x86-64 0x0000000144219000
const table = new PageTableReader({ format: cpu.format, memory, root: BigInt(header.roots.swapper) });

// The guest's /proc/vmallocinfo tells where its timer is. A walk reports every entry on the way and what it allows.
const areas = parseVmallocinfo(unpacked('vmallocinfo.txt.gz').toString());
const timer = areas.find(({ info }) => info.caller?.startsWith('hpet_enable'))?.start ?? 0n;
const { steps, leaf, permissions } = table.walk(timer);
console.log(steps.map(({ name, index, entry }) => `${name}[${index}] ${hex(entry)}`).join('\n'));
// PGD[410] 0x0000000148c11067
// PUD[406] 0x0000000148def067
// PMD[0] 0x0000000148df0067
// PTE[12] 0x80000000fed00073
console.log(leaf?.protection.memory, permissions?.kernel); // device { read: true, write: true, execute: false }

// A byte of the page, in physical memory.
console.log(hex(table.translate(timer + 0xf0n) ?? 0n)); // 0x00000000fed000f0

// The leaves of the area: one page, and no guard. Then all leaves that are larger than a page, under the kernel's root.
const leaves = [...table.leaves(timer, 8192, { complete: true })];
console.log(leaves.map(({ va, count, pa }) => `${hex(va)} ${count} ${hex(pa)}`)); // [ '0xffffcd658000c000 1 0x00000000fed00000' ]
const large = new Map<number, number>();
let missing = 0;
for (const item of table.leaves()) {
  // A table that the image lacks is an item, too.
  if (item.kind !== 'leaves') missing++;
  else if (item.leafShift > 12) large.set(item.leafShift, (large.get(item.leafShift) ?? 0) + item.count);
}
console.log([...large].map(([shift, count]) => `${count} of ${2 ** (shift - 20)} MiB`)); // [ '1700 of 2 MiB', '1 of 1024 MiB' ]
console.log(missing); // 0

// Who maps the page's frame: two areas. And what the manual calls the bits of its entry.
const found = [...findMappings(table, { physical: 0xfed00000n })];
console.log(found.map(({ va }) => hex(va))); // [ '0xffffcd658000c000', '0xffffcd6580035000' ]
const { entry, level } = table.walk(timer).steps[3] ?? { entry: 0n, level: 3 };
const set = describeEntry(table.format, entry, level).fields.filter(
  ({ value, paBit }) => value !== 0n && paBit === null,
);
console.log(set.map(({ name }) => name).join(' ')); // P R/W PCD A D XD
