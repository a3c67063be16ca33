// A riscv64 processor: RV64I and Zicsr, in user and supervisor mode. Its memory is an `Mmu`.
//
// Source: RISC-V unprivileged specification, "RV64I Base Integer Instruction Set"; privileged specification, "Supervisor-Level ISA".
import { MmuFault } from '@vmarea/mmu';
import { Registers, toBigint } from './registers.mjs';
import { CAUSE, Supervisor } from './supervisor.mjs';

/** What an instruction raises instead of a result. */
class Trap extends Error {
  /** @param {number} cause @param {bigint} value */
  constructor(cause, value) {
    super(`trap ${cause}`);
    this.cause = cause;
    this.value = value;
  }
}

export class Cpu {
  x = new Registers();
  pcLo = 0;
  pcHi = 0;
  /** Instructions that ended without a trap. */
  instructions = 0;
  /** True after a device stopped the machine. */
  isOff = false;

  /** @param {import('@vmarea/mmu').Mmu} mmu @param {bigint} pc */
  constructor(mmu, pc) {
    this.mmu = mmu;
    this.supervisor = new Supervisor(mmu);
    this.jump(pc);
  }

  /** @param {bigint} pc */
  jump(pc) {
    this.pcLo = Number(BigInt.asIntN(32, pc));
    this.pcHi = Number(BigInt.asIntN(32, pc >> 32n));
  }

  /** Executes until the machine stops, at most so many instructions. @param {number} limit */
  run(limit) {
    const end = this.instructions + limit;
    while (!this.isOff && this.instructions < end) {
      try {
        while (!this.isOff && this.instructions < end) {
          this.step();
          this.instructions++;
        }
      } catch (error) {
        if (error instanceof MmuFault) this.trap(error.code.code, error.va);
        else if (error instanceof Trap) this.trap(error.cause, error.value);
        else throw error;
      }
    }
  }

  /** @param {number} cause @param {bigint} value */
  trap(cause, value) {
    this.jump(this.supervisor.enter(cause, value, toBigint(this.pcLo, this.pcHi)));
  }

