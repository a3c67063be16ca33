import type { PageTableFormat, Protection } from '@vmarea/core';
import { hex, type PageTable, protection, toBigint, VmError, words } from '@vmarea/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TableRecords } from '../../src/table/table-records.js';
import { formats } from '../formats/index.js';
import { walkBytes } from '../support/bytes-walk.js';
import { fingerprint, firstAddress, machine, takenFrames } from '../support/machine.js';
import { Tlb } from '../support/tlb.js';

/*
 * Random calls against a plain Map of page → (frame, protection). The Map is the judge; what the tables say is read
 * from their bytes by a walker of the test. Addresses are dense around slots where levels meet and around both ends
 * of the range, since uniform ones would never meet each other. A TLB hangs on every table and must never serve what
 * the tables no longer say.
 */

interface Mapped {
  pfn: number;
  protection: Protection;
  /** First page and length of the larger leaf the page belongs to; a base page is its own. */
  leafStart: number;
  leafPages: number;
}

const PROTECTIONS = [
  protection({ write: true, global: true }),
  protection({ execute: true }),
  protection({ user: true, write: true }),
];

/** Enough for all tables that the places of interest can need: no call runs out of frames. */
const FRAMES = 128;

/**
 * First frame of the bank that holds the tables: none of them a multiple of the bank's frames but the first, one around frame 2^20 (4 GiB of 4K pages), and two where frame numbers leave 31 and 32 bits.
 */
const BASES = [0, 5, 0x40003, 0xffff0, 0x7ffffff9, 0xffffffe9];

interface Call {
  kind: 'scattered' | 'linear' | 'unmap';
  /** Which place of interest, and how many pages from it. */
  place: number;
  offset: number;
  pages: number;
  /** -1: the last frames of the format, -2: one beyond them. */
  pfn: number;
  cap: number;
  protection: number;
  reclaim: boolean;
}

const calls = fc.array(
  fc.record<Call>({
    kind: fc.constantFrom('scattered', 'linear', 'linear', 'unmap', 'unmap'),
    place: fc.nat(5),
    offset: fc.integer({ min: -3, max: 3 }),
    pages: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constantFrom(-1, -2)),
    pfn: fc.oneof(fc.nat(40), fc.constantFrom(-1, -1, -2)),
    cap: fc.nat(4),
    protection: fc.nat(2),
    reclaim: fc.boolean(),
  }),
  { minLength: 1, maxLength: 14 },
);

/** Pages of interest, as indexes from the start of the range: level boundaries, halves and both ends. */
function places(format: PageTableFormat): number[] {
  const total = 2 ** (format.range.bits - format.pageShift);
  const spans = format.levels.map((level) => 2 ** (level.shift - format.pageShift));
  const last = spans.length - 1;
  const second = spans[Math.max(0, last - 1)] as number;
  const third = spans[Math.max(0, last - 2)] as number;
  return [0, total, Math.min(second, total), Math.min(third, total), total / 2, Math.min(3 * second, total)];
}

