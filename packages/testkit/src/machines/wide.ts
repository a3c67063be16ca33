import { type Configuration, type Level, protection, type Shape, words } from '@vmarea/core';

const shape = (mask: bigint, value: bigint): Shape => ({
  match: { mask: words(mask), value: words(value) },
  rules: [],
});
const TABLE = shape(3n, 3n);
const BLOCK = shape(3n, 1n);

const level = (name: string, shift: number, bits: number, last = false): Level => ({
  name,
  shift,
  bits,
  table: last ? null : TABLE,
  leaf: last ? TABLE : shift < 40 ? BLOCK : null,
  run: null,
});

/**
 * An invented format with pages of 64 KiB, leaves of 512 MiB, three levels and a small root: everything that
 * an app could wrongly take from the usual 4 KiB.
 */
export const wide: Configuration = {
  name: 'wide-64k',
  title: 'an invented format with pages of 64 KiB',
  format: {
    name: 'wide-64k',
    pageShift: 16,
    paBits: 40,
    range: { bits: 48, upper: 'ones' },
    present: { mask: words(1n), value: words(1n) },
    levels: [level('PGD', 42, 6), level('PMD', 29, 13), level('PTE', 16, 13, true)],
    address: [{ entryBit: 16, paBit: 16, width: 24 }],
    tableEntry: words(3n),
    memoryTypes: ['normal', 'device'],
    controls: {},
    encode: (_, depth) => words(depth === 2 ? 3n : 1n),
    decode: () => protection(),
    change: (leaf) => leaf,
    relevel: (leaf) => leaf,
    needsBreak: () => false,
    permissions: () => {
      const all = { read: true, write: true, execute: true };
      return { kernel: all, user: all };
    },
    check: () => null,
    touch: (entry) => entry,
    faultCode: () => ({ name: 'none', code: 0 }),
  },
  linux: {
    name: 'Linux on an invented machine',
    formats: ['wide-64k'],
    window: { start: 0xffff800080000000n, end: 0xffff900000000000n },
    guardBytes: 65536,
    ioremapMaxOrder: 29,
    leaves: { vmalloc: [16, 29], vmap: [16], ioremap: [16, 29] },
    protections: {
      PAGE_KERNEL: protection({ write: true }),
      PAGE_KERNEL_RO: protection(),
      PAGE_KERNEL_ROX: protection({ execute: true }),
      PAGE_KERNEL_EXEC: protection({ write: true, execute: true }),
      IOREMAP: protection({ write: true, memory: 'device' }),
      IOREMAP_WC: protection({ write: true, memory: 'device' }),
    },
  },
};
