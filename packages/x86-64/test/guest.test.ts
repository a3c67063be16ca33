import { PageTableReader, type Protection, protection, words } from '@vmarea/core';
import { compareAreas, comparePages, hex, type LeafRow, loadGuest } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { x8664, x8664FromRegisters, x8664Linux } from '../src/index.js';
import { PMD, PTE, PUD } from './support.js';

const guest = loadGuest('linux-6.12-x86-64');
const { registers, symbols } = guest.machine;
const { cr0, cr3, cr4, efer } = registers as Record<'cr0' | 'cr3' | 'cr4' | 'efer', bigint>;
const { format } = x8664FromRegisters({ cr0, cr3, cr4, efer });
const rows = { swapper: guest.leaves('swapper'), process: guest.leaves('process') };

const LEVEL: Record<string, number> = { 4096: PTE, 2097152: PMD, 1073741824: PUD };

function openRoot(root: 'swapper' | 'process') {
  return new PageTableReader({ format, memory: guest.memory, root: guest.root(root) });
}

function print({ va, count, size, pa, flags }: LeafRow): string {
  return `${hex(va)} ${count} × 0x${size.toString(16)} at ${hex(pa)} flags ${hex(flags)}`;
}

describe.each([
  ['swapper', 66_850],
  ['process', 67_029],
] as const)('the %s root of a running Linux', (root, count) => {
  test(`has exactly the ${count} runs of leaves that another walker found`, () => {
    const expected = rows[root];
    expect(expected.length).toBe(count);
    let found = 0;
    for (const run of openRoot(root).leaves(undefined, undefined, { complete: true })) {
      const row = {
        va: run.va,
        count: run.count,
        size: 1n << BigInt(run.leafShift),
        pa: run.pa,
        flags: run.flags,
      };
      const other = expected[found];
      // Compared as text, so that the message shows the first difference.
      const wanted = other === undefined ? 'no more rows' : print(other);
      if (print(row) !== wanted) expect(`row ${found}: ${print(row)}`).toBe(`row ${found}: ${wanted}`);
      if (run.pfn !== Number(run.pa >> 12n) || format.levels[run.level]?.shift !== run.leafShift) {
        throw new Error(`row ${found}: pfn ${run.pfn} or level ${run.level} is not that of ${print(row)}`);
      }
      found++;
    }
    expect(found).toBe(count);
  });

  test('has leaves that decode and encode without loss', () => {
    for (const { va, size, flags } of rows[root]) {
      const level = LEVEL[String(size)] as number;
      const back = hex(format.encode(format.decode(words(flags), level), level));
      if (back !== hex(flags)) expect(`${hex(va)}: ${back}`).toBe(`${hex(va)}: ${hex(flags)}`);
    }
  });

  test('translates the first and the last byte of every run', () => {
    const table = openRoot(root);
    for (const row of rows[root]) {
      const last = BigInt(row.count) * row.size - 1n;
      const got = `${hex(table.translate(row.va) ?? -1n)} ${hex(table.translate(row.va + last) ?? -1n)}`;
      const wanted = `${hex(row.pa)} ${hex(row.pa + last)}`;
      if (got !== wanted) expect(`${print(row)}: ${got}`).toBe(`${print(row)}: ${wanted}`);
    }
  });
});

describe('the tables agree with the kernel', () => {
  test('on the frames of the process, except for its two PROT_NONE areas', () => {
    const { compared, differences } = comparePages(openRoot('process'), guest.pagemap());
    const pages = (start: bigint, count: number) =>
      Array.from({ length: count }, (_, i) => hex(start + 0x1000n * BigInt(i)));
    expect(differences.map((line) => line.slice(0, 18))).toEqual([
      ...pages(0x100200000n, 8),
      ...pages(0x141400000n, 512),
    ]);
    expect(differences.every((line) => line.includes(': nothing, not 0x'))).toBe(true);
    expect(compared).toBe(270_909);
  });

  test('on its vm areas', () => {
    const { compared, differences } = compareAreas(openRoot('swapper'), guest.vmallocinfo());
    expect(differences).toEqual([]);
    expect(compared).toBe(160);
  });
});

