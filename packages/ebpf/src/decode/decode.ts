import {
  ADDR_SPACE_CAST,
  ALU,
  ALU64,
  ATOMIC,
  CALL,
  CAST_TO_KERNEL,
  classOf,
  DIV,
  END,
  EXIT,
  FRAME_POINTER,
  JA,
  JCOND,
  JGE,
  JGT,
  JLE,
  JLT,
  JMP,
  JMP32,
  JSGE,
  JSGT,
  JSLE,
  JSLT,
  LDIMM64,
  LDX,
  LOAD_ACQUIRE,
  MEMSX,
  MOV,
  modeOf,
  NEG,
  operationOf,
  SIGNED,
  STX,
  sizeOf,
  X,
} from '../isa/codes.js';
import { Instructions } from '../isa/instructions.js';
import { ARGUMENTS, readsOf } from '../isa/registers.js';
import { Flow } from './flow.js';
import { type AnalysedFunction, type Uninitialised, uninitialised } from './initialised.js';
import { type Problem, StepList } from './step-list.js';
import {
  ARITHMETIC_32,
  BY_FRAME,
  COMPARISONS,
  COMPARISONS_32,
  FRAME_BYTES,
  LOADS,
  SIGNED_DIVISION,
  SIGNED_REMAINDER,
  SIZE_INDEX,
  STEP,
  STORES,
} from './steps.js';

/** What is decoded. */
export interface Undecoded<F extends AnalysedFunction> {
  /** Instructions with their relocations done. */
  readonly code: Uint8Array;
  readonly functions: readonly F[];
  readonly externs: readonly { readonly name: string; readonly isThere: boolean }[];
  /** `null` without an arena. */
  readonly arena: { readonly noUserConv: boolean } | null;
}

/** What `decode` makes. */
export interface Decoded<F extends AnalysedFunction> {
  readonly functions: readonly (F & { readonly entry: number; readonly stackBytes: number })[];
  readonly steps: Int32Array;
  readonly constants: Int32Array;
  readonly places: Int32Array;
  readonly problems: readonly Problem[];
}

/** Comparisons that have no step of their own, and what they are when their operands change places. */
const MIRRORED: ReadonlyMap<number, number> = /* @__PURE__ */ new Map([
  ...[[JGT, JLT] as const, [JGE, JLE] as const, [JSGT, JSLT] as const, [JSGE, JSLE] as const],
]);

/** What every function finds unwritten: r0, and r6 to r9. */
const NO_ARGUMENTS = 0b11_1100_0001;

/** Turns instructions into steps: what an interpreter needs of each, in four words. */
export function decode<F extends AnalysedFunction>({
  code: bytes,
  functions,
  externs,
  arena,
}: Undecoded<F>): Decoded<F> {
  const code = new Instructions(bytes);
  const flow = new Flow(code, functions, { hasArena: arena !== null, externs });
  const registers = uninitialised(code, functions, flow);
  const stackBytes = functions.map((one) => stackBytesOf(code, flow, one));
  const decoder = new Decoder(code, flow, registers, arena?.noUserConv ?? false);
  const entries = functions.map((one) => decoder.add(one));
  const list = decoder.finish(entries, stackBytes);
  return {
    functions: functions.map((one, i) => ({
      ...one,
      ...{ entry: entries[i] as number, stackBytes: stackBytes[i] as number },
    })),
    ...list,
  };
}

/** How much of its frame a function may use: all of it, where the frame pointer is more than the base of an access. */
function stackBytesOf(code: Instructions, flow: Flow, { first, count }: AnalysedFunction): number {
  let most = 0;
  for (let i = first; i < first + count; i++) {
    if (flow.isSecond(i) || flow.isProblem(i)) continue;
    if ((readsOf(code, i) & (1 << FRAME_POINTER)) === 0) continue;
    const opcode = code.opcode(i);
    const kind = classOf(opcode);
    const isBase =
      kind === LDX || (kind <= STX && code.dst(i) === FRAME_POINTER && code.src(i) !== FRAME_POINTER);
    const isAcquire = kind === STX && modeOf(opcode) === ATOMIC && code.imm(i) === LOAD_ACQUIRE;
    if (!isBase && !isAcquire) return FRAME_BYTES;
    most = Math.max(most, -code.offset(i));
  }
  return Math.ceil(most / 8) * 8;
}

class Decoder {
  readonly #list: StepList = new StepList();
  readonly #code: Instructions;
  readonly #flow: Flow;
  readonly #registers: Uninitialised;
  readonly #noUserConv: boolean;

  constructor(code: Instructions, flow: Flow, registers: Uninitialised, noUserConv: boolean) {
    this.#code = code;
    this.#flow = flow;
    this.#registers = registers;
    this.#noUserConv = noUserConv;
  }

  /** Decodes a function. Returns its first step. */
  add({ first, count }: AnalysedFunction): number {
    const list = this.#list;
    const entry = list.at;
    if (this.#registers.isDoubtful) list.add(first, STEP.poison, NO_ARGUMENTS, 0, 0);
    for (let i = first; i < first + count; i++) {
      if (this.#flow.isSecond(i)) continue;
      list.begin(i);
      this.#addInstruction(i);
    }
    list.problem(first + count - 1, { kind: 'instruction', why: 'the function has no exit here' });
    return entry;
  }

  finish(
    entries: readonly number[],
    stackBytes: readonly number[],
  ): Omit<Decoded<AnalysedFunction>, 'functions'> {
    return this.#list.finish(entries, stackBytes);
  }

  #addInstruction(i: number): void {
    const problem = this.#flow.problemAt(i);
    if (problem !== null) {
      this.#list.problem(i, problem);
      return;
    }
    const never = this.#registers.never[i] as number;
    if (never !== 0) {
      this.#list.problem(i, {
        kind: 'register',
        why: `r${31 - Math.clz32(never & -never)} is read, but nothing was written to it`,
      });
      return;
    }
    const perhaps = this.#registers.perhaps[i] as number;
    if (perhaps !== 0) this.#list.add(i, STEP.check, perhaps, 0, 0);
    const kind = classOf(this.#code.opcode(i));
    if (kind === ALU || kind === ALU64) this.#addArithmetic(i);
    else if (kind === JMP || kind === JMP32) this.#addJump(i);
    else this.#addAccess(i);
  }

