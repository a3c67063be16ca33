import { hex, mask, type PageTableFormat, type Register, registerValue, VmError } from '@vmarea/core';
import { PAGE_SHIFT } from './bits.js';
import { type Riscv64Mode, type Riscv64Options, riscv64 } from './format.js';
import type { Riscv64Controls } from './permissions.js';

/** The registers that decide how a riscv64 processor translates. What a dump lacks counts as 0. */
export interface Riscv64Registers extends Pick<Riscv64Options, 'svnapot' | 'paBits'> {
  /** satp: mode, ASID and root. */
  readonly satp: Register;
  /** sstatus: SUM and MXR are looked at. */
  readonly sstatus?: Register;
  /** menvcfg: SSE, PBMTE and ADUE are looked at. When it is absent, Svpbmt is taken to be on. */
  readonly menvcfg?: Register;
}

/** What registers say about translation. */
export interface Riscv64State {
  /** The format that they select. */
  readonly format: PageTableFormat<Riscv64Controls>;
  /** Physical address of the root table in bytes. */
  readonly root: bigint;
  /** The modes that they set. */
  readonly controls: Riscv64Controls;
  /** The address-space identifier, 0 to 65535. */
  readonly asid: number;
}

const SATP = { PPN: mask(0, 43), ASID_SHIFT: 44n, ASID: 0xffffn, MODE_SHIFT: 60n };
const SSTATUS = { SUM: mask(18, 18), MXR: mask(19, 19) };
const MENVCFG = { SSE: mask(3, 3), ADUE: mask(61, 61), PBMTE: mask(62, 62) };

/** satp.MODE by number. */
const MODES: ReadonlyMap<number, Riscv64Mode> = new Map([
  [8, 'sv39'],
  [9, 'sv48'],
  [10, 'sv57'],
]);

/**
 * The format, root and modes of a riscv64 processor.
 *
 * Source: RISC-V privileged specification, "Supervisor Address Translation and Protection (satp) Register", with the table
 * of its MODE; "Supervisor Status (sstatus) Register"; "Machine Environment Configuration (menvcfg) Register".
 *
 * @throws VmError `EINVAL` naming the register when translation is off, the mode is reserved, the root does not fit, or shadow
 *   stacks are on.
 * @example
 * ```ts
 * const hart = riscv64FromRegisters({ satp: 0x9000_0000_0008_1234n });
 * hart.format.name; // 'riscv64-sv48'
 * hart.root; // 0x81234000n
 * ```
 */
export function riscv64FromRegisters(registers: Riscv64Registers): Riscv64State {
  const satp = registerValue('satp', registers.satp);
  const sstatus = registerValue('sstatus', registers.sstatus ?? 0);
  const menvcfg = registerValue('menvcfg', registers.menvcfg ?? MENVCFG.PBMTE);
  if ((menvcfg & MENVCFG.SSE) !== 0n)
    throw new VmError('EINVAL', 'menvcfg.SSE (bit 3) is set', {
      advice: 'leaves that can be written and not read are shadow stacks then, which is not modelled',
    });
  const number = Number(satp >> SATP.MODE_SHIFT);
  const mode = MODES.get(number);
  if (mode === undefined) {
    throw new VmError('EINVAL', `satp ${hex(satp)} has the mode ${number}`, {
      advice:
        number === 0
          ? 'that is Bare: addresses are not translated'
          : 'only 8 (Sv39), 9 (Sv48) and 10 (Sv57) have page tables; others are reserved',
    });
  }
  const { svnapot, paBits } = registers;
  const format = riscv64({
    mode,
    svpbmt: (menvcfg & MENVCFG.PBMTE) !== 0n,
    ...(svnapot === undefined ? {} : { svnapot }),
    ...(paBits === undefined ? {} : { paBits }),
  });
  const root = (satp & SATP.PPN) << BigInt(PAGE_SHIFT);
  if (root >> BigInt(format.paBits) !== 0n) {
    throw new VmError(
      'EINVAL',
      `satp ${hex(satp)} has its root beyond the ${format.paBits} bits of an address`,
    );
  }
  return Object.freeze({
    format,
    root,
    controls: Object.freeze({
      sum: (sstatus & SSTATUS.SUM) !== 0n,
      mxr: (sstatus & SSTATUS.MXR) !== 0n,
      adue: (menvcfg & MENVCFG.ADUE) !== 0n,
    }),
    asid: Number((satp >> SATP.ASID_SHIFT) & SATP.ASID),
  });
}
