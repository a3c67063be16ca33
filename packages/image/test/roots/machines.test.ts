import { arm64 } from '@vmarea/arm64';
import { riscv64 } from '@vmarea/riscv64';
import { x8664 } from '@vmarea/x86-64';
import { x8664La57 } from '@vmarea/x86-64-la57';
import { describe, expect, test } from 'vitest';
import { Vmcoreinfo } from '../../src/notes/vmcoreinfo.js';
import { ARM64 } from '../../src/roots/arm64.js';
import { machinesOf } from '../../src/roots/machines.js';
import type { MachineKind } from '../../src/roots/proposal.js';
import { RISCV64 } from '../../src/roots/riscv64.js';
import { X86_64 } from '../../src/roots/x86-64.js';

const info = (...lines: string[]): Vmcoreinfo =>
  new Vmcoreinfo(new Uint8Array(Buffer.from(`OSRELEASE=6.12\n${lines.join('\n')}\n`)), 'a test');
const makers: Readonly<Record<string, (options: never) => { name: string }>> = {
  ...{ 'x86-64': x8664, 'x86-64-la57': x8664La57, arm64, riscv64 },
};
/** The format and root that VMCOREINFO names, once the format could be made. */
function named(machine: MachineKind, ...lines: string[]): [string, bigint] {
  const proposal = machine.fromVmcoreinfo(info(...lines));
  if (typeof proposal === 'string') throw new Error(proposal);
  return [makers[proposal.format]?.(proposal.options as never).name ?? '', proposal.root];
}

describe('VMCOREINFO of x86-64', () => {
  const pgd = 'SYMBOL(swapper_pg_dir)=ffffffff95a22000';

  test('names the root by phys_base, which may be negative', () => {
    expect(named(X86_64, pgd, 'NUMBER(phys_base)=-316669952')).toEqual(['x86-64', 0x2c22000n]);
    expect(named(X86_64, pgd, 'NUMBER(phys_base)=4513071104')).toEqual(['x86-64', 0x122a22000n]);
  });

  test('names five levels, and the bit of encryption', () => {
    expect(named(X86_64, pgd, 'NUMBER(phys_base)=0', 'NUMBER(pgtable_l5_enabled)=1')[0]).toBe('x86-64-la57');
    const proposal = X86_64.fromVmcoreinfo(
      info(pgd, 'NUMBER(phys_base)=0', 'NUMBER(sme_mask)=140737488355328'),
    );
    expect(proposal).toMatchObject({ options: { encryptionBit: 47 }, root: 0x15a22000n });
  });
});

test('CR3 of x86-64 may have the C-bit of memory encryption, which is no bit of the root', () => {
  const rootsOf = (cr3: bigint): [string, bigint, unknown][] =>
    X86_64.fromProcessor(
      new Map([
        ['cr0', 0x80050033n],
        ['cr3', cr3],
        ['cr4', 0x20n],
      ]),
      'a test',
    ).map(({ role, root, options }) => [role, root, options.encryptionBit]);
  expect(rootsOf(0x533c005n)).toEqual([['process', 0x533c000n, undefined]]);
  expect(rootsOf((1n << 51n) | 0x533c005n)).toEqual([
    ['process', (1n << 51n) | 0x533c000n, undefined],
    ['process', 0x533c000n, 51],
  ]);
  const user = rootsOf((1n << 47n) | 0x533d000n).filter(([, , mark]) => mark === 47);
  expect(user).toEqual([
    ['user', 0x533d000n, 47],
    ['process', 0x533c000n, 47],
    ['process', 0x533d000n, 47],
  ]);
});

