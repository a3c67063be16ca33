import {
  completeControls,
  flagOption,
  hex,
  type MachineState,
  type MemoryType,
  machineState,
  mask,
  optionsOf,
  type PageTableFormat,
  type Register,
  registerOption,
  type Translation,
  textOption,
  VmError,
} from '@vmarea/core';
import { X86_BITS } from './bits.js';
import { type X8664Options, x8664 } from './format.js';
import { type Masking, withoutMetadata } from './linear-address-masking.js';
import { LINUX_PAT, memoryTypesOf, patIndexOf } from './memory-types.js';
import { X8664_CONTROLS, type X8664Controls } from './permissions.js';

/** The registers that decide how an x86-64 processor translates. */
export interface X8664Registers extends Omit<X8664Options, 'nxe' | 'pat'> {
  /** CR0: PE, WP and PG are used. */
  readonly cr0: Register;
  /** CR3: the root, PCID or PWT and PCD, LAM_U57 and LAM_U48. */
  readonly cr3: Register;
  /** CR4: PAE, PGE, LA57, PCIDE, SMEP, SMAP, PKE, PKS and LAM_SUP are used. */
  readonly cr4: Register;
  /** IA32_EFER: LME, LMA and NXE are used. */
  readonly efer: Register;
  /** RFLAGS: AC is used. Default: 0. */
  readonly rflags?: Register;
  /** PKRU. Default: that of `X8664_CONTROLS`, the initial one of a process of Linux. */
  readonly pkru?: Register;
  /** IA32_PKRS. Default: that of `X8664_CONTROLS`, 0. */
  readonly pkrs?: Register;
  /** IA32_PAT. Default: `LINUX_PAT`. */
  readonly pat?: Register;
}

/**
 * The translation that registers select. A page table can be opened with its format, root and controls. `for(va)` also removes
 * metadata from an address if CR3 or CR4 turn on linear-address masking.
 */
export interface X8664State extends Translation<X8664Controls>, MachineState<X8664Controls> {
  /** The process-context identifier, 0 to 4095; `null` when CR4.PCIDE is clear. */
  readonly pcid: number | null;
  /** The address-space identifier of its TLB: the PCID, 0 when CR4.PCIDE is clear. */
  readonly asid: number;
  /** Memory type of reads of the root table: by CR3's PWT and PCD, or PAT entry 0 when PCIDE is set. */
  readonly rootMemory: MemoryType;
}

/** A paging mode, for `x86FromRegisters`. */
export interface X86Mode {
  /** The value that CR4.LA57 must have. */
  readonly la57: boolean;
  /** The advice when CR4.LA57 has the other value: one clause of the error. */
  readonly otherwise: string;
  /** Makes the format. */
  readonly format: (options: X8664Options) => PageTableFormat<X8664Controls>;
  /** The call in messages. Default: `the registers`. */
  readonly what?: string;
}

const CR0 = /* @__PURE__ */ (() => ({ PE: mask(0, 0), WP: mask(16, 16), PG: mask(31, 31) }))();
/** Bits outside root, PCID and LAM (linear-address masking) are reserved. */
const CR3 = /* @__PURE__ */ (() => ({ PCID: mask(0, 11), LAM_U57: mask(61, 61), LAM_U48: mask(62, 62) }))();
const CR4 = /* @__PURE__ */ (() => ({
  PAE: mask(5, 5),
  PGE: mask(7, 7),
  LA57: mask(12, 12),
  PCIDE: mask(17, 17),
  SMEP: mask(20, 20),
  SMAP: mask(21, 21),
  PKE: mask(22, 22),
  PKS: mask(24, 24),
  LAM_SUP: mask(28, 28),
}))();
const EFER = /* @__PURE__ */ (() => ({ LME: mask(8, 8), LMA: mask(10, 10), NXE: mask(11, 11) }))();
const RFLAGS_AC = /* @__PURE__ */ mask(18, 18);

const NAMES = [
  ...(['cr0', 'cr3', 'cr4', 'efer', 'rflags', 'pkru', 'pkrs', 'pat'] as const),
  ...(['paBits', 'page1g', 'encryptionBit', 'sharedBit', 'vendor'] as const),
];

/**
 * The format, root and modes of a processor with 4-level paging.
 *
 * Source: SDM vol. 3A, Paging, "Paging Modes and Control Bits" and "Use of CR3 with Ordinary 4-Level Paging and
 * 5-Level Paging and CR4.PCIDE = 0"/"= 1"; vol. 3A, System Architecture Overview, "Control Registers".
 *
 * @throws VmError `EINVAL` naming the member when a value is not a register; naming the register and bit when paging is
 *   off (addresses are physical then), is not 4-level paging, or CR3 has a reserved bit.
 * @example
 * ```ts
 * const cpu = x8664FromRegisters({ cr0: 0x80050033, cr3: 0x1000, cr4: 0x750ef0, efer: 0xd01 });
 * cpu.root; // 0x1000n
 * cpu.controls.smap; // true
 * const table = new PageTableReader({ ...cpu, memory }); // its walks use these controls
 * ```
 */
export function x8664FromRegisters(registers: X8664Registers): X8664State {
  return x86FromRegisters(registers, {
    la57: false,
    otherwise:
      '5-level tables are another format: use the package @vmarea/x86-64-la57, whose x8664AnyFromRegisters takes both',
    format: x8664,
    what: 'x8664FromRegisters()',
  });
}

