import {
  checkTables,
  diffTables,
  dumpTables,
  FrameAllocator,
  listLeaves,
  looksLike,
  PageTable,
  PageTableReader,
  PhysicalMemory,
  pathWalker,
  protection,
  type ReadableTable,
  translateMany,
  translationCursor,
  wasmLoops,
} from '@vmarea/core';
import { Mmu, walkRecord, walkSource } from '@vmarea/mmu';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { programOf, startThread, type Thread } from '../../packages/core/test/threads/worker.js';
import type { FlipTold } from './flip-worker.js';

/*
 * A thread stores other values into entries without a pause, each as one atomic; the values differ in both halves. Each reader must
 * see one of them, never half of one and half of another.
 */

const format = x8664();
const BYTES = 64 * 4096;
const MiB = 1n << 20n;
/** Eight pages whose entries change, and a PMD entry that is a table and a block in turn. */
const PAGES = 8;
const pages = 0n;
const block = 4n * MiB;
/** A table and a block of high frames. A mix of both names a table without bytes, or memory of nobody. */
const BLOCK_PFN = 0x1_2340_0000;
const IN_TABLE_PFN = 0x7;
const ONE = (i: number): number => 0x112345 + 2 * i;
const OTHER = (i: number): number => 0xabc_dec0_0000 / 0x10 + 0x6000 + 2 * i;
/** P, W, A, D; with NX the high half differs also where frames are below 2^20. */
const one = (i: number, bits: bigint): bigint => (BigInt(ONE(i)) << 12n) | bits;
const other = (i: number, bits: bigint): bigint => (BigInt(OTHER(i)) << 12n) | bits | (1n << 63n);
const READY = 0x63n;
const FRESH = 0x03n;

interface Stage {
  readonly memory: PhysicalMemory;
  readonly table: ReadableTable;
  readonly still: ReadableTable;
  readonly entries: FlipTold['entries'];
  readonly buffer: SharedArrayBuffer;
}

function bufferOf(memory: PhysicalMemory): SharedArrayBuffer {
  return memory.banks[0]?.words.buffer as unknown as SharedArrayBuffer;
}

/** Tables whose entries will change, in shared memory. @param bits - of the changing pages' entries. */
function stage(make: () => PhysicalMemory, isReader: boolean, bits: bigint): Stage {
  const memory = make();
  const frames = new FrameAllocator(memory, { frames: 32 });
  const made = new PageTable({ format, memory, frames });
  const write = protection({ write: true });
  for (let i = 0; i < PAGES; i++) made.map(pages + 4096n * BigInt(i), [ONE(i)], write);
  made.map(block, [IN_TABLE_PFN], write);
  const bank = memory.banks[0] as { words: Int32Array };
  const at = (address: bigint): number => bank.words.byteOffset / 8 + Number(address) / 8;
  const entries = Array.from({ length: PAGES }, (_, i) => ({
    at: at(made.walk(pages + 4096n * BigInt(i)).steps[3]?.address as bigint),
    values: i % 2 === 0 ? [one(i, bits), other(i, bits), 0n] : [other(i, bits), one(i, bits)],
  }));
  const { address, entry } = made.walk(block).steps[2] as { address: bigint; entry: bigint };
  const blockEntry = (BigInt(BLOCK_PFN) << 12n) | 0xe3n | (1n << 63n);
  entries.push({ at: at(address), values: [entry | 0x20n, blockEntry] });
  const buffer = bufferOf(memory);
  if (!isReader) return { memory, table: made, still: made, entries, buffer };
  // A reader of its own, without the loops that a PageTable gives a memory.
  const given = PhysicalMemory.over(buffer, { byteOffset: bank.words.byteOffset, bytes: BYTES });
  const table = new PageTableReader({ format, memory: given, root: made.root });
  return { memory: given, table, still: table, entries, buffer };
}

const twoBanks = (): PhysicalMemory =>
  PhysicalMemory.of([
    { bytes: BYTES, shared: true },
    { bytes: 4096, base: 1n << 32n },
  ]);

