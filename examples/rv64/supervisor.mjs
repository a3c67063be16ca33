// What supervisor mode adds: its registers (CSRs), entry to and return from a trap, and the translation that satp selects.
import { riscv64FromRegisters } from '@vmarea/riscv64';

/** Causes of a trap that are no fault of the MMU. Those are `fault.code.code` of the `MmuFault`. */
export const CAUSE = { misalignedFetch: 0, illegal: 2, breakpoint: 3, userCall: 8, supervisorCall: 9 };

const CSR = {
  sstatus: 0x100,
  stvec: 0x105,
  sscratch: 0x140,
  sepc: 0x141,
  scause: 0x142,
  stval: 0x143,
  satp: 0x180,
};

/** Fields of sstatus. */
const SPP = 0x100n;
const SPIE = 0x20n;
const SIE = 0x2n;
const SUM = 0x40000n;
const SSTATUS = SPP | SPIE | SIE | SUM;

/** Modes of satp. */
const BARE = 0n;
const SV39 = 8n;
/** menvcfg.ADUE: the MMU sets accessed and dirty bits. */
const ADUE = 1n << 61n;

/** Frozen once, so that the `Mmu` knows them again. */
const WITH_SUM = Object.freeze({ sum: true });
const WITHOUT_SUM = Object.freeze({ sum: false });

export class Supervisor {
  isUser = false;
  /** How often each cause has trapped. @type {Map<number, number>} */
  traps = new Map();
  /** Writes of satp that selected another root, and SFENCE.VMA. */
  switches = 0;
  fences = 0;
  /** @type {Map<number, bigint>} */
  #csrs = new Map(Object.values(CSR).map((number) => [number, 0n]));

  /** @param {import('@vmarea/mmu').Mmu<import('@vmarea/riscv64').Riscv64Controls>} mmu */
  constructor(mmu) {
    this.mmu = mmu;
  }

  /** @param {number} number @returns {bigint | null} `null` for a register that is not there. */
  read(number) {
    return this.#csrs.get(number) ?? null;
  }

  /** @param {number} number @param {bigint} value */
  write(number, value) {
    if (number === CSR.satp) this.#translate(value);
    else if (number === CSR.sstatus) this.#setStatus(value & SSTATUS);
    else if (number === CSR.stvec) this.#csrs.set(number, value & ~3n);
    else this.#csrs.set(number, value);
  }

  /**
   * Enters a trap.
   *
   * @param {number} cause @param {bigint} value @param {bigint} pc of the instruction.
   * @returns {bigint} where the handler is.
   */
  enter(cause, value, pc) {
    this.traps.set(cause, (this.traps.get(cause) ?? 0) + 1);
    const status = this.#get(CSR.sstatus);
    const enabled = (status & SIE) === 0n ? 0n : SPIE;
    this.#csrs.set(CSR.sepc, pc);
    this.#csrs.set(CSR.scause, BigInt(cause));
    this.#csrs.set(CSR.stval, value);
    this.#csrs.set(CSR.sstatus, (status & SUM) | enabled | (this.isUser ? 0n : SPP));
    this.isUser = false;
    return this.#get(CSR.stvec);
  }

  /** SRET. @returns {bigint} where it goes on. */
  leave() {
    const status = this.#get(CSR.sstatus);
    this.isUser = (status & SPP) === 0n;
    this.#csrs.set(CSR.sstatus, (status & SUM) | ((status & SPIE) === 0n ? 0n : SIE) | SPIE);
    return this.#get(CSR.sepc);
  }

  /** SFENCE.VMA. @param {bigint | null} va @param {bigint | null} asid */
  fence(va, asid) {
    this.fences++;
    const number = Number((asid ?? 0n) & 0xffffn);
    if (va === null && asid === null) this.mmu.invalidate('SFENCE.VMA');
    else if (va === null) this.mmu.invalidate('SFENCE.VMA asid', number);
    else if (asid === null) this.mmu.invalidate('SFENCE.VMA va', va);
    else this.mmu.invalidate('SFENCE.VMA va, asid', va, number);
  }

  /** @param {number} number */
  #get(number) {
    return /** @type {bigint} */ (this.#csrs.get(number));
  }

  /** @param {bigint} status */
  #setStatus(status) {
    const changed = status ^ this.#get(CSR.sstatus);
    this.#csrs.set(CSR.sstatus, status);
    if ((changed & SUM) !== 0n) this.#setSum();
  }

  #setSum() {
    const status = this.#get(CSR.sstatus);
    if (this.#get(CSR.satp) >> 60n !== BARE)
      this.mmu.setControls((status & SUM) === 0n ? WITHOUT_SUM : WITH_SUM);
  }

  /** A write of satp. One with a mode that this processor lacks has no effect. @param {bigint} satp */
  #translate(satp) {
    const old = this.#get(CSR.satp);
    const mode = satp >> 60n;
    if (satp === old || (mode !== BARE && mode !== SV39)) return;
    this.#csrs.set(CSR.satp, satp);
    this.switches++;
    if (mode === BARE) return this.mmu.switchTables(null);
    const { root, asid, ...tables } = riscv64FromRegisters({ satp, menvcfg: ADUE });
    if (old >> 60n === SV39) return this.mmu.switchRoot(root, asid);
    this.mmu.switchTables({ ...tables, root }, asid);
    this.#setSum();
  }
}
