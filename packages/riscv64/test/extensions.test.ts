import { kindOf, permissions, protections, runGroup, survival } from '@vmarea/conformance';
import { FrameAllocator, PageTable, PhysicalMemory, protection, toBigint, words } from '@vmarea/core';
import { describe, expect, test } from 'vitest';
import { riscv64, riscv64FromRegisters } from '../src/index.js';

const LEAF = 0xcfn;

/** A root of somebody else whose page 0 has one entry. */
function tableWith(entry: bigint, options: Parameters<typeof riscv64>[0]) {
  const memory = PhysicalMemory.create({ bytes: 1 << 16 });
  const frames = new FrameAllocator(memory);
  const table = new PageTable({ format: riscv64({ mode: 'sv39', ...options }), memory, frames });
  table.map(0n, [1], protection());
  const { address } = table.walk(0n).steps.at(-1) as { address: bigint };
  memory.write64(address, entry);
  return { table, memory, address };
}

describe('Svrsw60t59b', () => {
  const entry = (1n << 59n) | (0x90000n << 10n) | LEAF;

  test('lets software have bits 60:59 of a leaf, which translates and keeps them', () => {
    const { table, memory, address } = tableWith(entry, { svrsw60t59b: true });
    expect(table.translate(0x123n)).toBe(0x90000123n);
    expect(table.walk(0n).leaf?.protection.extra).toBe(1n << 59n);
    table.protect(0n, 4096, { write: false });
    expect(memory.read64(address)).toBe(entry & ~4n);
    expect(tableWith(entry, {}).table.walk(0n).fault?.kind).toBe('reserved');
  });

  test('lets software have them in entries that point to tables', () => {
    const pointer = (3n << 59n) | 0x20000401n;
    expect(kindOf(riscv64({ svrsw60t59b: true }), 1, pointer)).toBe('table');
    expect(kindOf(riscv64(), 1, pointer)).toBe('reserved');
    expect(kindOf(riscv64({ svrsw60t59b: true }), 1, pointer | (1n << 58n))).toBe('reserved');
  });
});

describe("T-Head's memory types", () => {
  const format = riscv64({ mode: 'sv39', thead: true });

  test.each([
    ['normal', 0x7000000000000000n],
    ['write-combining', 0x3000000000000000n],
    ['device', 0x9000000000000000n],
  ] as const)('%s is what Linux writes for it', (memory, bits) => {
    const leaf = toBigint(format.encode(protection({ write: true, memory }), 2));
    expect(leaf & (31n << 59n)).toBe(bits);
    expect(format.decode(words(leaf), 2)).toMatchObject({ memory, extra: 0n });
    expect(format.memoryAttributes?.(words(leaf), 2)?.type).toBe(Number(bits >> 59n));
  });

  test('another way to say one stays as it is', () => {
    for (let field = 0n; field < 32n; field++) {
      const leaf = words((field << 59n) | LEAF);
      expect(kindOf(format, 2, toBigint(leaf))).toBe('leaf');
      expect(format.encode(format.decode(leaf, 2), 2)).toEqual(leaf);
    }
    const { table } = tableWith((0x1fn << 59n) | (0x90000n << 10n) | LEAF, { thead: true });
    expect(table.translate(0n)).toBe(0x90000000n);
  });

  test('exclude the extensions that use the same bits', () => {
    for (const name of ['svnapot', 'svpbmt', 'svrsw60t59b'])
      expect(() => riscv64({ thead: true, [name]: true })).toThrow(`EINVAL: thead and ${name} are both true`);
  });
});

for (const options of [{ svrsw60t59b: true }, { thead: true }] as const) {
  const name = `riscv64-sv39-${Object.keys(options).join()}`;
  for (const group of [protections, permissions, survival])
    runGroup(test, () => ({ name, format: riscv64({ mode: 'sv39', ...options }) }), group);
}

describe('pointer masking', () => {
  const satp = (8n << 60n) | 0x81234n;
  const of = (more: object) => riscv64FromRegisters({ satp, ...more });

  test.each([
    ['7 bits of a pointer of the user', { senvcfg: 2n << 32n }, 0xfe00000000400000n, 0x400000n],
    ['16 bits of a pointer of the user', { senvcfg: 3n << 32n }, 0xabcd000000400000n, 0x400000n],
    [
      '7 bits of a pointer of the supervisor',
      { menvcfg: 2n << 32n },
      0x01ffffd600000000n,
      0xffffffd600000000n,
    ],
    ['none without PMM', {}, 0x400000n, 0x400000n],
  ] as const)('removes %s', (_, registers, va, address) => {
    expect(of(registers).for(va)?.address).toBe(address);
  });

  test('leaves instruction addresses, and all with MXR', () => {
    const tagged = 0xfe00000000400000n;
    expect(of({ senvcfg: 2n << 32n }).for(tagged, 'execute')).toBeNull();
    expect(of({ senvcfg: 2n << 32n, sstatus: 1n << 19n }).for(tagged)).toBeNull();
    expect(of({}).for(tagged)).toBeNull();
  });

  test('with the reserved mode is refused', () => {
    expect(() => of({ senvcfg: 1n << 32n })).toThrow(
      'EINVAL: senvcfg 0x0000000100000000 has PMM (bits 33:32) 1',
    );
    expect(() => of({ menvcfg: 1n << 32n })).toThrow(
      'EINVAL: menvcfg 0x0000000100000000 has PMM (bits 33:32) 1',
    );
  });
});