const memories: [string, boolean, () => PhysicalMemory][] = [
  [
    'a SharedArrayBuffer that is only read',
    true,
    () => PhysicalMemory.create({ bytes: BYTES, shared: true }),
  ],
  ['a SharedArrayBuffer', false, () => PhysicalMemory.create({ bytes: BYTES, shared: true })],
  [
    'a WebAssembly.Memory',
    false,
    () => PhysicalMemory.create({ bytes: BYTES, shared: true, loops: wasmLoops }),
  ],
  ['two banks', false, twoBanks],
];

const frameSets = Array.from(
  { length: PAGES },
  (_, i) => new Set([ONE(i), OTHER(i), ...(i % 2 === 0 ? [-1] : [])]),
);
const blockSet = new Set([IN_TABLE_PFN, BLOCK_PFN]);
/** Which frames an address may have. The last index is the block's. */
const allowed = (i: number): Set<number> => (i < PAGES ? (frameSets[i] as Set<number>) : blockSet);
const loOf = (i: number): number => (i < PAGES ? i * 4096 : Number(block));
const pfnOf = (pa: bigint | null | undefined): number =>
  pa === null || pa === undefined ? -1 : Number(pa >> 12n);
const leafOf = (va: bigint): number => (va >= block ? PAGES : Number(va >> 12n));

type Seen = (i: number, pfn: number) => void;
interface Reader {
  readonly reads: number;
  readonly make: (stage: Stage) => (i: number, seen: Seen) => void;
}
const FAST = 40_000;
const SLOW = 2_000;

/** Leaves of a list: what they map must be what their address may have. */
function list(items: Iterable<object>, seen: Seen): void {
  for (const item of items) {
    const run = item as { kind?: string; va: bigint; pfn: number; count: number };
    if (run.kind === 'missing') seen(leafOf(run.va), -3);
    else for (let k = 0; k < run.count; k++) seen(leafOf(run.va + 4096n * BigInt(k)), run.pfn + k);
  }
}

const range = { va: 0n, bytes: 6n * MiB };
const readers: Record<string, Reader> = {
  translateWords: {
    reads: FAST,
    make:
      ({ table }) =>
      (i, seen) =>
        seen(i, table.translateWords(0, loOf(i))),
  },
  translate: {
    reads: FAST,
    make:
      ({ table }) =>
      (i, seen) =>
        seen(i, pfnOf(table.translate(BigInt(loOf(i))))),
  },
  walk: {
    reads: FAST / 2,
    make:
      ({ table }) =>
      (i, seen) =>
        seen(i, pfnOf(table.walk(BigInt(loOf(i))).pa)),
  },
  translationCursor: {
    reads: FAST,
    make: ({ table }) => {
      const cursor = translationCursor(table);
      return (i, seen) => seen(i, cursor.translateWords(0, loOf(i)));
    },
  },
  translateMany: {
    reads: FAST / 64,
    make: ({ table }) => {
      const addresses = BigUint64Array.from({ length: 64 }, (_, k) => BigInt(loOf(k % (PAGES + 1))));
      const frames = new Float64Array(64);
      const shifts = new Uint8Array(64);
      return (i, seen) => {
        translateMany(table, addresses, frames, i % 2 === 0 ? shifts : undefined);
        for (const [k, pfn] of frames.entries()) seen(k % (PAGES + 1), pfn);
      };
    },
  },
  pathWalker: {
    reads: FAST,
    make: ({ table }) => {
      const walker = pathWalker(table);
      return (i, seen) => {
        walker.walk(0, loOf(i));
        seen(i, walker.pfn);
        walker.groupMask(8);
      };
    },
  },
  walkSource: {
    reads: FAST,
    make: ({ table }) => {
      const source = walkSource(table);
      const record = walkRecord();
      return (i, seen) => {
        source.walk(0, loOf(i), record);
        seen(i, record.pfn);
      };
    },
  },
  leaves: {
    reads: SLOW,
    make:
      ({ table }) =>
      (_, seen) =>
        list(table.leaves(0n, 6n * MiB), seen),
  },
  listLeaves: {
    reads: SLOW,
    make:
      ({ table }) =>
      (_, seen) =>
        list(listLeaves(table, range), seen),
  },
  dumpTables: {
    reads: SLOW,
    make:
      ({ table }) =>
      (i, seen) =>
        dumped(dumpTables(table, { ...range, tables: i % 2 === 0 }), seen),
  },
  diffTables: {
    reads: SLOW,
    make:
      ({ table, still }) =>
      (_, seen) => {
        for (const { here, there, va } of diffTables(table, still, range))
          for (const side of [here, there]) {
            // A difference may begin inside the block.
            const inside = va >= block ? Number((va - block) >> 12n) : 0;
            if (side !== null) seen(leafOf(va), pfnOf(side.pa) - inside);
          }
      },
  },
  looksLike: {
    reads: SLOW,
    make:
      ({ table }) =>
      (_, seen) => {
        const { reserved, missing } = looksLike(table);
        seen(PAGES, reserved + missing === 0 ? BLOCK_PFN : -3);
      },
  },
  checkTables: {
    reads: SLOW,
    make:
      ({ table }) =>
      (_, seen) => {
        // Whoever changes entries by hand is not counted: only the entries matter here.
        const wrong = checkTables(table).findings.filter(({ kind }) => kind !== 'live' && kind !== 'orphan');
        seen(PAGES, wrong.length === 0 ? BLOCK_PFN : -3);
      },
  },
  Mmu: {
    reads: FAST / 2,
    make: ({ memory, table }) => {
      const mmu = new Mmu({
        memory,
        tables: { format, root: table.root, controls: format.controls },
        invalidations: X8664_INVALIDATIONS,
      });
      return (i, seen) => {
        seen(i, mmu.translate(0, loOf(i), i % 2 === 0 ? 'read' : 'write', false));
        mmu.invalidate('INVLPG', BigInt(loOf(i)));
      };
    },
  },
};

