import { configurations as arm64 } from '@vmarea/arm64';
import { type Configuration, FrameAllocator, PageTable, PhysicalMemory, protection } from '@vmarea/core';
import { configurations as x8664 } from '@vmarea/x86-64';

/** Registers of a processor that uses a root, as a dump's header names them. */
const REGISTERS: Readonly<Record<string, (root: bigint) => Readonly<Record<string, bigint>>>> = {
  // Paging, write protection, SMEP, SMAP.
  'x86-64': (root) => ({ cr0: 0x8005_0033n, cr3: root, cr4: 0x30_06f0n }),
  // T1SZ and T0SZ 16, pages of 64 KiB in both halves, physical addresses of 48 bits.
  'arm64-64k-48': (root) => ({
    ttbr1: root,
    tcr: (5n << 32n) | (3n << 30n) | (16n << 16n) | (1n << 14n) | 16n,
  }),
};
/** Physical address of the first table. */
const BASE = 1n << 30n;
/** What leaves allow, one after another: no range is longer than a leaf. */
const RIGHTS = [
  protection({ write: true }),
  protection(),
  protection({ execute: true }),
  protection({ write: true, execute: true }),
];

/**
 * A dump of a machine that has nothing but page tables, with as many leaves as are asked for. Frames of neighbours are apart and rights
 * differ, so each leaf is a range of its own.
 *
 * @param name - `x86-64`, with tables of 512 entries, or `arm64-64k-48`, with 8,192.
 */
export function manyLeaves(name: string, leaves: number): Uint8Array<ArrayBuffer> {
  const { format, linux } = [...x8664, ...arm64].find((one) => one.name === name) as Configuration;
  const { pageShift } = format;
  const page = 2 ** pageShift;
  // One frame for each table of the last level, and some above.
  const bytes = (Math.ceil((leaves * 8) / page) + 16) * page;
  const memory = PhysicalMemory.create({ bytes, base: BASE });
  const table = new PageTable({ format, memory, frames: new FrameAllocator(memory, { pageShift }) });
  const start = linux.window.start;
  for (let i = 0; i < leaves; i++) {
    const va = start + BigInt(i * page);
    const right = RIGHTS[i % RIGHTS.length] as (typeof RIGHTS)[number];
    table.mapWords(Number(va >> 32n), Number(va & 0xffff_ffffn), 2 ** 21 + 2 * i, right);
  }
  // As a direct map does, so that the root is believed.
  table.mapRange(
    format.range.upper === 'sign' ? -(1n << 47n) + (1n << 64n) : (1n << 64n) - (1n << 48n),
    BASE,
    1n << 29n,
    protection({ write: true }),
  );
  return ptimage(memory.bytesAt(BASE, bytes), pageShift, REGISTERS[name]?.(table.root) ?? {});
}

/** A PTIMAGE1 of frames that follow each other. */
function ptimage(
  bytes: Uint8Array,
  pageShift: number,
  registers: Readonly<Record<string, bigint>>,
): Uint8Array<ArrayBuffer> {
  const frames = bytes.length / 2 ** pageShift;
  const hex = Object.entries(registers).map(([name, value]) => [name, `0x${value.toString(16)}`]);
  const json = JSON.stringify({ pageShift, frames, registers: Object.fromEntries(hex) });
  const file = new Uint8Array(12 + json.length + 8 * frames + bytes.length);
  const view = new DataView(file.buffer);
  file.set(new TextEncoder().encode('PTIMAGE1'));
  view.setUint32(8, json.length, true);
  file.set(new TextEncoder().encode(json), 12);
  for (let i = 0; i < frames; i++)
    view.setBigUint64(12 + json.length + 8 * i, BASE + BigInt(i * 2 ** pageShift), true);
  file.set(bytes, file.length - bytes.length);
  return file;
}
