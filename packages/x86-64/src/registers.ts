import {
  hex,
  type MemoryType,
  mask,
  type PageTableFormat,
  type Register,
  registerValue,
  VmError,
} from '@vmarea/core';
import { X86_BITS } from './bits.js';
import { type X8664Options, x8664 } from './format.js';
import { LINUX_PAT, memoryTypesOf, patIndexOf } from './memory-types.js';
import type { X8664Controls } from './permissions.js';

/** The registers that decide how an x86-64 processor translates. What a dump lacks counts as 0. */
export interface X8664Registers extends Omit<X8664Options, 'nxe' | 'pat'> {
  /** CR0: PE, WP and PG are looked at. */
  readonly cr0: Register;
  /** CR3: the root, and PCID or PWT and PCD. */
  readonly cr3: Register;
  /** CR4: PAE, PGE, LA57, PCIDE, SMEP, SMAP, PKE and PKS are looked at. */
  readonly cr4: Register;
  /** IA32_EFER: LME, LMA and NXE are looked at. */
  readonly efer: Register;
  /** RFLAGS: AC is looked at. */
  readonly rflags?: Register;
  /** PKRU. */
  readonly pkru?: Register;
  /** IA32_PKRS. */
  readonly pkrs?: Register;
  /** IA32_PAT. Default `LINUX_PAT`. */
  readonly pat?: Register;
}

/** What registers say about translation. */
export interface X8664State {
  /** The format that they select. */
  readonly format: PageTableFormat<X8664Controls>;
  /** Physical address of the root table in bytes. */
  readonly root: bigint;
  /** The modes that they set. */
  readonly controls: X8664Controls;
  /** The process-context identifier, 0 to 4095; `null` when CR4.PCIDE is clear. */
  readonly pcid: number | null;
  /** Memory type of the walk's reads of the root table: CR3's PWT and PCD, or PAT entry 0 when PCIDE is set. */
  readonly rootMemory: MemoryType;
}

/** What a package for another paging mode says to `x86FromRegisters`. */
export interface X86Mode {
  /** What CR4.LA57 must be. */
  readonly la57: boolean;
  /** What to do when it is not: one clause for the error. */
  readonly otherwise: string;
  /** Makes the format. */
  readonly format: (options: X8664Options) => PageTableFormat<X8664Controls>;
}

const CR0 = { PE: mask(0, 0), WP: mask(16, 16), PG: mask(31, 31) };
/** LAM: LAM_U57 (61) and LAM_U48 (62). All else above the address is reserved. */
const CR3 = { PCID: mask(0, 11), LAM: mask(61, 62) };
const CR4 = {
  PAE: mask(5, 5),
  PGE: mask(7, 7),
  LA57: mask(12, 12),
  PCIDE: mask(17, 17),
  SMEP: mask(20, 20),
  SMAP: mask(21, 21),
  PKE: mask(22, 22),
  PKS: mask(24, 24),
};
const EFER = { LME: mask(8, 8), LMA: mask(10, 10), NXE: mask(11, 11) };
const RFLAGS_AC = mask(18, 18);

/**
 * The format, root and modes of a processor with 4-level paging.
 *
 * The bits 62:61 of CR3 (linear-address masking) are taken off the root and otherwise ignored: a walk wants the
 * address without its metadata.
 *
 * Source: SDM vol. 3A, Paging, "Paging Modes and Control Bits" and "Use of CR3 with Ordinary 4-Level Paging and
 * 5-Level Paging and CR4.PCIDE = 0"/"= 1"; vol. 3A, System Architecture Overview, "Control Registers".
 *
 * @throws VmError `EINVAL` naming the register and bit when paging is off, is not 4-level paging, or CR3 has a
 *   reserved bit.
 * @example
 * ```ts
 * const cpu = x8664FromRegisters({ cr0: 0x80050033, cr3: 0x1000, cr4: 0x750ef0, efer: 0xd01 });
 * cpu.root; // 0x1000n
 * cpu.controls.smap; // true
 * ```
 */