/** Frames in a dump: the last address of each line of leaves. */
function dumped(text: string, seen: Seen): void {
  for (const [, va, pa] of text.matchAll(/^ *0x([0-9a-f]{16})-.* x (?:4K|2M) .*0x([0-9a-f]{16})/gm))
    seen(leafOf(BigInt(`0x${va}`)), pfnOf(BigInt(`0x${pa}`)));
}

describe.each(memories)('on %s', (_name, isReader, make) => {
  describe.each([
    ['that have all bits', READY],
    ['that hardware marks meanwhile', FRESH],
  ])('with entries %s', (_bits, bits) => {
    const one = stage(make, isReader, bits);
    const control = new Int32Array(new SharedArrayBuffer(8));
    let thread: Thread;
    beforeAll(() => {
      const { buffer, entries } = one;
      thread = startThread(programOf(new URL('./flip-worker.ts', import.meta.url)), {
        buffer,
        entries,
        control,
      });
    });
    afterAll(async () => {
      Atomics.store(control, 0, 1);
      expect(await thread.ended).toBe('done');
    });

    test.each(Object.entries(readers).filter(([name]) => bits === READY || name === 'Mmu'))(
      '%s never sees half an entry',
      async (_reader, { reads, make: makeReader }) => {
        // The thread runs.
        const before = Atomics.load(control, 1);
        while (Atomics.load(control, 1) === before) await new Promise((resolve) => setTimeout(resolve, 1));
        const read = makeReader(one);
        const mixed = new Map<string, number>();
        const met = new Set<number>();
        const seen: Seen = (i, pfn) => {
          met.add(pfn);
          if (allowed(i).has(pfn)) return;
          const what = `${i}: ${pfn.toString(16)}`;
          mixed.set(what, (mixed.get(what) ?? 0) + 1);
        };
        // On a busy machine the thread may stand still for a while. Then there is more to read.
        for (let round = 0; round === 0 || Atomics.load(control, 1) - before < 1000; round++)
          for (let n = 0; n < reads; n++) read(n % (PAGES + 1), seen);
        expect([...mixed].slice(0, 5)).toEqual([]);
        expect(met.size).toBeGreaterThan(0);
        // What a processor marked is whole, too.
        for (let i = 0; i < PAGES; i++) {
          const entry = new BigUint64Array(one.buffer)[one.entries[i]?.at as number] as bigint;
          const values = one.entries[i]?.values ?? [];
          expect(values.some((value) => (value & ~0x60n) === (entry & ~0x60n))).toBe(true);
        }
      },
    );
  });
});
