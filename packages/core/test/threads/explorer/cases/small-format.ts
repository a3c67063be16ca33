import type { LinuxPolicy, Match, PageTableFormat, Words } from '../../../../src/index.js';
import { protection, words } from '../../../../src/index.js';

const P = 1n;
const W = 2n;
/** Marks a table. */
const T = 4n;
const A = 8n;
const FLAGS = P | W | T | A;

const match = (mask: bigint, value: bigint): Match => ({ mask: words(mask), value: words(value) });

/**
 * Two levels of tables of eight entries, in frames of 64 bytes. A new table is zeroed entry by entry, and each is a
 * step: with 512 entries an execution would be a hundred times as long, and show nothing more.
 */
export const small: PageTableFormat = {
  name: 'small',
  pageShift: 6,
  paBits: 16,
  range: { bits: 12, upper: 'zeros' },
  present: match(P, P),
  levels: [
    {
      name: 'PMD',
      shift: 9,
      bits: 3,
      table: { match: match(P | T, P | T), rules: [] },
      leaf: null,
      run: null,
    },
    { name: 'PTE', shift: 6, bits: 3, table: null, leaf: { match: match(P | T, P), rules: [] }, run: null },
  ],
  address: [{ entryBit: 6, paBit: 6, width: 10 }],
  tableEntry: words(P | W | T),
  memoryTypes: ['normal'],
  controls: {},
  encode: ({ write, accessed }) => words(P | (write ? W : 0n) | (accessed ? A : 0n)),
  decode: ({ lo }) => protection({ write: (lo & 2) !== 0, accessed: (lo & 8) !== 0 }),
  change: ({ lo, hi }, { write }) => ({ lo: (lo & ~2) | (write ? 2 : 0), hi }),
  relevel: ({ lo, hi }): Words => ({ lo, hi }),
  needsBreak: () => false,
  permissions(path) {
    const rights = { read: true, write: path.every(({ lo }) => (lo & 2) !== 0), execute: true };
    return { kernel: rights, user: rights };
  },
  check: () => null,
  touch: (entry) => entry,
  faultCode: () => ({ name: '#PF', code: Number(FLAGS) }),
};

const RW = protection({ write: true });

/** Linux's choices for it. */
export const smallLinux: LinuxPolicy = {
  name: 'small',
  formats: ['small'],
  window: { start: 0x400n, end: 0x800n },
  guardBytes: 64,
  ioremapMaxOrder: 6,
  leaves: { vmalloc: [6], vmap: [6], ioremap: [6] },
  protections: {
    PAGE_KERNEL: RW,
    PAGE_KERNEL_RO: protection({}),
    PAGE_KERNEL_ROX: protection({}),
    PAGE_KERNEL_EXEC: RW,
    IOREMAP: RW,
    IOREMAP_WC: RW,
  },
};

/** The same with processes: each has a root of its own, and user addresses are those below the window. */
export const smallProcesses: LinuxPolicy = {
  ...smallLinux,
  user: {
    formats: ['small'],
    taskSize: 0x400n,
    mapWindow: 0x400n,
    hintWidens: false,
    mmapBase: 0x400n,
    unmappedBase: 0x80n,
    minAddress: 0x40n,
    protections: Array.from({ length: 16 }, (_, bits) => protection({ write: (bits & 2) !== 0, user: true })),
    readableBy: 7,
  },
};