export function x8664FromRegisters(registers: X8664Registers): X8664State {
  return x86FromRegisters(registers, {
    la57: false,
    otherwise: '5-level tables are another format: use the package @vmarea/x86-64-la57',
    format: x8664,
  });
}

/**
 * Reads registers for a paging mode of x86-64: `x8664FromRegisters` is the one with 4 levels.
 *
 * @throws VmError `EINVAL` as `x8664FromRegisters` does.
 */
export function x86FromRegisters(registers: X8664Registers, mode: X86Mode): X8664State {
  const cr0 = registerValue('cr0', registers.cr0);
  const cr3 = registerValue('cr3', registers.cr3);
  const cr4 = registerValue('cr4', registers.cr4);
  const efer = registerValue('efer', registers.efer);
  expectBit(cr0, CR0.PE, 'CR0.PE (bit 0) is clear', 'the processor is in real mode');
  expectBit(cr0, CR0.PG, 'CR0.PG (bit 31) is clear', 'paging is off');
  expectBit(
    cr4,
    CR4.PAE,
    'CR4.PAE (bit 5) is clear',
    'its tables have 4-byte entries, which vmarea does not read',
  );
  expectBit(efer, EFER.LME, 'EFER.LME (bit 8) is clear', 'the processor uses 32-bit or PAE paging');
  expectBit(efer, EFER.LMA, 'EFER.LMA (bit 10) is clear', 'the processor is not in IA-32e mode');
  if (((cr4 & CR4.LA57) !== 0n) !== mode.la57) {
    throw new VmError('EINVAL', `CR4.LA57 (bit 12) is ${mode.la57 ? 'clear' : 'set'}`, {
      advice: mode.otherwise,
    });
  }

  const pat = registerValue('pat', registers.pat ?? LINUX_PAT);
  const format = mode.format({ ...registers, pat, nxe: (efer & EFER.NXE) !== 0n });
  const pcide = (cr4 & CR4.PCIDE) !== 0n;
  const types = memoryTypesOf(pat);
  return Object.freeze({
    format,
    root: rootOf(cr3, format.paBits, registers.encryptionBit),
    controls: Object.freeze({
      wp: (cr0 & CR0.WP) !== 0n,
      pge: (cr4 & CR4.PGE) !== 0n,
      smep: (cr4 & CR4.SMEP) !== 0n,
      smap: (cr4 & CR4.SMAP) !== 0n,
      ac: (registerValue('rflags', registers.rflags ?? 0) & RFLAGS_AC) !== 0n,
      pke: (cr4 & CR4.PKE) !== 0n,
      pkru: keys('pkru', registers.pkru ?? 0),
      pks: (cr4 & CR4.PKS) !== 0n,
      pkrs: keys('pkrs', registers.pkrs ?? 0),
    }),
    pcid: pcide ? Number(cr3 & CR3.PCID) : null,
    rootMemory: types[pcide ? 0 : patIndexOf(cr3 & (X86_BITS.PWT | X86_BITS.PCD))] as MemoryType,
  });
}

/** CR3 without PCID, LAM and encryption bit. */
function rootOf(cr3: bigint, paBits: number, encryptionBit: number | undefined): bigint {
  let root = cr3 & ~(CR3.PCID | CR3.LAM);
  if (encryptionBit !== undefined) root &= ~(1n << BigInt(encryptionBit));
  if (root >> BigInt(paBits) !== 0n) {
    throw new VmError(
      'EINVAL',
      `CR3 ${hex(cr3)} has bits set beyond the ${paBits} bits of a physical address`,
    );
  }
  return root;
}

/** A register of key rights as a 32-bit number. */
function keys(name: string, register: Register): number {
  const wide = registerValue(name, register);
  if (wide > 0xffffffffn) throw new VmError('EINVAL', `${name} ${hex(wide)} is wider than its 32 bits`);
  return Number(wide);
}

function expectBit(register: bigint, bit: bigint, what: string, means: string): void {
  if ((register & bit) === 0n) throw new VmError('EINVAL', what, { advice: means });
}
