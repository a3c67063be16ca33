import { PageTableReader, type Protection, protection, words } from '@vmarea/core';
import { compareAreas, comparePages, hex, type LeafRow, loadGuest } from '@vmarea/testkit';
import { describe, expect, test } from 'vitest';
import { type Arm64Half, type Arm64Registers, arm64FromRegisters, arm64Linux } from '../src/index.js';

const CONTIGUOUS = 1n << 52n;

function print({ va, count, size, pa, flags }: LeafRow): string {
  return `${hex(va)} ${count} × 0x${size.toString(16)} at ${hex(pa)} flags ${hex(flags)}`;
}

function open(name: 'linux-6.1-arm64-4k' | 'linux-6.12-arm64-16k') {
  const guest = loadGuest(name);
  const state = arm64FromRegisters(guest.machine.registers as unknown as Arm64Registers);
  const table = (root: 'ttbr0' | 'ttbr1') => {
    const { format, root: at } = state[root] as Arm64Half;
    return new PageTableReader({ format, memory: guest.memory, root: at });
  };
  return { guest, state, table };
}

const small = open('linux-6.1-arm64-4k');
const large = open('linux-6.12-arm64-16k');

describe.each([
  ['4K', small, 'ttbr0', 225, 'arm64-4k-48-ttbr0'],
  ['4K', small, 'ttbr1', 187, 'arm64-4k-48'],
  ['16K', large, 'ttbr0', 233, 'arm64-16k-47-ttbr0'],
  ['16K', large, 'ttbr1', 99, 'arm64-16k-47'],
] as const)('%s pages: a running Linux', (_, { guest, state, table }, root, count, name) => {
  const rows = guest.leaves(root);
  const { format } = state[root] as Arm64Half;
  const shiftOf = (size: bigint) => format.levels.findIndex((level) => 1n << BigInt(level.shift) === size);

  test(`${root} has the place and the format of the registers`, () => {
    expect(state[root]?.root).toBe(guest.root(root));
    expect(format.name).toBe(name);
  });

  test(`${root} has exactly the ${count} runs of leaves that another walker found`, () => {
    expect(rows.length).toBe(count);
    const found = [...table(root).leaves(undefined, undefined, { complete: true })].map((run) =>
      print({
        va: run.va,
        count: run.count,
        size: 1n << BigInt(run.leafShift),
        pa: run.pa,
        flags: run.flags,
      }),
    );
    expect(found).toEqual(rows.map(print));
  });

  test(`every leaf under ${root} decodes and encodes without loss, except for the mark of a run`, () => {
    for (const { va, size, flags } of rows) {
      const level = shiftOf(size);
      const back = hex(format.encode(format.decode(words(flags), level), level));
      expect(`${hex(va)}: ${back}`).toBe(`${hex(va)}: ${hex(flags & ~CONTIGUOUS)}`);
    }
  });

  test(`the first and the last byte of every run under ${root} translate`, () => {
    const opened = table(root);
    for (const row of rows) {
      const last = BigInt(row.count) * row.size - 1n;
      const got = `${hex(opened.translate(row.va) ?? -1n)} ${hex(opened.translate(row.va + last) ?? -1n)}`;
      expect(`${print(row)}: ${got}`).toBe(`${print(row)}: ${hex(row.pa)} ${hex(row.pa + last)}`);
    }
  });

  test(`contiguous leaves under ${root} come in whole, aligned runs`, () => {
    for (const { va, count: leaves, size, pa, flags } of rows) {
      if ((flags & CONTIGUOUS) === 0n) continue;
      const run = format.levels[shiftOf(size)]?.run;
      const bytes = BigInt(run?.entries ?? 0) * size;
      expect([va % bytes, pa % bytes, (BigInt(leaves) * size) % bytes], hex(va)).toEqual([0n, 0n, 0n]);
    }
  });
});

