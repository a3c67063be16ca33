import {
  completeControls,
  hex,
  type MachineState,
  machineState,
  mask,
  optionsOf,
  type Register,
  registerOption,
  type Translation,
  VmError,
} from '@vmarea/core';
import { PAGE_SHIFT } from './bits.js';
import { type Riscv64Mode, type Riscv64Options, riscv64 } from './format.js';
import { RISCV64_CONTROLS, type Riscv64Controls } from './permissions.js';

/** The registers that decide how a riscv64 processor translates. */
export interface Riscv64Registers
  extends Pick<Riscv64Options, 'svnapot' | 'paBits' | 'svrsw60t59b' | 'thead'> {
  /** satp: mode, ASID and root. */
  readonly satp: Register;
  /** sstatus: SUM and MXR are used. Default: 0. */
  readonly sstatus?: Register;
  /** menvcfg: SSE, PMM, PBMTE and ADUE are used. Default: PBMTE set (clear with `thead`), all else clear. */
  readonly menvcfg?: Register;
  /** senvcfg: PMM is used. Its other bits change no translation. Default: 0. */
  readonly senvcfg?: Register;
}

/** The translation that registers select. A page table can be opened with its format, root and controls. */
export interface Riscv64State extends Translation<Riscv64Controls>, MachineState<Riscv64Controls> {
  /** The address-space identifier, 0 to 65535. */
  readonly asid: number;
}

const SATP = { PPN: mask(0, 43), ASID_SHIFT: 44n, ASID: 0xffffn, MODE_SHIFT: 60n };
const SSTATUS = { SUM: mask(18, 18), MXR: mask(19, 19) };
const MENVCFG = { SSE: mask(3, 3), ADUE: mask(61, 61), PBMTE: mask(62, 62) };
/** menvcfg.PMM and senvcfg.PMM: pointer masking of the next lower privilege. */
const PMM_SHIFT = 32n;
/** Upper bits of an address that are a tag, by PMM. 1 is reserved. */
const TAG_BITS = [0, null, 7, 16] as const;

/** satp.MODE by number. */
const MODES: ReadonlyMap<number, Riscv64Mode> = new Map([
  [8, 'sv39'],
  [9, 'sv48'],
  [10, 'sv57'],
]);

const NAMES = [
  ...(['satp', 'sstatus', 'menvcfg', 'svnapot', 'paBits'] as const),
  ...(['senvcfg', 'svrsw60t59b', 'thead'] as const),
];

/**
 * The format, root and modes of a riscv64 processor.
 *
 * Pointer masking (Smnpm, Ssnpm): `for(va)` removes the tag that PMM allows, from data addresses. An address is taken for a pointer
 * of user mode (senvcfg) where its highest untagged bit is 0, as Linux divides them, else for one of the supervisor (menvcfg). With
 * sstatus.MXR set there is no masking.
 *
 * Source: RISC-V privileged specification, "Supervisor Address Translation and Protection (satp) Register", with the table
 * of its MODE; "Supervisor Status (sstatus) Register"; "Machine Environment Configuration (menvcfg) Register"; "Pointer Masking".
 *
 * @throws VmError `EINVAL` naming the member when a value is not a register; naming the register when translation is off
 *   (Bare: addresses are physical), the mode is reserved, the root does not fit, or shadow stacks are on.
 * @example
 * ```ts
 * const hart = riscv64FromRegisters({ satp: 0x9000_0000_0008_1234n });
 * hart.format.name; // 'riscv64-sv48'
 * hart.root; // 0x81234000n
 * const table = new PageTableReader({ ...hart, memory }); // its walks use these controls
 * ```
 */
export function riscv64FromRegisters(registers: Riscv64Registers): Riscv64State {
  const given = optionsOf(registers, NAMES, 'riscv64FromRegisters()');
  const satp = registerOption(given, 'satp');
  const sstatus = registerOption(given, 'sstatus', 0n);
  const menvcfg = registerOption(given, 'menvcfg', given.thead === true ? 0n : MENVCFG.PBMTE);
  const senvcfg = registerOption(given, 'senvcfg', 0n);
  if ((menvcfg & MENVCFG.SSE) !== 0n) {
    throw new VmError('EINVAL', 'menvcfg.SSE (bit 3) is set', {
      advice: 'it makes writable leaves without R shadow stacks, which are not modelled',
    });
  }
  const mode = modeOf(satp);
  const tags = { user: tagBits('senvcfg', senvcfg), supervisor: tagBits('menvcfg', menvcfg) };
  const { svnapot, paBits, svrsw60t59b, thead } = given as Partial<Riscv64Options>;
  const format = riscv64({
    mode,
    svpbmt: (menvcfg & MENVCFG.PBMTE) !== 0n,
    ...(svnapot === undefined ? {} : { svnapot }),
    ...(paBits === undefined ? {} : { paBits }),
    ...(svrsw60t59b === undefined ? {} : { svrsw60t59b }),
    ...(thead === undefined ? {} : { thead }),
  });
  const root = (satp & SATP.PPN) << BigInt(PAGE_SHIFT);
  if (root >> BigInt(format.paBits) !== 0n) {
    throw new VmError(
      'EINVAL',
      `satp ${hex(satp)} has its root beyond the ${format.paBits} bits of an address`,
    );
  }
  const controls = completeControls(
    RISCV64_CONTROLS,
    {
      sum: (sstatus & SSTATUS.SUM) !== 0n,
      mxr: (sstatus & SSTATUS.MXR) !== 0n,
      adue: (menvcfg & MENVCFG.ADUE) !== 0n,
    } satisfies Riscv64Controls,
    format.name,
  );
  const tables = Object.freeze({ format, root, controls });
  const asid = Number((satp >> SATP.ASID_SHIFT) & SATP.ASID);
  const isMasked = (sstatus & SSTATUS.MXR) === 0n;
  return machineState(tables, { asid }, (va, kind) => ({
    tables,
    address: isMasked && kind !== 'execute' ? withoutTag(va, tags) : va,
  }));
}

/** The paging mode that satp selects. */
function modeOf(satp: bigint): Riscv64Mode {
  const number = Number(satp >> SATP.MODE_SHIFT);
  const mode = MODES.get(number);
  if (mode !== undefined) return mode;
  throw new VmError('EINVAL', `satp ${hex(satp)} has the mode ${number}`, {
    advice:
      number === 0
        ? 'that is Bare: addresses are physical, and there are no tables to read'
        : 'only 8 (Sv39), 9 (Sv48) and 10 (Sv57) have page tables; others are reserved',
  });
}

/** Upper bits of an address that PMM makes a tag. */
function tagBits(name: string, register: bigint): number {
  const pmm = Number((register >> PMM_SHIFT) & 3n);
  const bits = TAG_BITS[pmm] ?? null;
  if (bits !== null) return bits;
  throw new VmError('EINVAL', `${name} ${hex(register)} has PMM (bits 33:32) 1, which is reserved`, {
    advice: 'it can be 0 (no pointer masking), 2 (7 bits) or 3 (16 bits)',
  });
}

/** An address whose tag is replaced by copies of the bit below it. The bit below the longer tag tells whose pointer it is. */
function withoutTag(
  va: bigint,
  { user, supervisor }: { readonly user: number; readonly supervisor: number },
): bigint {
  const isUser = (va >> BigInt(63 - Math.max(user, supervisor))) % 2n === 0n;
  return BigInt.asUintN(64, BigInt.asIntN(64 - (isUser ? user : supervisor), va));
}