  step() {
    const { mmu, x, pcLo, pcHi } = this;
    const { lo, hi } = x;
    const user = this.supervisor.isUser;
    const code = mmu.fetch32(pcHi, pcLo, user);
    // Results for x0 go to a register that nobody reads.
    const rd = (code >>> 7) & 31 || 32;
    const rs1 = (code >>> 15) & 31;
    const rs2 = (code >>> 20) & 31;
    const funct3 = (code >>> 12) & 7;
    const a = lo[rs1];
    const aHi = hi[rs1];
    switch (code & 127) {
      case 0x03: {
        const offset = code >> 20;
        const at = (a + offset) | 0;
        const atHi = carried(a, at, offset, aHi);
        if (funct3 === 3) x.set(rd, mmu.load64Words(atHi, at, user), mmu.high);
        else if (funct3 === 4) x.set32(rd, mmu.load8(atHi, at, user));
        else if (funct3 === 2) x.set32(rd, mmu.loadSigned32(atHi, at, user));
        else if (funct3 === 0) x.set32(rd, mmu.loadSigned8(atHi, at, user));
        else if (funct3 === 1) x.set32(rd, mmu.loadSigned16(atHi, at, user));
        else if (funct3 === 5) x.set32(rd, mmu.load16(atHi, at, user));
        else if (funct3 === 6) x.set(rd, mmu.loadSigned32(atHi, at, user), 0);
        else throw illegal(code);
        break;
      }
      case 0x23: {
        const offset = ((code >> 25) << 5) | ((code >>> 7) & 31);
        const at = (a + offset) | 0;
        const atHi = carried(a, at, offset, aHi);
        if (funct3 === 0) mmu.store8(atHi, at, user, lo[rs2]);
        else if (funct3 === 1) mmu.store16(atHi, at, user, lo[rs2]);
        else if (funct3 === 2) mmu.store32(atHi, at, user, lo[rs2]);
        else if (funct3 === 3) mmu.store64Words(atHi, at, user, hi[rs2], lo[rs2]);
        else throw illegal(code);
        break;
      }
      case 0x13: {
        const value = code >> 20;
        this.compute(
          rd,
          funct3,
          a,
          aHi,
          value,
          value >> 31,
          code,
          funct3 === 5 && (code & 0x40000000) !== 0,
          63,
        );
        break;
      }
      case 0x33:
        if ((code & 0xbe000000) !== 0) throw illegal(code);
        this.compute(rd, funct3, a, aHi, lo[rs2], hi[rs2], code, (code & 0x40000000) !== 0, 63);
        break;
      case 0x1b:
        this.compute32(rd, funct3, a, code >> 20, code, funct3 === 5 && (code & 0x40000000) !== 0);
        break;
      case 0x3b:
        if ((code & 0xbe000000) !== 0) throw illegal(code);
        this.compute32(rd, funct3, a, lo[rs2], code, (code & 0x40000000) !== 0);
        break;
      case 0x63: {
        if (!isTaken(funct3, a, aHi, lo[rs2], hi[rs2], code)) break;
        const offset =
          ((code >> 31) << 12) | ((code << 4) & 0x800) | ((code >>> 20) & 0x7e0) | ((code >>> 7) & 0x1e);
        return this.go(pcLo, pcHi, offset);
      }
      case 0x6f: {
        const offset =
          ((code >> 31) << 20) | (code & 0xff000) | ((code >>> 9) & 0x800) | ((code >>> 20) & 0x7fe);
        this.go(pcLo, pcHi, offset);
        return x.set(rd, (pcLo + 4) | 0, carried(pcLo, (pcLo + 4) | 0, 4, pcHi));
      }
      case 0x67: {
        if (funct3 !== 0) throw illegal(code);
        this.go(a, aHi, code >> 20);
        return x.set(rd, (pcLo + 4) | 0, carried(pcLo, (pcLo + 4) | 0, 4, pcHi));
      }
      case 0x37:
        x.set32(rd, code & 0xfffff000);
        break;
      case 0x17: {
        const offset = code & 0xfffff000;
        x.set(rd, (pcLo + offset) | 0, carried(pcLo, (pcLo + offset) | 0, offset, pcHi));
        break;
      }
      case 0x0f: // FENCE and FENCE.I: this processor does one thing after the other.
        break;
      case 0x73:
        if (funct3 === 0) {
          if (this.system(code, rs1, rs2)) return;
        } else this.exchange(code, rd, rs1, funct3);
        break;
      default:
        throw illegal(code);
    }
    this.pcLo = (pcLo + 4) | 0;
    if (this.pcLo === 0) this.pcHi = (pcHi + 1) | 0;
  }

  /** Jumps. A target that is misaligned traps, and the jump then has written no register. @param {number} lo @param {number} hi @param {number} offset */
  go(lo, hi, offset) {
    const target = (lo + offset) & -2;
    if ((target & 2) !== 0) throw new Trap(CAUSE.misalignedFetch, toBigint(target, hi));
    this.pcHi = carried(lo, (lo + offset) | 0, offset, hi);
    this.pcLo = target;
  }

  /**
   * The operations of 64 bits. `isOther`: SUB for ADD, SRA for SRL.
   *
   * @param {number} rd @param {number} funct3 @param {number} a @param {number} aHi @param {number} b @param {number} bHi
   * @param {number} code @param {boolean} isOther @param {number} mask of a shift.
   */
  compute(rd, funct3, a, aHi, b, bHi, code, isOther, mask) {
    const { x } = this;
    switch (funct3) {
      case 0:
        if (isOther) x.set(rd, (a - b) | 0, (aHi - bHi - (a >>> 0 < b >>> 0 ? 1 : 0)) | 0);
        else x.set(rd, (a + b) | 0, (aHi + bHi + ((a + b) >>> 0 < a >>> 0 ? 1 : 0)) | 0);
        return;
      case 1:
        return x.shiftLeft(rd, a, aHi, b & mask);
      case 2:
        return x.set(rd, aHi < bHi || (aHi === bHi && a >>> 0 < b >>> 0) ? 1 : 0, 0);
      case 3:
        return x.set(rd, aHi >>> 0 < bHi >>> 0 || (aHi === bHi && a >>> 0 < b >>> 0) ? 1 : 0, 0);
      case 4:
        return x.set(rd, a ^ b, aHi ^ bHi);
      case 5:
        return isOther ? x.shiftRightSigned(rd, a, aHi, b & mask) : x.shiftRight(rd, a, aHi, b & mask);
      case 6:
        return x.set(rd, a | b, aHi | bHi);
      case 7:
        return x.set(rd, a & b, aHi & bHi);
      default:
        throw illegal(code);
    }
  }