describe('contiguous runs', () => {
  const runs = ({ guest }: typeof small | typeof large, root: 'ttbr0' | 'ttbr1') =>
    guest
      .leaves(root)
      .filter(({ flags }) => (flags & CONTIGUOUS) !== 0n)
      .map(print);

  test('with 4K pages have 16 pages or 16 blocks', () => {
    expect(runs(small, 'ttbr0')).toEqual([
      '0x0000ffff98000000 16 × 0x200000 at 0x0000000058000000 flags 0x00f8000000000f41',
      '0x0000ffff9a5a0000 16 × 0x1000 at 0x0000000042250000 flags 0x00f8000000000f43',
    ]);
    expect(runs(small, 'ttbr1')).toEqual([
      '0xffffc4f7d4410000 496 × 0x1000 at 0x0000000040210000 flags 0x00d0000000000f83',
      '0xffffc4f7d5000000 256 × 0x1000 at 0x0000000040e00000 flags 0x00d0000000000f83',
      '0xffffc4f7d60b0000 336 × 0x1000 at 0x0000000041eb0000 flags 0x00f8000000000f03',
      '0xffffc4f7d6400000 16 × 0x1000 at 0x0000000042200000 flags 0x00f8000000000f03',
    ]);
  });

  test('with 16K pages have 128 pages', () => {
    expect(runs(large, 'ttbr0')).toEqual([
      '0x00007fffae600000 128 × 0x4000 at 0x0000000040000000 flags 0x00f8000000000f43',
    ]);
    expect(runs(large, 'ttbr1')).toEqual([
      '0xffffe6a741600000 768 × 0x4000 at 0x0000000040400000 flags 0x00d0000000000f83',
      '0xffffe6a743c00000 128 × 0x4000 at 0x0000000042a00000 flags 0x00f8000000000f03',
    ]);
  });
});

describe.each([
  {
    name: '4K pages',
    machine: small,
    // Pages without access: the kernel counts them, the MMU does not see them.
    forbidden: { start: 0xffff9ad0b000n, pages: 16 },
    init: [
      '0xffffc4f7d5a60000 paging_init+0x19c/0x610: 0 is mapped, not 913408 or 917504',
      '0xffffc4f7d5b40000 paging_init+0x1cc/0x610: 0 is mapped, not 5697536 or 5701632',
    ],
    pages: 10_406,
    areas: 72,
  },
  {
    name: '16K pages',
    machine: large,
    forbidden: { start: 0x7fffaeb2c000n, pages: 16 },
    init: [
      '0xffffe6a743130000 paging_init+0x48c/0x558: 0 is mapped, not 1032192 or 1048576',
      '0xffffe6a743230000 paging_init+0x4a8/0x558: 0 is mapped, not 9158656 or 9175040',
    ],
    pages: 6_624,
    areas: 97,
  },
])('$name: the tables of the guest', ({ machine, forbidden, init, pages, areas }) => {
  const { guest, table } = machine;

  test('map the frames of the process, except for PROT_NONE pages, whose entries still have the frame', () => {
    const opened = table('ttbr0');
    const { compared, differences } = comparePages(opened, guest.pagemap());
    const pageBytes = 1n << BigInt(opened.format.pageShift);
    const addresses = Array.from(
      { length: forbidden.pages },
      (_, i) => forbidden.start + BigInt(i) * pageBytes,
    );
    expect(differences).toEqual(
      addresses.map((va) => {
        const { steps, fault } = opened.walk(va);
        expect(fault?.kind).toBe('not-present');
        const frame = (steps.at(-1)?.entry ?? 0n) & ~(pageBytes - 1n) & 0x0000_ffff_ffff_ffffn;
        return `${hex(va)}: nothing, not ${hex(frame)}`;
      }),
    );
    expect(compared).toBe(pages);
  });

  test('map its vm areas, except for the two init sections, which Linux unmaps after boot', () => {
    const { compared, differences } = compareAreas(table('ttbr1'), guest.vmallocinfo());
    expect(differences).toEqual(init);
    expect(compared).toBe(areas);
  });
});

