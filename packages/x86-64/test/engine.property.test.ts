import {
  collapseLeaves,
  FrameAllocator,
  hex,
  PageTable,
  PhysicalMemory,
  type Protection,
  protection,
  splitLeaves,
  wasmLoops,
} from '@vmarea/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { x8664 } from '../src/index.js';

/*
 * The engine's operations on x86-64 entries, read back by this file's own walk: SDM vol. 3A, Paging, "4-Level Paging and 5-Level
 * Paging", figure of the entries. This file has its own list of the bits that move between sizes (PAT, PS), the bits that a change
 * must keep (A, software bits) and the bit that it must clear (D with R/W).
 */

const P = 1n;
const RW = 1n << 1n;
const US = 1n << 2n;
const PWT = 1n << 3n;
const PCD = 1n << 4n;
const A = 1n << 5n;
const D = 1n << 6n;
const BIT7 = 1n << 7n;
const G = 1n << 8n;
const PAT_LARGE = 1n << 12n;
const NX = 1n << 63n;
const ADDRESS = 0x000f_ffff_ffff_f000n;
/** Bits 9, 10, 11 and 52 to 58: ignored by the processor. */
const SOFTWARE = (7n << 9n) | (0x7fn << 52n);

/** A page of the model: its frame, and its flags as in a 4 KiB entry. */
interface Page {
  pfn: bigint;
  flags: bigint;
}

/** All pages below a table. */
function* pagesBelow(
  memory: PhysicalMemory,
  table: bigint,
  depth: number,
  va: bigint,
): Generator<[bigint, Page]> {
  const shift = BigInt(12 + 9 * (depth - 1));
  for (let slot = 0n; slot < 512n; slot++) {
    const entry = memory.read64(table + 8n * slot);
    if ((entry & P) === 0n) continue;
    const start = va + (slot << shift);
    if (depth > 1 && (entry & BIT7) === 0n) {
      yield* pagesBelow(memory, entry & ADDRESS, depth - 1, start);
      continue;
    }
    let flags = entry & ~ADDRESS;
    if (depth > 1) flags = (flags & ~BIT7) | ((entry & PAT_LARGE) === 0n ? 0n : BIT7);
    const size = 1n << shift;
    const pa = entry & ADDRESS & ~(size - 1n);
    for (let inside = 0n; inside < size; inside += 4096n)
      yield [start + inside, { pfn: (pa + inside) >> 12n, flags }];
  }
}

/** PAT index of each type, in Linux's PAT: 0 WB, 1 WC, 2 UC-, 3 UC, 5 WP, 7 WT. */
const CACHING: Partial<Record<Protection['memory'], bigint>> = {
  normal: 0n,
  'write-combining': PWT,
  device: PCD,
  uncached: PCD | PWT,
  'write-protected': BIT7 | PWT,
  'write-through': BIT7 | PCD | PWT,
};

/** The flags of a protection, independent of the engine. */
function flagsOf(p: Protection): bigint {
  let flags = P | (CACHING[p.memory] as bigint);
  if (p.write) flags |= RW;
  if (p.user) flags |= US;
  if (p.accessed) flags |= A;
  if (p.dirty) flags |= D;
  if (p.global) flags |= G;
  if (!p.execute) flags |= NX;
  return flags | p.extra;
}

/** The flags after a change of some members. */
function changed(flags: bigint, fields: Partial<Protection>): bigint {
  const put = (bits: bigint, isOn: boolean | undefined): void => {
    if (isOn !== undefined) after = isOn ? after | bits : after & ~bits;
  };
  let after = flags;
  put(RW, fields.write);
  put(US, fields.user);
  put(G, fields.global);
  put(NX, fields.execute === undefined ? undefined : !fields.execute);
  if (fields.memory !== undefined) {
    after = (after & ~(PWT | PCD | BIT7)) | (CACHING[fields.memory] as bigint);
  }
  return (flags & RW) !== 0n && (after & RW) === 0n ? after & ~D : after;
}

const BASE = 0xffffc90000000000n;
const MiB = 1n << 20n;
/** Pages around the boundaries of 2 MiB and 1 GiB. */
const places = [0, 510, 512, 1024, 262_144 - 1, 262_144];

const protections: Protection[] = [
  protection({ write: true, global: true }),
  protection({ execute: true, memory: 'write-protected' }),
  protection({ write: true, user: true, memory: 'write-through', extra: SOFTWARE & 0x0150_0000_0000_0a00n }),
  protection({ memory: 'uncached', accessed: false }),
];
const changes: Partial<Protection>[] = [
  { write: false },
  { write: true },
  { memory: 'write-through' },
  { memory: 'normal', execute: true },
  { user: true, global: false },
  {},
];