  /** The operand of an instruction: a register, or a constant as if it were one. */
  #operand(i: number): number {
    const code = this.#code;
    return (code.opcode(i) & X) !== 0 ? code.src(i) * 2 : this.#list.constant(code.imm(i), code.imm(i) >> 31);
  }

  #addArithmetic(i: number): void {
    const [code, list] = [this.#code, this.#list];
    const opcode = code.opcode(i);
    const [operation, isWide, offset] = [operationOf(opcode), classOf(opcode) === ALU64, code.offset(i)];
    const dst = code.dst(i) * 2;
    if (operation === END) {
      list.add(i, this.#swapOf(i, isWide), dst, dst, 0);
      return;
    }
    if (operation === NEG) {
      list.add(i, isWide ? STEP.neg64 : STEP.neg32, dst, dst, 0);
      return;
    }
    const operand = this.#operand(i);
    if (operation === MOV && offset !== 0) {
      list.add(i, this.#moveOf(i, isWide), dst, operand, 0);
      return;
    }
    // Signed division and remainder have numbers of their own.
    const number = offset === SIGNED ? (operation === DIV ? SIGNED_DIVISION : SIGNED_REMAINDER) : operation;
    list.add(i, (isWide ? 0 : ARITHMETIC_32) + number, dst, operand, 0);
  }

  /** The host of BPF is little-endian: `le` only cuts. */
  #swapOf(i: number, isWide: boolean): number {
    const bits = this.#code.imm(i);
    const isSwap = isWide || (this.#code.opcode(i) & X) !== 0;
    if (bits === 16) return isSwap ? STEP.swap16 : STEP.cut16;
    if (bits === 32) return isSwap ? STEP.swap32 : STEP.cut32;
    return isSwap ? STEP.swap64 : STEP.move64;
  }

  #moveOf(i: number, isWide: boolean): number {
    const offset = this.#code.offset(i);
    if (offset === ADDR_SPACE_CAST)
      return this.#code.imm(i) === CAST_TO_KERNEL || this.#noUserConv ? STEP.cut32 : STEP.toUser;
    if (offset === 8) return isWide ? STEP.sign8 : STEP.sign8to32;
    if (offset === 16) return isWide ? STEP.sign16 : STEP.sign16to32;
    return STEP.sign32;
  }

  #addJump(i: number): void {
    const [code, list] = [this.#code, this.#list];
    const opcode = code.opcode(i);
    const operation = operationOf(opcode);
    if (operation === EXIT) {
      list.add(i, STEP.exit, 0, 0, 0);
      return;
    }
    if (operation === CALL) {
      const callee = this.#flow.calleeOf(i);
      if (callee >= 0) list.call(i, callee);
      else list.add(i, STEP.callKernel, code.src(i) === 0 ? 0 : 1, code.imm(i), 0);
      if (this.#registers.isDoubtful) list.add(i, STEP.poison, ARGUMENTS, 0, 0);
      return;
    }
    const target = this.#flow.targetOf(i);
    if (operation === JA) {
      list.jump(i, STEP.jump, 0, 0, target);
      return;
    }
    if (operation === JCOND) {
      list.jump(i, STEP.mayGoto, 0, 0, target);
      return;
    }
    const first = classOf(opcode) === JMP ? COMPARISONS : COMPARISONS_32;
    const [dst, operand] = [code.dst(i) * 2, this.#operand(i)];
    // An operand is always a register: x > y is y < x.
    const mirrored = MIRRORED.get(operation);
    if (mirrored === undefined) list.jump(i, first + operation, dst, operand, target);
    else list.jump(i, first + mirrored, operand, dst, target);
  }

  #addAccess(i: number): void {
    const [code, list] = [this.#code, this.#list];
    const opcode = code.opcode(i);
    const [dst, src, offset, size] = [code.dst(i), code.src(i), code.offset(i), sizeOf(opcode)];
    if (opcode === LDIMM64) {
      list.add(i, STEP.move64, dst * 2, list.constant(code.imm(i), code.imm(i + 1)), 0);
      return;
    }
    if (modeOf(opcode) === ATOMIC) {
      list.add(i, STEP.atomic, dst | (src << 8), code.imm(i) | (size << 12), offset);
      return;
    }
    const index = SIZE_INDEX[size] as number;
    if (classOf(opcode) === LDX) {
      const step = LOADS + index + (modeOf(opcode) === MEMSX ? 4 : 0);
      if (src === FRAME_POINTER) {
        list.add(i, step + BY_FRAME, dst * 2, offset, 0);
        return;
      }
      list.add(i, step, dst * 2, src * 2, offset);
      return;
    }
    // The bit that tells a register from a constant is another one here: classes ST and STX.
    const value = classOf(opcode) === STX ? src * 2 : list.constant(code.imm(i), code.imm(i) >> 31);
    if (dst === FRAME_POINTER) {
      list.add(i, STORES + index + BY_FRAME, value, offset, 0);
      return;
    }
    list.add(i, STORES + index, dst * 2, value, offset);
  }
}
