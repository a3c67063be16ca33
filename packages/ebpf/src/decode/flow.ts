import {
  ADDR_SPACE_CAST,
  ALU64,
  ATOMIC,
  CALL,
  CALL_OPCODE,
  classOf,
  EXIT,
  EXIT_OPCODE,
  FRAME_POINTER,
  JA,
  JMP,
  JMP32,
  LDIMM64,
  LDX,
  LOAD_ACQUIRE,
  MOV,
  modeOf,
  operationOf,
  PSEUDO_CALL,
  STX,
  sizeOf,
  X,
} from '../isa/codes.js';
import type { Instructions } from '../isa/instructions.js';
import { problemOf } from '../isa/problem.js';
import type { Problem } from './step-list.js';
import { FRAME_BYTES } from './steps.js';

/** A move of a register of 64 bits, and a cast by its offset. */
const MOVE_OPCODE = (MOV << 4) | X | ALU64;

/** A function's place in the code. */
export interface FunctionPlace {
  readonly first: number;
  readonly count: number;
}

/** What the code may refer to. */
export interface Surroundings {
  readonly hasArena: boolean;
  readonly externs: readonly { readonly name: string; readonly isThere: boolean }[];
}

/**
 * Where instructions lead, and which ones are no instructions here: by themselves, or because they lead out of their function, call
 * nothing, or leave the stack frame.
 */
export class Flow {
  readonly #code: Instructions;
  readonly #problems: (Problem | null)[];
  /** By instruction: its function, -1 for none. */
  readonly #functionAt: Int32Array;
  /** By instruction: the function that begins there, -1 for none. */
  readonly #functionFrom: Int32Array;
  /** 1 for the second half of LDIMM64. */
  readonly #isSecond: Uint8Array;

  constructor(code: Instructions, functions: readonly FunctionPlace[], around: Surroundings) {
    this.#code = code;
    this.#functionAt = new Int32Array(code.count).fill(-1);
    this.#functionFrom = new Int32Array(code.count).fill(-1);
    this.#isSecond = new Uint8Array(code.count);
    functions.forEach(({ first, count }, index) => {
      this.#functionFrom[first] = index;
      this.#functionAt.fill(index, first, first + count);
      for (let i = first; i < first + count; i++) {
        if (code.opcode(i) === LDIMM64 && i + 1 < first + count) this.#isSecond[++i] = 1;
      }
    });
    this.#problems = Array.from({ length: code.count }, (_, i) =>
      this.#functionAt[i] === -1 || this.isSecond(i) ? null : this.#problemOf(i, around),
    );
  }

  /** Why an instruction cannot run; `null` for one that can. */
  problemAt(i: number): Problem | null {
    return this.#problems[i] ?? null;
  }

  isProblem(i: number): boolean {
    return this.#problems[i] !== null;
  }

  /** The function that an instruction is in. */
  functionAt(i: number): number {
    return this.#functionAt[i] as number;
  }

  isSecond(i: number): boolean {
    return this.#isSecond[i] === 1;
  }

  /** The function that a call goes to; -1 for a function of the kernel. */
  calleeOf(i: number): number {
    if (this.#code.src(i) !== PSEUDO_CALL) return -1;
    return this.#functionFrom[i + 1 + this.#code.imm(i)] ?? -1;
  }

  /** Where a jump goes; -1 for an instruction that is none. */
  targetOf(i: number): number {
    const opcode = this.#code.opcode(i);
    const kind = classOf(opcode);
    const operation = operationOf(opcode);
    if ((kind !== JMP && kind !== JMP32) || operation === CALL || operation === EXIT) return -1;
    const isLong = kind === JMP32 && operation === JA;
    return i + 1 + (isLong ? this.#code.imm(i) : this.#code.offset(i));
  }

  /** Calls a function with each instruction that may follow in the same function. */
  forEachNext(i: number, visit: (next: number) => void): void {
    const target = this.targetOf(i);
    if (target >= 0) visit(target);
    const isAlways = target >= 0 && operationOf(this.#code.opcode(i)) === JA;
    const next = this.#code.opcode(i) === LDIMM64 ? i + 2 : i + 1;
    if (!isAlways && this.#functionAt[next] === this.#functionAt[i]) visit(next);
  }

  #problemOf(i: number, around: Surroundings): Problem | null {
    const itself = problemOf(this.#code, i) ?? this.#problemHere(i, around);
    if (itself !== null) return { kind: 'instruction', why: itself };
    const frame = this.#problemOfFrame(i);
    return frame === null ? null : { kind: 'access', why: frame };
  }

  #problemHere(i: number, around: Surroundings): string | null {
    const code = this.#code;
    const opcode = code.opcode(i);
    const kind = classOf(opcode);
    if (opcode === LDIMM64 && this.#isSecond[i + 1] !== 1) return 'the second half is missing';
    if (opcode === MOVE_OPCODE && code.offset(i) === ADDR_SPACE_CAST && !around.hasArena) {
      return 'there is a cast of address spaces, but no arena';
    }
    if (opcode === CALL_OPCODE) return this.#problemOfCall(i, around);
    return kind === JMP || kind === JMP32 ? this.#problemOfTarget(i) : null;
  }

  #problemOfTarget(i: number): string | null {
    const target = this.targetOf(i);
    if (target === -1 && this.#code.opcode(i) === EXIT_OPCODE) return null;
    const home = this.#functionAt[i] as number;
    if (target < 0 || this.#functionAt[target] !== home) return 'the jump leads out of the function';
    return this.#isSecond[target] === 1 ? 'the jump leads into the middle of an instruction' : null;
  }

  #problemOfCall(i: number, { externs }: Surroundings): string | null {
    const [src, imm] = [this.#code.src(i), this.#code.imm(i)];
    if (src === 0) return null;
    if (src === PSEUDO_CALL) return this.calleeOf(i) < 0 ? 'the call goes to no function' : null;
    const extern = externs[imm];
    if (extern === undefined) return `there is no function ${imm} of the kernel`;
    return extern.isThere ? null : `the kernel has no function ${extern.name}`;
  }

  /** What the frame pointer itself is the base of is checked here, once. */
  #problemOfFrame(i: number): string | null {
    const opcode = this.#code.opcode(i);
    const kind = classOf(opcode);
    if (kind < LDX || kind > STX) return null;
    // A load-acquire has its base in the source register, as a load.
    const isAcquire = kind === STX && modeOf(opcode) === ATOMIC && this.#code.imm(i) === LOAD_ACQUIRE;
    const base = kind === LDX || isAcquire ? this.#code.src(i) : this.#code.dst(i);
    const [size, offset] = [sizeOf(opcode), this.#code.offset(i)];
    if (base !== FRAME_POINTER) return null;
    if (offset < -FRAME_BYTES || offset + size > 0)
      return `the access leaves the stack frame of ${FRAME_BYTES} bytes`;
    return offset % size === 0 ? null : 'the access to the stack is not aligned';
  }
}
