import * as fs from 'node:fs';
import { arm64 } from '@vmarea/arm64';
import { hex, listLeaves } from '@vmarea/core';
import { fileSource, findProcesses, findRoots, openImage } from '@vmarea/image';
import { riscv64 } from '@vmarea/riscv64';
import { x8664 } from '@vmarea/x86-64';
import { x8664La57 } from '@vmarea/x86-64-la57';

// A dump as it is: here a kdump of riscv64, packed by zstd. Nothing reads it whole.
const file = process.env.DUMP ?? 'vmcore';
const image = openImage(fileSource(fs.openSync(file, 'r'), fs));
console.log(image.container.kind, image.vmcoreinfo?.value('OSRELEASE')); // kdump 6.12.117+deb13-riscv64

// Its kernel's root. The caller brings the formats.
const formats = { 'x86-64': x8664, 'x86-64-la57': x8664La57, arm64, riscv64 };
const { best, candidates } = findRoots(image, { formats });
if (best === null || best.table === null) throw new Error(candidates.map(({ whyNot }) => whyNot).join('\n'));
console.log(best.format, hex(best.root)); // riscv64 0x0000000081fcb000
console.log(best.checks.map(({ name }) => name).join(' ')); // shape text itself utsname
console.log(best.checks[1]?.found); // it maps _stext at 0xffffffff80002000 to 0x0000000080202000, executable

// What it maps, and who else is there.
const [first] = listLeaves(best.table);
console.log(first && hex(first.va), first?.kind); // 0xffffffc4fec00000 leaves
console.log(findProcesses(image, best)?.length); // 4