describe('VMCOREINFO of arm64', () => {
  const pgd = 'SYMBOL(swapper_pg_dir)=ffffc513062fe000';
  const offset = 'NUMBER(kimage_voffset)=0xffffc512c4400000';

  test.each([
    [['PAGESIZE=4096', 'NUMBER(VA_BITS)=52', 'NUMBER(TCR_EL1_T1SZ)=0x10'], 'arm64-4k-48'],
    [['PAGESIZE=4096', 'NUMBER(VA_BITS)=39', 'NUMBER(TCR_EL1_T1SZ)=0x19'], 'arm64-4k-39'],
    [['PAGESIZE=4096', 'NUMBER(VA_BITS)=52', 'NUMBER(TCR_EL1_T1SZ)=0xc'], 'arm64-4k-52'],
    [['PAGESIZE=16384', 'NUMBER(VA_BITS)=52', 'NUMBER(TCR_EL1_T1SZ)=0x11'], 'arm64-16k-47'],
    [['PAGESIZE=4096', 'NUMBER(VA_BITS)=48'], 'arm64-4k-48'],
    // The processor has 48 bits, the tables are laid out for 52 all the same.
    [['PAGESIZE=65536', 'NUMBER(VA_BITS)=52', 'NUMBER(TCR_EL1_T1SZ)=0x10'], 'arm64-64k-52'],
  ])('%s names %s', (lines, format) => {
    const [name, root] = named(ARM64, pgd, offset, ...lines);
    expect(name.startsWith(format)).toBe(true);
    expect(root).toBe(0x41efe000n);
  });

  test('has its root registers in TTBR, without ASID and CnP', () => {
    const registers = new Map([
      ['tcr', 0x5001f57551b511n],
      ['ttbr0', 0x5621c001n],
      ['ttbr1', 0x16000041f2c001n],
    ]);
    const found = ARM64.fromProcessor(registers, 'a test');
    expect(found.map(({ role, root, options }) => [role, root, options.granule, options.vaBits])).toEqual([
      ['kernel', 0x41f2c000n, 16, 47],
      ['process', 0x5621c000n, 16, 47],
    ]);
  });
});

describe('VMCOREINFO of riscv64', () => {
  const pgd = 'SYMBOL(swapper_pg_dir)=ffffffff81dcb000';
  const offset = 'NUMBER(va_kernel_pa_offset)=0xfffffffeffe00000';

  test.each([
    ['39', 'riscv64-sv39'],
    ['48', 'riscv64-sv48'],
    ['57', 'riscv64-sv57'],
  ])('with %s bits names %s', (bits, format) => {
    expect(named(RISCV64, pgd, offset, `NUMBER(VA_BITS)=${bits}`)).toEqual([format, 0x81fcb000n]);
  });

  test('says what is wrong or missing', () => {
    expect(RISCV64.fromVmcoreinfo(info(pgd, offset, 'NUMBER(VA_BITS)=40'))).toMatch(/VA_BITS\) is 40/);
    expect(RISCV64.fromVmcoreinfo(info(pgd))).toBe(
      'VMCOREINFO has no NUMBER(va_kernel_pa_offset), no NUMBER(VA_BITS)',
    );
  });
});

describe('a machine', () => {
  test('is told by its number, else by keys of VMCOREINFO, else by utsname, else it may be any', () => {
    const numbers = (...given: Parameters<typeof machinesOf>): number[] =>
      machinesOf(...given).map(({ number }) => number);
    expect(numbers(183, [info('NUMBER(phys_base)=0')], null)).toEqual([183]);
    expect(numbers(null, [info('NUMBER(phys_base)=0')], null)).toEqual([62]);
    expect(numbers(null, [], ['Linux', '', '', '', 'riscv64', ''])).toEqual([243]);
    expect(numbers(null, [info()], ['', '', '', '', '', ''])).toEqual([62, 183, 243]);
    expect(numbers(22, [], null)).toEqual([]);
  });
});

test('Vmcoreinfo reads numbers as Linux writes them, and refuses others', () => {
  const lines = info(
    'NUMBER(a)=-12',
    'NUMBER(b)=0x1F',
    'NUMBER(c)=1f',
    'NUMBER(d)=',
    'SYMBOL(e)=ffff',
    'SYMBOL(f)=0x1',
    'OFFSET(g.h)=65',
  );
  expect(['a', 'b', 'c', 'd', 'none'].map((name) => lines.number(name))).toEqual([
    -12n,
    31n,
    null,
    null,
    null,
  ]);
  expect(['e', 'f', 'none'].map((name) => lines.symbol(name))).toEqual([0xffffn, null, null]);
  expect(lines.offset('g.h')).toBe(65);
  expect(lines.pageSize).toBeNull();
  expect(lines.value('OSRELEASE')).toBe('6.12');
});
