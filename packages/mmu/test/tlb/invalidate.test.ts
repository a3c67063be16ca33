import { ARM64_INVALIDATIONS } from '@vmarea/arm64';
import { FrameAllocator, type Invalidation, PageTable, PhysicalMemory } from '@vmarea/core';
import { TlbModel, walkSource, ZEN_5 } from '@vmarea/mmu';
import { RISCV64_INVALIDATIONS } from '@vmarea/riscv64';
import { codeOf, machine, thrown } from '@vmarea/testkit';
import { X8664_INVALIDATIONS, x8664 } from '@vmarea/x86-64';
import { x8664La57 } from '@vmarea/x86-64-la57';
import { describe, expect, test } from 'vitest';
import { cache, describe2, plain, RIGHTS, touch } from './support/small.js';

const PAGE = 4096n;
const A = 0x10_0000_0000n;
const GLOBAL = A + 64n * PAGE;

const instructions = [...X8664_INVALIDATIONS, ...ARM64_INVALIDATIONS, ...RISCV64_INVALIDATIONS];
const named = (name: string) => instructions.find((one) => one.name === name) as Invalidation;

/** Eight pages of an address space and eight global ones, held for ASIDs 0 and 1; ASID 0 is the current one. */
function filled(): TlbModel {
  const { table } = machine(x8664());
  const far = (first: number) => Array.from({ length: 8 }, (_, i) => first + 3 * i);
  table.map(A, far(1000), RIGHTS);
  table.map(GLOBAL, far(2000), { ...RIGHTS, global: true });
  const model = new TlbModel(
    describe2([plain(64)], null, { walkCaches: [cache('all', 'all', 64)] }),
    walkSource(table),
  );
  for (const asid of [1, 0]) {
    model.asid = asid;
    for (let i = 0n; i < 8n; i++) for (const base of [A, GLOBAL]) touch(model, base + i * PAGE);
  }
  return model;
}

/** Pages 0 to 7 that are still held: of ASID 0, of ASID 1, global. */
function left(model: TlbModel): string[] {
  const pages = (base: bigint, asid: number) => {
    model.asid = asid;
    return Array.from({ length: 8 }, (_, i) => i).filter((i) => touch(model, base + BigInt(i) * PAGE) === 1);
  };
  return [pages(A, 0), pages(A, 1), pages(GLOBAL, 0)].map((held) => held.join(''));
}

const ALL = '01234567';
const NO2 = '0134567';

describe('an instruction drops the translations that its manual names', () => {
  test.each<[string, bigint, string[]]>([
    // Of the current PCID, 0; with a global page, of all.
    ['INVLPG', A, [NO2, ALL, ALL]],
    ['INVLPG', GLOBAL, [ALL, ALL, NO2]],
    ['INVPCID 0', A, [ALL, NO2, ALL]],
    ['INVPCID 0', GLOBAL, [ALL, ALL, ALL]],
    ['INVPCID 1', A, [ALL, '', ALL]],
    ['INVPCID 2', A, ['', '', '']],
    ['INVPCID 3', A, ['', '', ALL]],
    ['MOV CR3', A, ['', ALL, ALL]],
    ['MOV CR4.PGE', A, ['', '', '']],
    ['TLBI VAE1', A, [ALL, NO2, ALL]],
    ['TLBI VAE1', GLOBAL, [ALL, ALL, NO2]],
    ['TLBI VAAE1IS', A, [NO2, NO2, ALL]],
    ['TLBI ASIDE1', A, [ALL, '', ALL]],
    ['TLBI VMALLE1', A, ['', '', '']],
    ['TLBI RVAE1', A, [ALL, '0167', ALL]],
    ['TLBI RVAAE1', A, ['0167', '0167', ALL]],
    ['SFENCE.VMA', A, ['', '', '']],
    ['SFENCE.VMA va', A, [NO2, NO2, ALL]],
    ['SFENCE.VMA va', GLOBAL, [ALL, ALL, NO2]],
    ['SFENCE.VMA asid', A, [ALL, '', ALL]],
    ['SFENCE.VMA va, asid', A, [ALL, NO2, ALL]],
    ['SFENCE.VMA va, asid', GLOBAL, [ALL, ALL, ALL]],
  ])('%s of a page at %d', (name, base, expected) => {
    const model = filled();
    // Page 2 in the middle of its bytes; the range is four pages. ASID 1.
    model.invalidate(named(name), { va: base + 2n * PAGE, bytes: 4n * PAGE, asid: 1 });
    expect(left(model)).toEqual(expected);
  });

  test('a range that begins inside a page drops that page too', () => {
    const model = filled();
    model.invalidate(named('TLBI RVAE1'), { va: A + PAGE + 1n, bytes: 4096, asid: 0 });
    expect(left(model)[0]).toBe('034567');
  });

  test('also the page that was used last, in front of all arrays', () => {
    const model = filled();
    touch(model, A);
    model.invalidate(named('INVLPG'), { va: A });
    expect(touch(model, A)).toBe(3);
  });
});

