import { configurations as arm64 } from '@vmarea/arm64';
import { compareLayout, pageSizeText } from '@vmarea/compare';
import { configurations as x8664 } from '@vmarea/x86-64';

// A few lines of /proc/vmallocinfo. A real one has hundreds; hidden addresses are fine.
const text = `\
0xffffc90000000000-0xffffc90000005000   20480 dup_task_struct+0x57/0x460 pages=4 vmalloc
0xffffc90000005000-0xffffc90000007000    8192 hpet_enable+0x36/0x4a0 phys=0x00000000fed00000 ioremap
0xffffc90000008000-0xffffc9000000d000   20480 dup_task_struct+0x57/0x460 pages=4 vmalloc
0xffffc90000200000-0xffffc90000601000 4198400 alloc_large_system_hash+0x20e/0x2d0 pages=1024 vmalloc
`;

// The caller brings the formats: what the format packages export as `configurations`.
const names = ['x86-64', 'arm64-4k-48', 'arm64-64k-48'];
const formats = [...x8664, ...arm64].filter(({ name }) => names.includes(name));
const result = await compareLayout(text, { formats, policies: ['huge'] });

const rows = result.rows.map(({ configuration, tables, leaves, walk, rounding }) => {
  const sizes = leaves.map(({ bytes, count }) => `${count}×${bytes / 1024}K`).join(' ');
  return `${configuration}: ${tables.bytes / 1024} KiB, ${sizes}, ${walk.entriesMax} entries, ${rounding.bytes} bytes lost`;
});
console.log(rows.join('\n'));
// x86-64: 16 KiB, 9×4K 2×2048K, 4 entries, 0 bytes lost
// arm64-4k-48: 16 KiB, 9×4K 2×2048K, 4 entries, 0 bytes lost
// arm64-64k-48: 192 KiB, 67×64K, 3 entries, 98304 bytes lost

// What each caller costs there, and where each area is.
const [first] = result.rows;
console.log(first?.callers.map(({ caller, tableBytes }) => `${caller} ${tableBytes}`).join(', '));
// alloc_large_system_hash 12180, dup_task_struct 3736, hpet_enable 468
console.log(first?.places.map(({ kind, address }) => `${kind} ${address.toString(16)}`).join('\n'));
// vmalloc ffffc90000000000
// ioremap ffffc90000005000
// vmalloc ffffc90000007000
// vmalloc ffffc90000200000

// What would change with other page sizes.
console.log(pageSizeText(result).split(': ').join(':\n'));
// On 64K pages (arm64-64k-48), these areas take 272 KiB more memory than on 4K pages (arm64-4k-48):
// 96 KiB more for sizes that are rounded up, 176 KiB more for page tables. A walk reads 3.00 entries instead of 3.01.