describe("the kernel's own protections", () => {
  const kernel = (machine: typeof small | typeof large) => {
    const opened = machine.table('ttbr1');
    return (va: bigint) => {
      const { leaf } = opened.walk(va);
      return { shift: leaf?.leafShift, name: nameOf(leaf?.protection ?? protection(), protections) };
    };
  };
  const { protections } = arm64Linux({ granule: 16, vaBits: 47, kpti: true, softwareDirty: true });

  test('are in image, linear map, vmalloc and ioremap with 4K pages', () => {
    const at = kernel(small);
    expect(at(0xffffc4f7d4410000n)).toEqual({ shift: 12, name: 'PAGE_KERNEL_ROX' });
    expect(at(0xffffc4f7d4600000n)).toEqual({ shift: 21, name: 'PAGE_KERNEL_ROX' });
    expect(at(0xffffc4f7d5200000n)).toEqual({ shift: 21, name: 'PAGE_KERNEL_RO' });
    expect(at(0xffffc4f7d6200000n)).toEqual({ shift: 21, name: 'PAGE_KERNEL' });
    expect(at(0xffff5457c0000000n)).toEqual({ shift: 12, name: 'PAGE_KERNEL_TAGGED' });
    expect(at(0xffff800008000000n)).toEqual({ shift: 12, name: 'PAGE_KERNEL' });
    expect(at(0xffff800008010000n)).toEqual({ shift: 12, name: 'IOREMAP' });
    // pci_ecam_create asks for non-posted writes.
    expect(at(0xffff800010000000n)).toEqual({ shift: 21, name: 'IOREMAP_NP' });
  });

  test('are in image, linear map, vmalloc and ioremap with 16K pages', () => {
    const at = kernel(large);
    expect(at(0xffffe6a741600000n)).toEqual({ shift: 14, name: 'PAGE_KERNEL_ROX' });
    expect(at(0xffffe6a742350000n)).toEqual({ shift: 14, name: 'PAGE_KERNEL_RO' });
    expect(at(0xffffe6a743c00000n)).toEqual({ shift: 14, name: 'PAGE_KERNEL' });
    expect(at(0xffff800000000000n)).toEqual({ shift: 14, name: 'PAGE_KERNEL_TAGGED' });
    expect(at(0xffffc00080010000n)).toEqual({ shift: 14, name: 'IOREMAP' });
    expect(at(0xffffc00082000000n)).toEqual({ shift: 25, name: 'IOREMAP_NP' });
  });

  test('the areas of a current kernel lie in the window', () => {
    const { start, end } = arm64Linux({ granule: 16, vaBits: 47 }).window;
    const areas = large.guest.vmallocinfo();
    expect(areas.at(0)?.start).toBe(start);
    expect(areas.find(({ info }) => info.caller?.startsWith('pcpu_get_vm_areas'))?.end).toBe(end);
  });
});

describe('a walk with the controls of the processor', () => {
  const user = { kind: 'read', user: true } as const;

  test('lets the user read and execute user text, and not the kernel', () => {
    const table = large.table('ttbr0');
    expect(table.walk(0x400000n, user).permissions).toEqual({
      kernel: { read: false, write: false, execute: false },
      user: { read: true, write: false, execute: true },
    });
    expect(table.walk(0x400000n, { kind: 'execute', user: true }).fault).toBeNull();
    expect(table.walk(0x400000n, { kind: 'write', user: true }).fault).toMatchObject({
      kind: 'permission',
      level: 2,
      code: { name: 'FSC', code: 0x0f },
    });
  });

  test('refuses kernel memory to the user', () => {
    const table = small.table('ttbr1');
    expect(table.walk(0xffffc4f7d4600000n, user).fault).toMatchObject({
      kind: 'permission',
      level: 2,
      code: { name: 'FSC', code: 0x0e },
    });
    expect(table.walk(0xffffc4f7d4600000n, user, { e0pd: true }).fault).toMatchObject({
      kind: 'address',
      code: { name: 'FSC', code: 0x04 },
    });
  });

  test('faults alike for mapped and unmapped addresses of the user with E0PD', () => {
    const table = small.table('ttbr1');
    const nothing = 0xffff_ffff_ffff_f000n;
    expect(table.walk(nothing, user)).toMatchObject({
      steps: [{ level: 0 }],
      fault: { kind: 'not-present' },
    });
    const barred = table.walk(nothing, user, { e0pd: true });
    expect(barred).toMatchObject({ steps: [], fault: { kind: 'address', code: { code: 0x04 } } });
    expect(table.walk(nothing, { kind: 'read', user: false }, { e0pd: true }).fault?.kind).toBe(
      'not-present',
    );
  });

  test('has a Translation fault of level 0 for an address of the other half', () => {
    expect(large.table('ttbr0').walk(0xffff800000000000n, user).fault).toMatchObject({
      kind: 'address',
      code: { name: 'FSC', code: 0x04 },
    });
  });
});

function nameOf(found: Protection, named: object): string {
  const same = (a: Protection, b: Protection): boolean =>
    (Object.keys(protection()) as (keyof Protection)[]).every((member) => a[member] === b[member]);
  return Object.entries(named).find(([, one]) => same(found, one))?.[0] ?? 'another';
}
