import { bytesSource, openImage } from '../../src/index.js';
import { dumpOf } from '../support/dumps.js';
import { pagesOf } from '../support/same-memory.js';
import type { TestPage } from '../support/writers/bytes.js';
import { elfOf } from '../support/writers/elf.js';
import { kdumpOf } from '../support/writers/kdump.js';
import { avmlOf, chunksOf, flattenedOf, limeOf, ptimageOf } from '../support/writers/others.js';
import type { FuzzBase } from './fuzz.js';

/** A file of each container and each compression: of riscv64, whose tables are the fewest. */
export function fuzzBases(): FuzzBase[] {
  const zstd = dumpOf('riscv64-sv39', 'zstd');
  const image = openImage(bytesSource(zstd));
  const note = { name: 'VMCOREINFO', type: 0, data: image.notes.at(-1)?.data ?? new Uint8Array() };
  // Half of the pages are tables without entries.
  const pages = pagesOf(image).filter(({ bytes }, i) => i % 8 === 0 || bytes.some((byte) => byte !== 0));
  const few = pages.slice(0, 48) as TestPage[];
  const elf = elfOf(pages, {
    notes: [note],
    machine: 243,
    gap: 12,
    leftOut: [{ address: 2 ** 32, bytes: 8192 }],
  });
  const kdump = kdumpOf(pages, { vmcoreinfo: note.data });
  return [
    { name: 'elf', file: elf, head: 8192 },
    {
      name: 'elf with PN_XNUM',
      file: elfOf(few, { notes: [note], extended: true, twice: true }),
      head: 8192,
    },
    { name: 'kdump, zlib', file: kdump, head: 28672 },
    { name: 'kdump, zstd', file: zstd, head: 40960 },
    { name: 'kdump, snappy', file: dumpOf('x86-4level', 'snappy'), head: 40960 },
    { name: 'kdump, LZO', file: dumpOf('arm64-4k', 'lzo'), head: 280000 },
    { name: 'kdump, version 3', file: kdumpOf(few, { version: 3, vmcoreinfo: note.data }), head: 28672 },
    { name: 'kdump, a part', file: kdumpOf(few, { part: { first: 0, end: 2 ** 20 } }), head: 28672 },
    { name: 'flattened', file: flattenedOf(chunksOf(kdump, 4099)), head: 40960 },
    { name: 'flattened, shuffled', file: flattenedOf(chunksOf(elf, 3001).reverse()), head: 40960 },
    { name: 'LiME', file: limeOf(pages), head: 64 },
    { name: 'AVML', file: avmlOf(pages), head: 4096 },
    { name: 'PTIMAGE1', file: ptimageOf(few, { registers: { satp: '0x80002000000830da' } }), head: 1024 },
    { name: 'raw', file: limeOf(few), head: 64, map: [{ address: 0x8000_0000n }] },
  ];
}
