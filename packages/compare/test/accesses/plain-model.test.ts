import type { TlbDescription, TlbUnit } from '@vmarea/mmu';
import { describe, expect, test } from 'vitest';
import { type Random, random } from '../../src/index.js';
import type { Access } from '../support/accesses.js';
import { simulated } from '../support/accesses.js';

/** A fully associative TLB with LRU: a map from page to nothing, the latest last. It counts its misses. */
class PlainTlb {
  misses = 0;
  readonly #pages = new Map<bigint, null>();
  readonly #entries: number;

  constructor(entries: number) {
    this.#entries = entries;
  }

  has(page: bigint): boolean {
    const found = this.#pages.delete(page);
    if (found) this.#pages.set(page, null);
    else this.misses++;
    return found;
  }

  take(page: bigint): void {
    if (this.#pages.size === this.#entries)
      for (const oldest of [...this.#pages.keys()].slice(0, 1)) this.#pages.delete(oldest);
    this.#pages.set(page, null);
  }
}

/** What two levels miss, by page numbers alone: no tables, no batches, no collapsing. */
function plainly(accesses: readonly Access[], pageShift: number, sizes: readonly [number, number, number]) {
  const [l1i, l1d, l2] = sizes.map((entries) => new PlainTlb(entries)) as [PlainTlb, PlainTlb, PlainTlb];
  const touched = new Set<bigint>();
  let total = 0;
  for (const [kind, address, bytes] of accesses) {
    const last = (address + BigInt(bytes) - 1n) >> BigInt(pageShift);
    for (let page = address >> BigInt(pageShift); page <= last; page++) {
      total++;
      touched.add(page);
      const l1 = kind === 'F' ? l1i : l1d;
      if (l1.has(page)) continue;
      if (!l2.has(page)) l2.take(page);
      l1.take(page);
    }
  }
  return { total, touched: touched.size, misses: [l1i.misses, l1d.misses, l2.misses], walks: l2.misses };
}

/** A program: a loop of code, a stack, and a heap of which some pages are hot. */
function program(source: Random, length: number): Access[] {
  return Array.from({ length }, (_, i): Access => {
    const what = source.next(10);
    if (what < 5)
      return ['F', 0x401000n + BigInt((i * 5 + source.next(3) * 4096) % 60_000), 1 + source.next(8)];
    if (what < 7) return ['S', 0x1fff000000n + BigInt(source.next(9000)), 8];
    const page = source.next(4) === 0 ? source.next(2000) : source.next(40);
    return [
      what === 7 ? 'S' : 'L',
      0x5000000n + BigInt(page * 4096 + source.next(4096)),
      1 << source.next(5),
    ];
  });
}

function unit(name: string, level: 1 | 2, kinds: TlbUnit['kinds'], entries: number): TlbUnit {
  return { name, level, kinds, arrays: [{ sizes: 'all', entries, ways: 'full', replacement: 'lru' }] };
}

describe('the simulation and a plain model by page numbers', () => {
  test.each([
    ['x86-64', 12, 1],
    ['x86-64-la57', 12, 2],
    ['arm64-4k-48-cont', 12, 3],
    ['arm64-16k-47', 14, 4],
    ['arm64-64k-52', 16, 5],
    ['riscv64-sv39', 12, 6],
    ['riscv64-sv57-napot', 12, 7],
  ])('miss alike on %s', (format, pageShift, seed) => {
    const source = random(seed);
    const accesses = program(source, 30_000);
    const sizes = [1 + source.next(8), 1 + source.next(20), 20 + source.next(100)] as const;
    const preset: TlbDescription = {
      ...{ name: 'plain', title: 'Plain', source: 'this test', walkCaches: [], walkers: null },
      tlbs: [
        unit('L1I', 1, ['execute'], sizes[0]),
        unit('L1D', 1, ['read', 'write'], sizes[1]),
        unit('L2', 2, ['read', 'write', 'execute'], sizes[2]),
      ],
      ...{ dropsOnFault: true, cycles: { l2Hit: null, walk: null } },
    };
    const frames = seed % 2 === 0 ? 'scattered' : 'adjacent';
    const row = simulated(accesses, { format, preset, frames });
    const plain = plainly(accesses, pageShift, sizes);
    expect({
      total: row.accesses.total,
      touched: row.touchedPages,
      misses: row.tlbs.map(({ misses }) => misses),
      walks: row.walks,
    }).toEqual(plain);
    expect(row.tlbs.map(({ hits, misses }) => hits + misses).slice(0, 2)).toEqual([
      row.accesses.fetches,
      row.accesses.loads + row.accesses.stores,
    ]);
    expect(row.tableReads.total).toBe(plain.walks * row.tableReads.levels.length);
  });
});