describe('a switch of the ASID', () => {
  test('drops nothing, and the page that was used last is not served to another address space', () => {
    const { table } = machine(x8664());
    table.map(A, [1], RIGHTS);
    const model = new TlbModel(ZEN_5, walkSource(table));
    touch(model, A);
    model.asid = 9;
    expect([model.asid, touch(model, A)]).toEqual([9, 3]);
    model.asid = 0;
    expect(touch(model, A)).toBe(1);
  });

  test('to a number that is no ASID is refused', () => {
    const model = filled();
    expect(codeOf(() => (model.asid = 65536))).toBe('EINVAL');
    expect(codeOf(() => (model.asid = 1.5))).toBe('EINVAL');
    expect(model.asid).toBe(0);
  });
});

describe('a switch to other tables', () => {
  const tableOf = (frame: number, bytes: bigint) => {
    const { table } = machine(x8664());
    table.mapRange(A, BigInt(frame) * bytes, bytes, RIGHTS);
    return walkSource(table);
  };

  test('drops nothing: each address space finds its own translations again', () => {
    const [one, two] = [tableOf(1, PAGE), tableOf(2, 2n << 20n)];
    const model = new TlbModel(ZEN_5, one);
    touch(model, A);
    model.switchTo(two, 7);
    expect([touch(model, A), touch(model, A + PAGE), model.asid]).toEqual([3, 1, 7]);
    model.switchTo(one, 0);
    expect([touch(model, A), touch(model, A + PAGE)]).toEqual([1, 0]);
    expect(model.stats.walksBySize).toEqual([
      { leafShift: 12, walks: 1 },
      { leafShift: 21, walks: 1 },
    ]);
  });

  test('with other levels, or to a number that is no ASID, is refused and switches nothing', () => {
    const model = new TlbModel(ZEN_5, tableOf(1, PAGE));
    const other = walkSource(machine(x8664La57()).table);
    expect(thrown(() => model.switchTo(other, 7))).toBe(
      'EINVAL: the tables have other levels than those of the model; make a model of its own for them',
    );
    expect(codeOf(() => model.switchTo(tableOf(2, 2n << 20n), -1))).toBe('EINVAL');
    expect(codeOf(() => model.switchTo({} as never, 1))).toBe('EINVAL');
    expect([model.asid, touch(model, A), touch(model, A + PAGE)]).toEqual([0, 3, 0]);
  });
});