const calls = fc.array(
  fc.record({
    kind: fc.constantFrom(
      'map',
      'block',
      'block',
      'unmap',
      'protect',
      'protect',
      'split',
      'collapse',
      'collapse',
      'software',
      'dirty',
    ),
    place: fc.nat(places.length - 1),
    offset: fc.integer({ min: -2, max: 2 }),
    pages: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom(512, 513, 1024)),
    which: fc.nat(5),
  }),
  { minLength: 2, maxLength: 16 },
);

test('every operation writes entries that agree with a plain model, read by the rules of the manual', () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(calls, (list) => {
      const memory = PhysicalMemory.create({ loops: wasmLoops, bytes: 64 * 4096 });
      const frames = new FrameAllocator(memory);
      const table = new PageTable({ format: x8664(), memory, frames });
      const model = new Map<bigint, Page>();
      for (const { kind, place, offset, pages, which } of list) {
        const isBlock = kind === 'block';
        const at = (places[place] as number) + (isBlock ? 0 : offset);
        if (at < 0) continue;
        const va = BASE + BigInt(isBlock ? at - (at % 512) : at) * 4096n;
        const bytes = isBlock ? 2n * MiB : BigInt(pages) * 4096n;
        const named = Array.from({ length: Number(bytes / 4096n) }, (_, i) => va + BigInt(i) * 4096n);
        const p = protections[which % protections.length] as Protection;
        let isDone = true;
        switch (kind) {
          case 'map':
          case 'block': {
            if (named.some((page) => model.has(page))) continue;
            // A frame at the same offset in its 2 MiB, so that pages can become blocks again.
            const pa = (va & 0x3fff_ffffn) + BigInt(which) * 0x4000_0000n;
            table.mapRange(va, pa, bytes, p, { maxLeafShift: isBlock ? 30 : 12 });
            for (const page of named) model.set(page, { pfn: (pa + (page - va)) >> 12n, flags: flagsOf(p) });
            break;
          }
          case 'unmap':
            table.unmap(va, bytes, { reclaim: which > 3 });
            for (const page of named) model.delete(page);
            break;
          case 'protect': {
            const fields = changes[which] as Partial<Protection>;
            table.protect(va, bytes, fields);
            for (const page of named) {
              const old = model.get(page);
              if (old !== undefined) model.set(page, { ...old, flags: changed(old.flags, fields) });
            }
            break;
          }
          case 'split':
            splitLeaves(table, va, bytes, { leafShift: which > 3 ? 21 : 12 });
            break;
          case 'collapse':
            if (which > 1) splitLeaves(table, va, bytes);
            isDone = collapseLeaves(table, va & ~(2n * MiB - 1n), 4n * MiB) > 0;
            for (const [page, { flags }] of [...pagesBelow(memory, table.root, 4, 0n)]) {
              // A block has A and D if any of its pages had; nothing else may differ.
              const address = BigInt.asUintN(64, BigInt.asIntN(48, page));
              const old = model.get(address);
              if (old !== undefined && (flags & ~(A | D)) === (old.flags & ~(A | D))) {
                expect(old.flags & ~flags, hex(address)).toBe(0n);
                model.set(address, { ...old, flags });
              }
            }
            break;
          default: {
            // Changes by the operating system and the processor.
            const bits = kind === 'dirty' ? A | D : SOFTWARE & (0x0280_0000_0000_0400n << BigInt(which & 1));
            const leaf = table.walk(va);
            const step = leaf.steps.at(-1);
            if (leaf.leaf === null || step === undefined) continue;
            memory.write64(step.address, step.entry | bits);
            const start = va & ~((1n << BigInt(leaf.leaf.leafShift)) - 1n);
            for (let page = start; page < start + (1n << BigInt(leaf.leaf.leafShift)); page += 4096n) {
              const old = model.get(page) as Page;
              model.set(page, { ...old, flags: old.flags | bits });
            }
          }
        }
        if (isDone) seen.set(kind, (seen.get(kind) ?? 0) + 1);
        let found = 0;
        for (const [low, { pfn, flags }] of pagesBelow(memory, table.root, 4, 0n)) {
          const page = BigInt.asUintN(64, BigInt.asIntN(48, low));
          const want = model.get(page);
          const where = `${kind} at ${hex(va)}: ${hex(page)}`;
          if (pfn !== want?.pfn || flags !== want.flags) {
            expect([where, hex(pfn), hex(flags)]).toEqual([
              where,
              hex(want?.pfn ?? -1n),
              hex(want?.flags ?? 0n),
            ]);
          }
          found++;
        }
        expect(found, kind).toBe(model.size);
      }
      table.destroy();
      expect(frames.stats().allocated).toBe(0);
    }),
    { numRuns: 150, seed: 3 },
  );
  // Each operation must have been tested often.
  for (const kind of ['map', 'block', 'unmap', 'protect', 'split', 'collapse', 'software', 'dirty']) {
    expect(seen.get(kind), kind).toBeGreaterThan(10);
  }
});