describe("the kernel's tables have Linux's protections", () => {
  const pti = x8664Linux({ pti: true, window: { start: symbols.vmalloc_base as bigint } });
  const { PAGE_KERNEL, PAGE_KERNEL_RO, PAGE_KERNEL_ROX, IOREMAP } = pti.protections;
  const table = openRoot('swapper');
  const leafAt = (va: bigint) => {
    const { leaf } = table.walk(va);
    return { shift: leaf?.leafShift, protection: leaf?.protection };
  };

  test('in the image: text, the text that user tables share, read-only data, data', () => {
    // The virtual addresses of the image count from __START_KERNEL_map; it was loaded at phys_base.
    const text = 0xffffffffb9200000n;
    expect(table.translate(text)).toBe(text - 0xffffffff80000000n + (symbols.phys_base as bigint));
    expect(leafAt(text)).toEqual({ shift: 21, protection: PAGE_KERNEL_ROX });
    // Entry code is mapped in both roots, so it may be global despite page-table isolation.
    const shared = x8664Linux().protections.PAGE_KERNEL_ROX;
    expect(leafAt(0xffffffffba000000n)).toEqual({ shift: 21, protection: shared });
    expect(leafAt(0xffffffffba200000n)).toEqual({ shift: 21, protection: PAGE_KERNEL_RO });
    expect(leafAt(0xffffffffbac00000n)).toEqual({ shift: 12, protection: PAGE_KERNEL_RO });
    expect(leafAt(0xffffffffbae00000n)).toEqual({ shift: 21, protection: PAGE_KERNEL });
  });

  test('in the direct map, in all three leaf sizes', () => {
    const base = symbols.page_offset_base as bigint;
    expect(leafAt(base)).toEqual({ shift: 12, protection: PAGE_KERNEL });
    expect(leafAt(base + 0x200000n)).toEqual({ shift: 21, protection: PAGE_KERNEL });
    expect(leafAt(base + 0x100000000n)).toEqual({ shift: 30, protection: PAGE_KERNEL });
  });

  test('in the vmalloc window: PAGE_KERNEL and IOREMAP alone, in base pages except for one ioremap in 2 MiB', () => {
    const { start, end } = pti.window;
    const seen = new Map<string, number>();
    for (const run of table.leaves(start, end - start + 1n, { complete: true })) {
      const name = nameOf(format.decode(words(run.flags), run.level), { PAGE_KERNEL, IOREMAP });
      const key = `${name} ${run.leafShift}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    expect(Object.fromEntries(seen)).toEqual({ 'PAGE_KERNEL 12': 183, 'IOREMAP 12': 2, 'IOREMAP 21': 1 });
    // pci_mmcfg_arch_init maps 256 MiB of configuration space.
    expect(leafAt(0xffffcd6590000000n)).toEqual({ shift: 21, protection: IOREMAP });
    expect(table.translate(0xffffcd6590000000n)).toBe(0xb0000000n);
  });
});

describe('a walk of the process', () => {
  const table = openRoot('process');
  const user = { kind: 'read', user: true } as const;

  test('lets the user read user text, and the kernel only with AC', () => {
    const text = 0x401000n;
    expect(table.walk(text, user).fault).toBeNull();
    expect(table.walk(text).permissions).toEqual({
      kernel: { read: false, write: false, execute: false },
      user: { read: true, write: false, execute: false },
    });
    expect(table.walk(text, undefined, { ac: true }).permissions?.kernel).toEqual({
      read: true,
      write: false,
      execute: false,
    });
  });

  test('lets the user execute its text from the user root, and not from the kernel root', () => {
    // Page-table isolation sets XD in the user entries of the kernel root: a kernel that returns to the user without
    // switching roots faults at once.
    const inUserHalf = new PageTableReader({ format, memory: guest.memory, root: registers.cr3 as bigint });
    const run = { kind: 'execute', user: true } as const;
    expect(inUserHalf.walk(0x401000n, run).fault).toBeNull();
    expect(table.walk(0x401000n, run).fault).toMatchObject({
      kind: 'permission',
      level: 0,
      code: { name: '#PF', code: 0x15 },
    });
  });

  test('refuses kernel text to the user', () => {
    expect(table.walk(0xffffffffb9200000n, user).fault).toMatchObject({
      kind: 'permission',
      code: { name: '#PF', code: 0x5 },
    });
  });

  test('raises #GP for an address that is not canonical', () => {
    expect(table.walk(0x0000800000000000n, user).fault).toEqual({
      kind: 'address',
      level: 0,
      code: { name: '#GP', code: 0 },
    });
  });
});

test('the root of the guest is out of reach with one physical address bit less', () => {
  // It lies between 4 GiB and 8 GiB.
  const walk = (paBits: number) =>
    new PageTableReader({
      format: x8664({ paBits }),
      memory: guest.memory,
      root: guest.root('swapper'),
    }).walk(0xffffffffb9200000n);
  expect(walk(33).fault).toBeNull();
  expect(() => walk(32)).toThrow('does not fit 32 address bits');
});

function nameOf(found: Protection, named: Record<string, Protection>): string {
  const same = (a: Protection, b: Protection): boolean =>
    (Object.keys(protection()) as (keyof Protection)[]).every((member) => a[member] === b[member]);
  return Object.keys(named).find((name) => same(found, named[name] as Protection)) ?? 'another';
}