describe('operands', () => {
  const model = filled();
  test.each<[string, object | undefined, string]>([
    ['INVLPG', undefined, 'EINVAL: the address of INVLPG is undefined, expected a bigint from 0 to 2^64 - 1'],
    ['INVLPG', { va: 4096 }, 'EINVAL: the address of INVLPG is 4096, expected a bigint from 0 to 2^64 - 1'],
    ['INVPCID 1', {}, 'EINVAL: the ASID of INVPCID 1 is undefined, expected an integer from 0 to 65535'],
    [
      'TLBI RVAE1',
      { va: A, asid: 0 },
      'EINVAL: the length of TLBI RVAE1 is undefined, expected a number of bytes, 1 or more',
    ],
    [
      'TLBI RVAE1',
      { va: A, asid: 0, bytes: 0n },
      'EINVAL: the length of TLBI RVAE1 is 0n, expected a number of bytes, 1 or more',
    ],
    [
      'TLBI RVAE1',
      { va: (1n << 64n) - PAGE, asid: 0, bytes: 8192 },
      'ERANGE: TLBI RVAE1 of 8192 bytes at 0xfffffffffffff000 runs past the end of the addresses',
    ],
    ['INVLPG', { address: A }, 'EINVAL: INVLPG has no operand `address`; it has va, bytes, asid'],
  ])('that are missing or wrong are refused: %s', (name, target, message) => {
    expect(thrown(() => model.invalidate(named(name), target as never))).toBe(message);
  });

  test('that the instruction does not take are ignored', () => {
    expect(codeOf(() => model.invalidate(named('INVPCID 3'), { va: A, bytes: 1, asid: 7 }))).toBe('none');
  });

  test('of an invalidation that is none are refused', () => {
    const wrong = { ...named('INVLPG'), tables: 'some' };
    expect(thrown(() => model.invalidate(wrong as never, { va: A }))).toBe(
      "EINVAL: tables of INVLPG is 'some', expected none, addresses, all",
    );
  });
});

describe('as a flush sink', () => {
  /** A page table that tells a model what changes. */
  function wired(flushWith?: Invalidation) {
    const memory = PhysicalMemory.create({ bytes: 1 << 20 });
    let model: TlbModel | null = null;
    const sink = { flush: (...all: Parameters<TlbModel['flush']>) => model?.flush(...all) };
    const table = new PageTable({ format: x8664(), memory, frames: new FrameAllocator(memory), sink });
    model = new TlbModel(
      describe2([plain(64)], null, { walkCaches: [cache('all', 'all', 64)] }),
      walkSource(table),
      flushWith === undefined ? {} : { flushWith },
    );
    table.map(
      A,
      Array.from({ length: 8 }, (_, i) => 1000 + 3 * i),
      RIGHTS,
    );
    for (let i = 0n; i < 8n; i++) touch(model, A + i * PAGE);
    return { table, model };
  }
  const served = (model: TlbModel) =>
    Array.from({ length: 8 }, (_, i) => touch(model, A + BigInt(i) * PAGE)).join('');

  test('it forgets what a call unmapped, and nothing else', () => {
    const { table, model } = wired();
    table.unmap(A + 2n * PAGE, 2n * PAGE);
    expect(served(model)).toBe('11001111');
    expect(model.stats).toMatchObject({ invalidations: 1, entriesDropped: 2 });
  });

  test('it forgets the way to a table that was freed', () => {
    const { table, model } = wired();
    table.unmap(A, 8n * PAGE, { reclaim: true });
    table.map(A, [7], RIGHTS);
    model.resetStats();
    touch(model, A);
    // The root's entry is still there, but the tables below are new.
    expect(model.stats.tableReads).toBe(4);
  });

  test('it keeps the walk caches where only leaves changed, unless the instruction drops them', () => {
    const reads = (flushWith?: Invalidation) => {
      const { table, model } = wired(flushWith);
      table.unmap(A, PAGE);
      model.resetStats();
      touch(model, A + 20n * PAGE);
      return model.stats.tableReads;
    };
    expect([reads(), reads(named('INVLPG')), reads(named('TLBI VALE1'))]).toEqual([1, 4, 1]);
  });

  test('it forgets all addresses where the instruction does', () => {
    const { table, model } = wired(named('SFENCE.VMA'));
    table.unmap(A, PAGE);
    expect(served(model)).toBe('03333333');
  });

  test('it forgets the tables that were freed with an instruction that names leaves alone, too', () => {
    const { table, model } = wired(named('TLBI VALE1'));
    table.unmap(A, 8n * PAGE, { reclaim: true });
    table.map(A, [7], RIGHTS);
    model.resetStats();
    touch(model, A);
    expect(model.stats.tableReads).toBe(4);
  });
});
