import { Bytes, rangesOf, type TestPage } from './bytes.js';

interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly data: Uint8Array;
}

/** How an ELF core is written. */
export interface ElfOptions {
  readonly machine?: number;
  /** e_phnum is PN_XNUM, the count is in section 0. */
  readonly extended?: boolean;
  /** Bytes between the headers and the first data: QEMU aligns nothing. */
  readonly gap?: number;
  readonly notes?: readonly ElfNote[];
  /** Ranges that have p_filesz 0, as makedumpfile -E writes what it leaves out. */
  readonly leftOut?: readonly { readonly address: number; readonly bytes: number }[];
  /** Segments are written twice, the second time at another virtual address, as QEMU's -p does. */
  readonly twice?: boolean;
}

/** An ELF core of pages. */
export function elfOf(pages: readonly TestPage[], o: ElfOptions = {}): Uint8Array {
  const { machine = 62, extended = false, gap = 4, notes = [], leftOut = [], twice = false } = o;
  const ranges = rangesOf(pages);
  const note = new Bytes();
  for (const { name, type, data } of notes) {
    note.u32(name.length + 1, data.length, type).text(name, 4 * Math.ceil((name.length + 1) / 4));
    note.add(data).zeros((4 - (data.length % 4)) % 4);
  }
  const loads = ranges.length * (twice ? 2 : 1) + leftOut.length;
  const count = loads + 1;
  const first = 64 + (extended ? 64 : 0);
  let at = first + 56 * count + gap;
  const file = new Bytes()
    .text('\x7fELF')
    .u8(2, 1, 1)
    .zeros(9)
    .u16(4, machine)
    .u32(1)
    .u64(0, first, extended ? 64 : 0)
    .u32(0)
    .u16(8, 56, extended ? 0xffff : count, 64, extended ? 1 : 0, 0);
  if (extended) file.zeros(44).u32(count).zeros(16);
  file.u32(4, 0).u64(at, 0, 0, note.length, note.length, 0);
  at += note.length;
  const places = ranges.map(({ bytes }) => {
    at += bytes.length;
    return at - bytes.length;
  });
  for (let round = 0; round < (twice ? 2 : 1); round++) {
    ranges.forEach(({ address, bytes }, i) => {
      file.u32(1, 0).u64(places[i] as number, round * 4096, address, bytes.length, bytes.length, 0);
    });
  }
  for (const { address, bytes } of leftOut) file.u32(1, 0).u64(0, 0, address, 0, bytes, 0);
  file.zeros(gap).add(note.done());
  for (const { bytes } of ranges) file.add(bytes);
  return file.done();
}