function run(format: PageTableFormat, list: readonly Call[], basePage: number): void {
  const base =
    BigInt(Math.min(basePage, 2 ** (format.paBits - format.pageShift) - FRAMES)) << BigInt(format.pageShift);
  const tlb = new Tlb(format);
  const { memory, frames, table, flushes } = machine(format, FRAMES, base, tlb);
  Object.assign(tlb, { memory, frames, root: table.root });
  const model = new Map<number, Mapped>();
  const total = 2 ** (format.range.bits - format.pageShift);
  const shift = BigInt(format.pageShift);
  const half = format.range.upper === 'sign' ? total / 2 : total;
  const upper = firstAddress(format, true);
  const addressOf = (page: number): bigint =>
    format.range.upper === 'ones'
      ? upper + (BigInt(page) << shift)
      : page < half
        ? BigInt(page) << shift
        : upper + (BigInt(page - half) << shift);
  const limit = 2 ** (format.paBits - format.pageShift);
  const blockPages =
    2 ** ((format.levels[Math.max(0, format.levels.length - 2)]?.shift ?? 0) - format.pageShift);
  const at = places(format);

  for (const call of list) {
    const big = call.pages === -1 ? blockPages : call.pages === -2 ? 2 * blockPages + 1 : call.pages;
    const pages = Math.min(big, 8200);
    const aligned = call.pages < 0 && call.offset > 0;
    const first = (at[call.place] as number) + (aligned ? 0 : call.offset);
    // The addresses beyond a sign-extended range are those of its other end.
    if (format.range.upper === 'sign' && (first < 0 || first >= total)) continue;
    const pfn =
      call.pfn === -1
        ? limit - pages - (call.offset & 1)
        : call.pfn === -2
          ? limit - pages + 1
          : aligned
            ? call.pfn * blockPages
            : call.pfn;
    const given = PROTECTIONS[call.protection] as Protection;
    const maxLeafShift = format.levels[Math.min(call.cap, format.levels.length - 1)]?.shift as number;
    const last = first + pages - 1;
    const isInRange = first >= 0 && last < total && !(first < half && last >= half);
    const before = fingerprint({ memory, frames });
    const flushesBefore = flushes.length;
    const takenBefore = takenFrames(frames);
    tlb.named.clear();

    let expected: string | null = null;
    const touched = Array.from({ length: pages }, (_, i) => first + i);
    if (!isInRange) expected = 'ERANGE';
    else if (call.kind === 'unmap') {
      const cuts = (page: number): boolean => {
        const here = model.get(page);
        return here !== undefined && here.leafStart !== page;
      };
      if (cuts(first) || cuts(last + 1)) expected = 'EINVAL';
    } else if (pfn < 0 || pfn + pages > limit) expected = 'EINVAL';
    else if (touched.some((page) => model.has(page))) expected = 'EBUSY';

    const inside = Math.min(Math.max(first, 0), total - 1);
    const named = BigInt.asUintN(64, addressOf(inside) + (BigInt(first - inside) << shift));
    let code: string | null = null;
    try {
      if (call.kind === 'unmap')
        table.unmap(named, BigInt(pages) << shift, { reclaim: call.reclaim, split: false });
      else if (call.kind === 'linear') {
        table.mapRange(named, BigInt(pfn) << shift, BigInt(pages) << shift, given, { maxLeafShift });
      } else {
        // Every other list is shuffled by a swap of its ends, so that runs form only now and then.
        const list = Float64Array.from(touched, (_, i) => pfn + i);
        if (call.reclaim && pages > 1)
          [list[0], list[pages - 1]] = [list[pages - 1] as number, list[0] as number];
        table.map(named, list, given, { maxLeafShift });
      }
    } catch (error) {
      if (!(error instanceof VmError)) throw error;
      code = error.code;
    }
    // Ranges are checked before frames: of a call that is wrong in both, ERANGE is said.
    expect(code, `${call.kind} of ${pages} pages at ${hex(named)}`).toBe(expected);
    tlb.expectFresh();
    const taken = takenFrames(frames);
    for (const pfn of takenBefore) if (!taken.has(pfn)) expect(tlb.named, 'tables freed').toContain(pfn);
    if (code !== null) {
      expect(fingerprint({ memory, frames })).toBe(before);
      continue;
    }
    if (call.kind === 'unmap') {
      const removed = touched.filter((page) => model.delete(page));
      if (removed.length > 0) expect(flushes.length).toBe(flushesBefore + 1);
    } else {
      const isSwapped = call.kind === 'scattered' && call.reclaim && pages > 1;
      // What the bytes say of a page holds to the end of its leaf, or of its table of base pages.
      let until = -1;
      let leafPages = 1;
      touched.forEach((page, i) => {
        const swapped = isSwapped && i === 0 ? pages - 1 : isSwapped && i === pages - 1 ? 0 : i;
        if (page >= until) {
          const level = walkBytes(format, memory, table.root, addressOf(page))?.level ?? 0;
          const shiftOfLeaf = format.levels[level]?.shift as number;
          leafPages = 2 ** (shiftOfLeaf - format.pageShift);
          const span = level === format.levels.length - 1 ? Math.min(blockPages, total) : leafPages;
          until = page - (page % span) + span;
          // The cap is a cap, and a larger leaf may only cover pages of this call.
          if (leafPages > 1) {
            expect(shiftOfLeaf).toBeLessThanOrEqual(maxLeafShift);
            expect(page - (page % leafPages)).toBeGreaterThanOrEqual(first);
            expect(until).toBeLessThanOrEqual(first + pages);
          }
        }
        const leafStart = page - (page % leafPages);
        model.set(page, { pfn: pfn + swapped, protection: given, leafStart, leafPages });
      });
    }
    tlb.fill(compare(format, memory, table, model, addressOf, total));
  }
  table.destroy();
  expect(frames.stats().allocated).toBe(0);
  // Four words of header; no table is left on record.
  expect(new Int32Array(TableRecords.of(frames).state).subarray(4).every((word) => word === 0)).toBe(true);
}