/**
 * Reads registers for a paging mode of x86-64: `x8664FromRegisters` is the one with 4 levels.
 *
 * @throws VmError `EINVAL` as `x8664FromRegisters`, and when the mode is wrong.
 */
export function x86FromRegisters(registers: X8664Registers, mode: X86Mode): X8664State {
  const { la57, otherwise, format: make, what } = checkedMode(mode);
  const given = optionsOf(registers, NAMES, what);
  const cr0 = registerOption(given, 'cr0');
  const cr3 = registerOption(given, 'cr3');
  const cr4 = registerOption(given, 'cr4');
  const efer = registerOption(given, 'efer');
  const rflags = registerOption(given, 'rflags', 0n);
  const pat = registerOption(given, 'pat', LINUX_PAT);
  const pkru = keys('pkru', registerOption(given, 'pkru', BigInt(X8664_CONTROLS.pkru)));
  const pkrs = keys('pkrs', registerOption(given, 'pkrs', BigInt(X8664_CONTROLS.pkrs)));
  refuseOthers(cr0, cr4, efer);
  if (((cr4 & CR4.LA57) !== 0n) !== la57) {
    throw new VmError('EINVAL', `CR4.LA57 (bit 12) is ${la57 ? 'clear' : 'set'}`, { advice: otherwise });
  }

  const { paBits, page1g, encryptionBit, sharedBit, vendor } = given as Partial<X8664Options>;
  const format = make({
    pat,
    nxe: (efer & EFER.NXE) !== 0n,
    ...(paBits === undefined ? {} : { paBits }),
    ...(page1g === undefined ? {} : { page1g }),
    ...(encryptionBit === undefined ? {} : { encryptionBit }),
    ...(sharedBit === undefined ? {} : { sharedBit }),
    ...(vendor === undefined ? {} : { vendor }),
  });
  const controls = completeControls(
    X8664_CONTROLS,
    {
      wp: (cr0 & CR0.WP) !== 0n,
      pge: (cr4 & CR4.PGE) !== 0n,
      smep: (cr4 & CR4.SMEP) !== 0n,
      smap: (cr4 & CR4.SMAP) !== 0n,
      ac: (rflags & RFLAGS_AC) !== 0n,
      pke: (cr4 & CR4.PKE) !== 0n,
      pkru,
      pks: (cr4 & CR4.PKS) !== 0n,
      pkrs,
    } satisfies X8664Controls,
    format.name,
  );
  const tables = Object.freeze({ format, root: rootOf(cr3, format.paBits, encryptionBit), controls });
  const pcide = (cr4 & CR4.PCIDE) !== 0n;
  const types = memoryTypesOf(pat);
  const masking: Masking = {
    user: (cr3 & CR3.LAM_U57) !== 0n ? 57 : (cr3 & CR3.LAM_U48) !== 0n ? 48 : 64,
    supervisor: (cr4 & CR4.LAM_SUP) === 0n ? 64 : la57 ? 57 : 48,
  };
  return machineState(
    tables,
    {
      pcid: pcide ? Number(cr3 & CR3.PCID) : null,
      asid: pcide ? Number(cr3 & CR3.PCID) : 0,
      rootMemory: types[pcide ? 0 : patIndexOf(cr3 & (X86_BITS.PWT | X86_BITS.PCD))] as MemoryType,
    },
    (va, kind) => ({ tables, address: withoutMetadata(va, kind, masking) }),
  );
}

function checkedMode(mode: X86Mode): Required<X86Mode> {
  const given = optionsOf(mode, ['la57', 'otherwise', 'format', 'what'], 'the paging mode');
  if (typeof given.format !== 'function') {
    throw new VmError('EINVAL', 'format is not a function', { advice: 'pass one that makes the format' });
  }
  return {
    la57: flagOption(given, 'la57'),
    otherwise: textOption(given, 'otherwise'),
    format: given.format as X86Mode['format'],
    what: textOption(given, 'what', 'the registers'),
  };
}

/** Refuses a processor whose paging is off, or not that of x86-64. */
function refuseOthers(cr0: bigint, cr4: bigint, efer: bigint): void {
  expectBit(cr0, CR0.PE, 'CR0.PE (bit 0) is clear', 'the processor is in real mode: addresses are physical');
  expectBit(
    cr0,
    CR0.PG,
    'CR0.PG (bit 31) is clear',
    'paging is off: addresses are physical, and there are no tables to read',
  );
  expectBit(
    cr4,
    CR4.PAE,
    'CR4.PAE (bit 5) is clear',
    'its tables have 4-byte entries, which vmarea does not read',
  );
  expectBit(efer, EFER.LME, 'EFER.LME (bit 8) is clear', 'the processor uses 32-bit or PAE paging');
  expectBit(efer, EFER.LMA, 'EFER.LMA (bit 10) is clear', 'the processor is not in IA-32e mode');
}

/** CR3 without PCID, LAM and encryption bit. */
function rootOf(cr3: bigint, paBits: number, encryptionBit: number | undefined): bigint {
  let root = cr3 & ~(CR3.PCID | CR3.LAM_U57 | CR3.LAM_U48);
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
function keys(name: string, register: bigint): number {
  if (register > 0xffffffffn)
    throw new VmError('EINVAL', `${name} ${hex(register)} is wider than its 32 bits`);
  return Number(register);
}

function expectBit(register: bigint, bit: bigint, what: string, means: string): void {
  if ((register & bit) === 0n) throw new VmError('EINVAL', what, { advice: means });
}
