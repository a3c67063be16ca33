import { MmuFault } from '@vmarea/mmu';
import { POISON_HI, POISON_LO, REGISTERS, STEP_WORDS } from '../decode/steps.js';
import { FRAMES } from '../link/addresses.js';
import { AtomicSteps } from './atomics.js';
import { productHigh } from './division.js';
import { failedAccess } from './failed-access.js';
import { Frames } from './frames.js';
import { BadAccess, type Memory } from './memory.js';
import type { ProgramFaultKind } from './program-fault.js';
import { RareSteps } from './rare-steps.js';

/** What an engine asks of its interpreter. */
export interface EngineHost {
  /** Calls a function of the kernel: a helper by number, or an extern by index. `registers` has the arguments, and gets the result. */
  callKernel(isExtern: boolean, number: number): void;
  /** Makes the error that ends a program. */
  fault(kind: ProgramFaultKind, why: string, step: number): Error;
  /** Makes the error for a step that is no instruction: by the number of its problem. */
  problem(number: number, step: number): Error;
  /** Tells of an access to an arena page that is not there: the pointer's lower word, and the offset. */
  report(isWrite: boolean, lo: number, offset: number, step: number): void;
}

/**
 * Runs steps.
 *
 * Registers are pairs of signed words in one Int32Array, lower word first, and constants follow them: an immediate is a register. One
 * switch over literal numbers serves all steps, which V8 turns into a table. What is above 2^31 stays signed, so nothing is allocated.
 */
export class Engine {
  readonly registers: Int32Array;
  /** Steps that a run may still take. */
  left = 0;
  /** The step of the call of a kernel function that runs. */
  #at = 0;
  readonly #steps: Int32Array;
  readonly #memory: Memory;
  readonly #host: EngineHost;
  readonly #atomics: AtomicSteps;
  readonly #rare: RareSteps;
  readonly #frames: Frames;
  readonly #userHi: number;

  /**
   * @param userHi - bits 63..32 of the arena's addresses in user space.
   * @param loops - how often `may_goto` goes on in one frame.
   */
  constructor(
    steps: Int32Array,
    constants: Int32Array,
    memory: Memory,
    host: EngineHost,
    userHi: number,
    loops: number,
  ) {
    this.#steps = steps;
    this.registers = new Int32Array(REGISTERS * 2 + constants.length);
    this.registers.set(constants, REGISTERS * 2);
    this.#memory = memory;
    this.#host = host;
    this.#atomics = new AtomicSteps(memory, this.registers);
    this.#userHi = userHi;
    this.#rare = new RareSteps(this.registers);
    this.#frames = new Frames(this.registers, memory, loops);
  }

  /** Makes the first frame of a run. Registers are unwritten but for those that the caller sets. */
  begin(stackBytes: number): void {
    this.poison(0x3ff);
    this.#frames.begin(stackBytes);
  }

  /**
   * Calls a function from the kernel's side, with r1 to r5 as they are, and runs it to its end. r6 to r9 and the frame are then as they
   * were, also when it ends by a fault.
   */
  invoke(entry: number, stackBytes: number): void {
    const at = this.#at;
    this.#push(-1, stackBytes, at);
    const { depth } = this.#memory;
    try {
      this.run(entry, depth);
    } finally {
      // A fault may leave frames that the function has called.
      this.#memory.depth = depth;
      this.#frames.pop();
      this.#at = at;
    }
  }

  /** The step of the call of a kernel function that runs. */
  get at(): number {
    return this.#at;
  }

  /** Marks registers as unwritten. */
  poison(mask: number): void {
    for (let i = 0; i < REGISTERS; i++) {
      if (((mask >>> i) & 1) === 0) continue;
      this.registers[i * 2] = POISON_LO | i;
      this.registers[i * 2 + 1] = POISON_HI;
    }
  }