/** Every page of the model, and its neighbours, as the bytes, `translate`, `walk` and `leaves` tell it; returns them. */
function compare(
  format: PageTableFormat,
  memory: Parameters<typeof walkBytes>[1],
  table: PageTable,
  model: ReadonlyMap<number, Mapped>,
  addressOf: (page: number) => bigint,
  total: number,
): bigint[] {
  const pages = new Set<number>();
  for (const page of model.keys()) {
    if (model.size < 64 || page % 97 === 0 || !model.has(page - 1) || !model.has(page + 1)) {
      for (const near of [page - 1, page, page + 1]) if (near >= 0 && near < total) pages.add(near);
    }
  }
  const shift = BigInt(format.pageShift);
  for (const page of pages) {
    const va = addressOf(page);
    const want = model.get(page);
    const bytes = walkBytes(format, memory, table.root, va);
    const walk = table.walk(va + 5n);
    if (want === undefined) {
      expect(bytes, hex(va)).toBeNull();
      expect(table.translate(va)).toBeNull();
      expect(walk.fault?.kind).toBe('not-present');
      continue;
    }
    const pa = BigInt(want.pfn) << shift;
    expect(bytes?.pa, hex(va)).toBe(pa);
    expect(table.translate(va + 5n)).toBe(pa + 5n);
    expect(table.translateWords(Number(va >> 32n), Number(va & 0xffffffffn))).toBe(want.pfn);
    expect(walk.pa).toBe(pa + 5n);
    expect(walk.leaf?.protection).toEqual(want.protection);
    expect(format.decode(words(bytes?.entry ?? 0n), bytes?.level ?? 0)).toEqual(want.protection);
  }
  let listed = 0;
  for (const leaf of table.leaves()) {
    const leafPages = 2 ** (leaf.leafShift - format.pageShift);
    listed += leaf.count * leafPages;
    const page = Number((leaf.va & ((1n << BigInt(format.range.bits)) - 1n)) >> shift);
    expect(model.get(page)?.pfn).toBe(leaf.pfn);
    expect(model.get(page + leaf.count * leafPages - 1)?.pfn).toBe(leaf.pfn + leaf.count * leafPages - 1);
    const flags = toBigint(format.encode(model.get(page)?.protection as Protection, leaf.level));
    expect(leaf.flags).toBe(flags);
  }
  expect(listed).toBe(model.size);
  return [...pages].map(addressOf);
}

describe.each(formats.map((format) => [format.name, format] as const))(
  '%s against a Map',
  (_name, format) => {
    it('maps, unmaps and refuses as the model does', () => {
      fc.assert(
        fc.property(calls, fc.constantFrom(...BASES), (list, base) => run(format, list, base)),
        { numRuns: format.pageShift === 12 ? 20 : 8, seed: 20261122 },
      );
    });
  },
);
