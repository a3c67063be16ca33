import { describe, expect, test } from 'vitest';
import { bytesSource, type Image, openImage } from '../../src/index.js';
import { differences, dumpOf, SETS, type SetName, userLeavesOf, userTruthOf } from '../support/dumps.js';
import { digestOf, pagesOf } from '../support/same-memory.js';
import { rangesOf, type TestPage } from '../support/writers/bytes.js';
import { elfOf } from '../support/writers/elf.js';
import { kdumpOf } from '../support/writers/kdump.js';
import { avmlOf, chunksOf, flattenedOf, limeOf, ptimageOf } from '../support/writers/others.js';

type Pack = (pages: readonly TestPage[]) => Image;
const open = (...files: Uint8Array[]): Image => openImage(files.map(bytesSource));

/** Chunks of odd sizes in another order, and one that a later one overwrites. */
function shuffled(file: Uint8Array): Uint8Array {
  const chunks = chunksOf(file, 5003);
  const mixed = chunks.map((_, i) => chunks[(i * 7919) % chunks.length] ?? chunks[0]) as typeof chunks;
  const all = new Set(mixed).size === chunks.length ? mixed : chunks.reverse();
  return flattenedOf([{ offset: 100, bytes: new Uint8Array(9000).fill(0xee) }, ...all]);
}

const containers: Readonly<Record<string, Pack>> = {
  'an ELF core': (pages) => open(elfOf(pages)),
  'an ELF core at odd offsets': (pages) => open(elfOf(pages, { gap: 3 })),
  'an ELF core with PN_XNUM': (pages) => open(elfOf(pages, { extended: true })),
  'an ELF core whose segments overlap': (pages) => open(elfOf(pages, { twice: true })),
  'an ELF core of QEMU before long mode': (pages) => open(elfOf(pages, { machine: 3 })),
  'a kdump of version 1': (pages) => open(kdumpOf(pages, { version: 1 })),
  'a kdump of version 5': (pages) => open(kdumpOf(pages, { version: 5 })),
  'a kdump of version 6': (pages) => open(kdumpOf(pages)),
  'a split kdump': (pages) => {
    const [middle = 0] = [Math.floor((pages[Math.floor(pages.length / 2)]?.address ?? 0) / 4096)];
    const parts = [
      { first: middle, end: 2 ** 40 },
      { first: 0, end: middle },
    ];
    return open(...parts.map((part) => kdumpOf(pages, { part })));
  },
  'a flattened kdump': (pages) => open(flattenedOf(chunksOf(kdumpOf(pages), 16384))),
  'a flattened kdump whose chunks overlap': (pages) => open(shuffled(kdumpOf(pages))),
  'a flattened ELF core': (pages) => open(shuffled(elfOf(pages))),
  LiME: (pages) => open(limeOf(pages)),
  AVML: (pages) => open(avmlOf(pages)),
  PTIMAGE1: (pages) => open(ptimageOf(pages)),
  'raw memory': (pages) => {
    const ranges = rangesOf(pages);
    const map = ranges.map(({ address, bytes }, i) => ({
      ...{ address: BigInt(address), bytes: bytes.length },
      offset: ranges.slice(0, i).reduce((sum, range) => sum + range.bytes.length, 0),
    }));
    const file = new Uint8Array(ranges.reduce((sum, { bytes }) => sum + bytes.length, 0));
    ranges.forEach(({ bytes }, i) => void file.set(bytes, map[i]?.offset));
    return openImage(bytesSource(file), { map });
  },
};

const pages = new Map<SetName, TestPage[]>(
  SETS.map(({ name, codecs }) => [name, pagesOf(open(dumpOf(name, codecs[0] as string)))]),
);

describe.each(Object.entries(containers))('%s', (_, pack) => {
  test.each(SETS)('has the pages and leaves of $name', ({ name, roots }) => {
    const image = pack(pages.get(name) as TestPage[]);
    expect(digestOf(pagesOf(image))).toBe(digestOf(pages.get(name) as TestPage[]));
    for (const root of roots.filter((one) => one !== 'kernel'))
      expect(differences(userLeavesOf(name, root, image.memory), userTruthOf(name, root))).toEqual([]);
  });
});