  /**
   * The operations of 32 bits, whose results are sign-extended.
   *
   * @param {number} rd @param {number} funct3 @param {number} a @param {number} b @param {number} code @param {boolean} isOther
   */
  compute32(rd, funct3, a, b, code, isOther) {
    if (funct3 === 0) this.x.set32(rd, isOther ? (a - b) | 0 : (a + b) | 0);
    else if (funct3 === 1) this.x.set32(rd, a << (b & 31));
    else if (funct3 === 5) this.x.set32(rd, isOther ? a >> (b & 31) : (a >>> (b & 31)) | 0);
    else throw illegal(code);
  }

  /**
   * ECALL, EBREAK, SRET, WFI and SFENCE.VMA.
   *
   * @param {number} code @param {number} rs1 @param {number} rs2
   * @returns whether it has set pc.
   */
  system(code, rs1, rs2) {
    const { supervisor, x } = this;
    if (code === 0x73) throw new Trap(supervisor.isUser ? CAUSE.userCall : CAUSE.supervisorCall, 0n);
    if (code === 0x100073) throw new Trap(CAUSE.breakpoint, toBigint(this.pcLo, this.pcHi));
    if (supervisor.isUser) throw illegal(code);
    if (code === 0x10200073) {
      this.jump(supervisor.leave());
      return true;
    }
    if (code === 0x10500073) return false;
    if ((code & 0xfe007fff) !== 0x12000073) throw illegal(code);
    supervisor.fence(rs1 === 0 ? null : x.bigint(rs1), rs2 === 0 ? null : x.bigint(rs2));
    return false;
  }

  /** CSRRW, CSRRS, CSRRC and their immediate forms. @param {number} code @param {number} rd @param {number} rs1 @param {number} funct3 */
  exchange(code, rd, rs1, funct3) {
    const { supervisor, x } = this;
    const number = code >>> 20;
    const old = supervisor.isUser ? null : supervisor.read(number);
    if (old === null || funct3 === 4) throw illegal(code);
    const value = funct3 > 4 ? BigInt(rs1) : x.bigint(rs1);
    if ((funct3 & 3) === 1) supervisor.write(number, value);
    else if (rs1 !== 0) supervisor.write(number, (funct3 & 3) === 2 ? old | value : old & ~value);
    x.setBigint(rd, old);
  }
}

/** The upper word of a sum of `lo` and a sign-extended `offset`, of which `sum` is the lower word. @param {number} lo @param {number} sum @param {number} offset @param {number} hi */
function carried(lo, sum, offset, hi) {
  return (hi + (offset >> 31) + (sum >>> 0 < lo >>> 0 ? 1 : 0)) | 0;
}

/** @param {number} funct3 @param {number} a @param {number} aHi @param {number} b @param {number} bHi @param {number} code */
function isTaken(funct3, a, aHi, b, bHi, code) {
  switch (funct3) {
    case 0:
      return a === b && aHi === bHi;
    case 1:
      return a !== b || aHi !== bHi;
    case 4:
      return aHi < bHi || (aHi === bHi && a >>> 0 < b >>> 0);
    case 5:
      return !(aHi < bHi || (aHi === bHi && a >>> 0 < b >>> 0));
    case 6:
      return aHi >>> 0 < bHi >>> 0 || (aHi === bHi && a >>> 0 < b >>> 0);
    case 7:
      return !(aHi >>> 0 < bHi >>> 0 || (aHi === bHi && a >>> 0 < b >>> 0));
    default:
      throw illegal(code);
  }
}

/** @param {number} code */
function illegal(code) {
  return new Trap(CAUSE.illegal, BigInt(code >>> 0));
}