  /** Runs from a step until the frame of a depth is left by `exit`. */
  run(entry: number, until: number): void {
    const [steps, r, memory] = [this.#steps, this.registers, this.#memory];
    const { ownBytes, ownHalves, ownWords } = memory;
    let pc = entry;
    let left = this.left;
    /** Where the current frame ends in the interpreter's own bytes. */
    let top = (memory.depth + 1) * 512;
    for (;;) {
      try {
        for (;;) {
          if (--left < 0) throw this.#spent(pc);
          const a = steps[pc + 1] as number;
          const b = steps[pc + 2] as number;
          // steps.ts has these numbers.
          switch (steps[pc]) {
            case 0x00: {
              // add
              const lo = ((r[a] as number) + (r[b] as number)) | 0;
              r[a + 1] =
                (r[a + 1] as number) + (r[b + 1] as number) + (lo >>> 0 < (r[b] as number) >>> 0 ? 1 : 0);
              r[a] = lo;
              pc += 4;
              continue;
            }
            case 0x01: {
              // subtract
              const borrow = (r[a] as number) >>> 0 < (r[b] as number) >>> 0 ? 1 : 0;
              const hi = (r[a + 1] as number) - (r[b + 1] as number) - borrow;
              r[a] = (r[a] as number) - (r[b] as number);
              r[a + 1] = hi;
              pc += 4;
              continue;
            }
            case 0x02: {
              // multiply
              const [x, y] = [r[a] as number, r[b] as number];
              const hi =
                productHigh(x, y) + Math.imul(x, r[b + 1] as number) + Math.imul(r[a + 1] as number, y);
              r[a] = Math.imul(x, y);
              r[a + 1] = hi;
              pc += 4;
              continue;
            }
            case 0x04: // or
              r[a] = (r[a] as number) | (r[b] as number);
              r[a + 1] = (r[a + 1] as number) | (r[b + 1] as number);
              pc += 4;
              continue;
            case 0x05: // and
              r[a] = (r[a] as number) & (r[b] as number);
              r[a + 1] = (r[a + 1] as number) & (r[b + 1] as number);
              pc += 4;
              continue;
            case 0x06: {
              // shift left
              const by = r[b] as number;
              const lo = r[a] as number;
              if ((by & 32) !== 0) {
                r[a + 1] = lo << by;
                r[a] = 0;
              } else if ((by & 31) !== 0) {
                r[a + 1] = ((r[a + 1] as number) << by) | (lo >>> -by);
                r[a] = lo << by;
              }
              pc += 4;
              continue;
            }
            case 0x07: {
              // shift right
              const by = r[b] as number;
              const hi = r[a + 1] as number;
              if ((by & 32) !== 0) {
                r[a] = hi >>> by;
                r[a + 1] = 0;
              } else if ((by & 31) !== 0) {
                r[a] = ((r[a] as number) >>> by) | (hi << -by);
                r[a + 1] = hi >>> by;
              }
              pc += 4;
              continue;
            }
            case 0x08: {
              // negate
              const lo = r[a] as number;
              r[a + 1] = ~(r[a + 1] as number) + (lo === 0 ? 1 : 0);
              r[a] = -lo;
              pc += 4;
              continue;
            }
            case 0x0a: // exclusive or
              r[a] = (r[a] as number) ^ (r[b] as number);
              r[a + 1] = (r[a + 1] as number) ^ (r[b + 1] as number);
              pc += 4;
              continue;
            case 0x0b: // move
              r[a] = r[b] as number;
              r[a + 1] = r[b + 1] as number;
              pc += 4;
              continue;
            case 0x0c: {
              // shift right, signed
              const by = r[b] as number;
              const hi = r[a + 1] as number;
              if ((by & 32) !== 0) {
                r[a] = hi >> by;
                r[a + 1] = hi >> 31;
              } else if ((by & 31) !== 0) {
                r[a] = ((r[a] as number) >>> by) | (hi << -by);
                r[a + 1] = hi >> by;
              }
              pc += 4;
              continue;
            }
            case 0x10: // add, 32 bits
              r[a] = (r[a] as number) + (r[b] as number);
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x11: // subtract, 32 bits
              r[a] = (r[a] as number) - (r[b] as number);
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x12: // multiply, 32 bits
              r[a] = Math.imul(r[a] as number, r[b] as number);
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x14: // or, 32 bits
              r[a] = (r[a] as number) | (r[b] as number);
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x15: // and, 32 bits
              r[a] = (r[a] as number) & (r[b] as number);
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x16: // shift left, 32 bits
              r[a] = (r[a] as number) << (r[b] as number);
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x17: // shift right, 32 bits
              r[a] = (r[a] as number) >>> (r[b] as number);
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x18: // negate, 32 bits
              r[a] = -(r[a] as number);
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x1a: // exclusive or, 32 bits
              r[a] = (r[a] as number) ^ (r[b] as number);
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x1b: // move, 32 bits
              r[a] = r[b] as number;
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x1c: // shift right, signed, 32 bits
              r[a] = (r[a] as number) >> (r[b] as number);
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x20: // goto
              pc = steps[pc + 3] as number;
              continue;
            case 0x21: // ==
              pc = r[a] === r[b] && r[a + 1] === r[b + 1] ? (steps[pc + 3] as number) : pc + 4;
              continue;
            case 0x24: // &
              pc =
                (((r[a] as number) & (r[b] as number)) | ((r[a + 1] as number) & (r[b + 1] as number))) !== 0
                  ? (steps[pc + 3] as number)
                  : pc + 4;
              continue;
            case 0x25: // !=
              pc = r[a] !== r[b] || r[a + 1] !== r[b + 1] ? (steps[pc + 3] as number) : pc + 4;
              continue;
            case 0x28: // call a subprogram
              this.#push(pc + 4, steps[pc + 3] as number, pc);
              top += 512;
              pc = b;
              continue;
            case 0x29: // exit
              if (memory.depth === until) {
                this.left = left;
                return;
              }
              pc = this.#frames.pop();
              top -= 512;
              continue;
            case 0x2a: // <
              pc = (
                r[a + 1] === r[b + 1]
                  ? (r[a] as number) >>> 0 < (r[b] as number) >>> 0
                  : (r[a + 1] as number) >>> 0 < (r[b + 1] as number) >>> 0
              )
                ? (steps[pc + 3] as number)
                : pc + 4;
              continue;
            case 0x2b: // <=
              pc = (
                r[a + 1] === r[b + 1]
                  ? (r[a] as number) >>> 0 <= (r[b] as number) >>> 0
                  : (r[a + 1] as number) >>> 0 < (r[b + 1] as number) >>> 0
              )
                ? (steps[pc + 3] as number)
                : pc + 4;
              continue;
            case 0x2c: // < signed
              pc = (
                r[a + 1] === r[b + 1]
                  ? (r[a] as number) >>> 0 < (r[b] as number) >>> 0
                  : (r[a + 1] as number) < (r[b + 1] as number)
              )
                ? (steps[pc + 3] as number)
                : pc + 4;
              continue;
            case 0x2d: // <= signed
              pc = (
                r[a + 1] === r[b + 1]
                  ? (r[a] as number) >>> 0 <= (r[b] as number) >>> 0
                  : (r[a + 1] as number) < (r[b + 1] as number)
              )
                ? (steps[pc + 3] as number)
                : pc + 4;
              continue;
            case 0x2e: // may_goto
              pc = this.#frames.mayGoOn() ? pc + 4 : (steps[pc + 3] as number);
              continue;
            case 0x31: // ==, 32 bits
              pc = r[a] === r[b] ? (steps[pc + 3] as number) : pc + 4;
              continue;
            case 0x34: // &, 32 bits
              pc = ((r[a] as number) & (r[b] as number)) !== 0 ? (steps[pc + 3] as number) : pc + 4;
              continue;
            case 0x35: // !=, 32 bits
              pc = r[a] !== r[b] ? (steps[pc + 3] as number) : pc + 4;
              continue;
            case 0x38: // call a function of the kernel
              this.left = left;
              this.#at = pc;
              this.#host.callKernel(a === 1, b);
              left = this.left;
              pc += 4;
              continue;
            case 0x3a: // <, 32 bits
              pc = (r[a] as number) >>> 0 < (r[b] as number) >>> 0 ? (steps[pc + 3] as number) : pc + 4;
              continue;
            case 0x3b: // <=, 32 bits
              pc = (r[a] as number) >>> 0 <= (r[b] as number) >>> 0 ? (steps[pc + 3] as number) : pc + 4;
              continue;
            case 0x3c: // < signed, 32 bits
              pc = (r[a] as number) < (r[b] as number) ? (steps[pc + 3] as number) : pc + 4;
              continue;
            case 0x3d: // <= signed, 32 bits
              pc = (r[a] as number) <= (r[b] as number) ? (steps[pc + 3] as number) : pc + 4;
              continue;
            case 0x40: {
              // load 8 bits
              const offset = steps[pc + 3] as number;
              const lo = ((r[b] as number) + offset) | 0;
              const hi = ((r[b + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
              r[a] = memory.load8(hi, lo);
              r[a + 1] = 0;
              pc += 4;
              continue;
            }
            case 0x41: {
              // load 16 bits
              const offset = steps[pc + 3] as number;
              const lo = ((r[b] as number) + offset) | 0;
              const hi = ((r[b + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
              r[a] = memory.load16(hi, lo);
              r[a + 1] = 0;
              pc += 4;
              continue;
            }
            case 0x42: {
              // load 32 bits
              const offset = steps[pc + 3] as number;
              const lo = ((r[b] as number) + offset) | 0;
              const hi = ((r[b + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
              r[a] = memory.load32(hi, lo);
              r[a + 1] = 0;
              pc += 4;
              continue;
            }
            case 0x43: {
              // load 64 bits
              const offset = steps[pc + 3] as number;
              const lo = ((r[b] as number) + offset) | 0;
              const hi = ((r[b + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
              r[a] = memory.load64(hi, lo);
              r[a + 1] = memory.high;
              pc += 4;
              continue;
            }
            case 0x44: {
              // load 8 bits, signed
              const offset = steps[pc + 3] as number;
              const lo = ((r[b] as number) + offset) | 0;
              const hi = ((r[b + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
              const value = (memory.load8(hi, lo) << 24) >> 24;
              r[a] = value;
              r[a + 1] = value >> 31;
              pc += 4;
              continue;
            }
            case 0x45: {
              // load 16 bits, signed
              const offset = steps[pc + 3] as number;
              const lo = ((r[b] as number) + offset) | 0;
              const hi = ((r[b + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
              const value = (memory.load16(hi, lo) << 16) >> 16;
              r[a] = value;
              r[a + 1] = value >> 31;
              pc += 4;
              continue;
            }
            case 0x46: {
              // load 32 bits, signed
              const offset = steps[pc + 3] as number;
              const lo = ((r[b] as number) + offset) | 0;
              const hi = ((r[b + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
              const value = memory.load32(hi, lo);
              r[a] = value;
              r[a + 1] = value >> 31;
              pc += 4;
              continue;
            }
            case 0x48: // load 8 bits of the frame
              r[a] = ownBytes[top + b] as number;
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x49: // load 16 bits of the frame
              r[a] = ownHalves[(top + b) >> 1] as number;
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x4a: // load 32 bits of the frame
              r[a] = ownWords[(top + b) >> 2] as number;
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x4b: // load 64 bits of the frame
              r[a] = ownWords[(top + b) >> 2] as number;
              r[a + 1] = ownWords[((top + b) >> 2) + 1] as number;
              pc += 4;
              continue;
            case 0x4c: {
              // load 8 bits of the frame, signed
              const value = ((ownBytes[top + b] as number) << 24) >> 24;
              r[a] = value;
              r[a + 1] = value >> 31;
              pc += 4;
              continue;
            }
            case 0x4d: {
              // load 16 bits of the frame, signed
              const value = ((ownHalves[(top + b) >> 1] as number) << 16) >> 16;
              r[a] = value;
              r[a + 1] = value >> 31;
              pc += 4;
              continue;
            }
            case 0x4e: {
              // load 32 bits of the frame, signed
              const value = ownWords[(top + b) >> 2] as number;
              r[a] = value;
              r[a + 1] = value >> 31;
              pc += 4;
              continue;
            }
            case 0x50: {
              // store 8 bits
              const offset = steps[pc + 3] as number;
              const lo = ((r[a] as number) + offset) | 0;
              const hi = ((r[a + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
              memory.store8(hi, lo, r[b] as number);
              pc += 4;
              continue;
            }
            case 0x51: {
              // store 16 bits
              const offset = steps[pc + 3] as number;
              const lo = ((r[a] as number) + offset) | 0;
              const hi = ((r[a + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
              memory.store16(hi, lo, r[b] as number);
              pc += 4;
              continue;
            }
            case 0x52: {
              // store 32 bits
              const offset = steps[pc + 3] as number;
              const lo = ((r[a] as number) + offset) | 0;
              const hi = ((r[a + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
              memory.store32(hi, lo, r[b] as number);
              pc += 4;
              continue;
            }
            case 0x53: {
              // store 64 bits
              const offset = steps[pc + 3] as number;
              const lo = ((r[a] as number) + offset) | 0;
              const hi = ((r[a + 1] as number) + (offset >> 31) + (lo >>> 0 < offset >>> 0 ? 1 : 0)) | 0;
              memory.store64(hi, lo, r[b + 1] as number, r[b] as number);
              pc += 4;
              continue;
            }
            case 0x58: // store 8 bits in the frame
              ownBytes[top + b] = r[a] as number;
              pc += 4;
              continue;
            case 0x59: // store 16 bits in the frame
              ownHalves[(top + b) >> 1] = r[a] as number;
              pc += 4;
              continue;
            case 0x5a: // store 32 bits in the frame
              ownWords[(top + b) >> 2] = r[a] as number;
              pc += 4;
              continue;
            case 0x5b: // store 64 bits in the frame
              ownWords[(top + b) >> 2] = r[a] as number;
              ownWords[((top + b) >> 2) + 1] = r[a + 1] as number;
              pc += 4;
              continue;
            case 0x60: // atomic
              this.#atomics.run(a & 255, a >> 8, b & 4095, b >> 12, steps[pc + 3] as number);
              pc += 4;
              continue;
            case 0x70: {
              // move 8 bits, signed
              const value = ((r[b] as number) << 24) >> 24;
              r[a] = value;
              r[a + 1] = value >> 31;
              pc += 4;
              continue;
            }
            case 0x71: {
              // move 16 bits, signed
              const value = ((r[b] as number) << 16) >> 16;
              r[a] = value;
              r[a + 1] = value >> 31;
              pc += 4;
              continue;
            }
            case 0x72: {
              // move 32 bits, signed
              const value = r[b] as number;
              r[a] = value;
              r[a + 1] = value >> 31;
              pc += 4;
              continue;
            }
            case 0x76: // keep 32 bits; a cast to the kernel
              r[a] = r[b] as number;
              r[a + 1] = 0;
              pc += 4;
              continue;
            case 0x7a: // a cast to user space: 0 stays 0
              r[a + 1] = r[b] === 0 ? 0 : this.#userHi;
              r[a] = r[b] as number;
              pc += 4;
              continue;
            case 0x7c: // no instruction
              this.left = left;
              throw this.#host.problem(a, pc);
            case 0x7d: // may read what is unwritten
              left++;
              this.#requireWritten(a, pc);
              pc += 4;
              continue;
            case 0x7e: // from here on unwritten
              left++;
              this.poison(a);
              pc += 4;
              continue;
            default:
              if (!this.#rare.run(steps[pc] as number, a, b))
                throw new Error(`there is no step ${steps[pc]}`);
              pc += 4;
              continue;
          }
        }
      } catch (error) {
        this.left = left;
        pc = this.#recover(error, pc);
      }
    }
  }

  /** Goes on behind a page fault of the arena, as Linux's exception table does. Other errors end the run. */
  #recover(error: unknown, pc: number): number {
    if (error instanceof BadAccess) throw this.#host.fault('access', error.message, pc);
    if (!(error instanceof MmuFault) || error !== this.#memory.mmu?.fault) throw error;
    const access = failedAccess(this.#steps, pc);
    if (access === null) throw error;
    const r = this.registers;
    this.#host.report(access.isWrite, r[access.base] as number, access.offset, pc);
    if (access.result >= 0) {
      r[access.result] = 0;
      r[access.result + 1] = 0;
    }
    return pc + STEP_WORDS;
  }

  #spent(pc: number): Error {
    return this.#host.fault('budget', 'the run has taken all instructions of its budget', pc);
  }

  #requireWritten(mask: number, pc: number): void {
    for (let i = 0; i < REGISTERS; i++) {
      if (((mask >>> i) & 1) === 0) continue;
      if (this.registers[i * 2] === (POISON_LO | i) && this.registers[i * 2 + 1] === POISON_HI) {
        throw this.#host.fault('register', `r${i} is read, but nothing was written to it`, pc);
      }
    }
  }

  #push(next: number, stackBytes: number, pc: number): void {
    if (this.#frames.push(next, stackBytes)) return;
    throw this.#host.fault('frames', `more than ${FRAMES} calls are within each other`, pc);
  }
}
